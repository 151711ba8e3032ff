"""What a user gets wrong: each gets the message that helps, at apply or as a condition, and the operator goes on."""

import pytest
from clouds import Cloud, Manifest, condition
from livemigration import at_pace

from controlplane import KubectlError


@pytest.fixture
def base(cloud: Cloud) -> Cloud:
    """A cloud that works, without a VM."""
    cloud.up(cloud.pool(), cloud.flavor(), cloud.image(), cloud.network())
    return cloud


def _refusal(cloud: Cloud, manifest: Manifest) -> str:
    with pytest.raises(KubectlError) as refused:
        cloud.apply(manifest)
    return refused.value.stderr


def _prerequisites(cloud: Cloud) -> Manifest:
    """Wait until the VM says that something it needs is missing; that condition."""
    missing = "--for=condition=PrerequisitesReady=False"
    cloud.kubectl("wait", missing, "vm/vm", "-n", cloud.namespace, "--timeout=20s")
    return condition(cloud.status("vm"), "PrerequisitesReady")


def test_an_unknown_field_is_refused_by_its_path(cloud: Cloud) -> None:
    assert 'unknown field "spec.flavour"' in _refusal(cloud, cloud.vm(flavour="small"))


def test_overlapping_subnets_are_refused(cloud: Cloud) -> None:
    subnets = [{"name": "a", "cidr": "10.0.0.0/16"}, {"name": "b", "cidr": "10.0.7.0/24"}]
    refusal = _refusal(cloud, cloud.object("Network", "net", {"subnets": subnets}))
    assert "subnets of one network must not overlap: change one cidr" in refusal


def test_an_unknown_flavor_is_named_and_the_vm_runs_once_it_exists(base: Cloud) -> None:
    name = f"{base.namespace}-later"
    base.apply(base.vm(flavorRef={"name": name}))
    missing = _prerequisites(base)
    assert missing["reason"] == "FlavorNotFound"
    assert missing["message"].startswith(f"flavor {name} does not exist: create it")
    assert condition(base.status("vm"), "Ready")["reason"] == "FlavorNotFound"
    base.apply(base.flavor(name))
    base.ready(base.vm())


def test_an_image_larger_than_the_disk_is_told_with_both_sizes(base: Cloud) -> None:
    base.up(base.image("windows", virtualSize="40Gi"))
    base.apply(base.vm(imageRef={"name": "windows"}))
    missing = _prerequisites(base)
    assert missing["reason"] == "ImageTooLarge"
    assert "image windows needs a root disk of 40Gi" in missing["message"]
    assert "has 20Gi: choose a flavor with at least 40Gi" in missing["message"]


def test_a_plan_for_a_vm_that_does_not_exist_fails_and_names_it(base: Cloud) -> None:
    base.apply(base.plan(virtualMachines=[{"name": "nobody"}]))
    plan = base.phase("mplan", "plan", "Failed")
    assert f"{base.namespace}/nobody: VirtualMachineNotFound" in condition(plan, "Ready")["message"]
    assert base.list("vmm") == []
    base.up(base.vm())


def test_a_source_that_crashes_in_mid_copy_fails_the_migration_and_restarts_the_vm(cloud: Cloud) -> None:
    cloud.up(cloud.pool(), cloud.flavor(memory="12Gi"), cloud.image(), cloud.network(), cloud.vm())
    source = cloud.status("vm")["hostName"]
    at_pace(cloud, 1)
    cloud.apply(cloud.plan(virtualMachines=[{"name": "vm"}], retry={"limit": 0}))
    cloud.phase("mplan", "plan", "PreCopy")
    cloud.patch("host", source, {"fault": {"type": "Crash"}})
    cloud.host_phase(source, "Failed")
    at_pace(cloud, 50)
    failed = cloud.phase("vmm", cloud.list("vmm")[0]["metadata"]["name"], "Failed")
    assert failed["failureReason"] == "SourceHostFailed"
    assert f"source host {source} is lost; vm went with it" in condition(failed, "Ready")["message"]
    assert cloud.phase("mplan", "plan", "Failed")["failed"] == 1
    cloud.ready(cloud.vm())
    after = cloud.phase("vm", "vm", "Running")
    assert after["hostName"] != source
    assert after["restarts"] == 1
