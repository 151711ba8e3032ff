"""Migration policies as users meet them: presets and labels, labels of namespaces, conflicts, deletion."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clouds import Cloud, Manifest, condition

from controlplane import Kubectl

PRESETS = Path(__file__).parents[2] / "examples" / "policies"
LABEL = "drover.dev/migration-policy"


@pytest.fixture
def presets(kubectl: Kubectl) -> Iterator[None]:
    kubectl("apply", "-f", str(PRESETS))
    yield
    kubectl("delete", "-f", str(PRESETS), "--timeout=20s")


def _vm(cloud: Cloud, name: str, **labels: str) -> Manifest:
    """A VM that waits for a flavor: policies count it all the same."""
    return cloud.vm(name) | {"metadata": {"name": name, "namespace": cloud.namespace, "labels": labels}}


@pytest.mark.usefixtures("presets")
def test_a_vm_takes_a_preset_by_its_label(cloud: Cloud) -> None:
    cloud.kubectl("wait", "--for=condition=Ready", "mpol", "--all", "--timeout=20s")
    quick = {"Downtime-ms": "500", "Post-copy": "false", "Auto-converge": "", "Bandwidth": ""}
    cloud.shows("mpol", "minimal-downtime", VMs="0", **quick)
    cloud.shows("mpol", "post-copy", VMs="0", **{"Downtime-ms": "200", "Post-copy": "true"})
    cloud.apply(*(_vm(cloud, f"vm-{n}", **{LABEL: "minimal-downtime"}) for n in range(5)), _vm(cloud, "other"))
    cloud.shows("mpol", "minimal-downtime", VMs="5")
    cloud.told("MigrationPolicy", "minimal-downtime", "PolicyMatched")
    cloud.kubectl("label", "vm", "vm-0", "-n", cloud.namespace, "--overwrite", f"{LABEL}=post-copy")
    cloud.shows("mpol", "minimal-downtime", VMs="4")
    cloud.shows("mpol", "post-copy", VMs="1")


def test_a_policy_holds_for_namespaces_with_its_labels(cloud: Cloud) -> None:
    team = {"namespaceSelector": {"team": cloud.namespace}}
    general, special = f"{cloud.namespace}-general", f"{cloud.namespace}-special"
    cloud.up(cloud.object("MigrationPolicy", general, {"selectors": team}))
    cloud.apply(_vm(cloud, "vm", app=cloud.namespace))
    cloud.kubectl("label", "namespace", cloud.namespace, f"team={cloud.namespace}")
    cloud.shows("mpol", general, VMs="1")
    both = {**team, "virtualMachineSelector": {"app": cloud.namespace}}
    cloud.up(cloud.object("MigrationPolicy", special, {"selectors": both}))
    cloud.shows("mpol", general, VMs="0")
    shadowed = condition(cloud.status("mpol", general), "Ready")
    assert (shadowed["status"], shadowed["reason"]) == ("True", "Shadowed")
    assert f"would be migrated by {special} (2 labels in its selectors against 1)" in shadowed["message"]
    cloud.kubectl("delete", "mpol", special, "--timeout=20s")
    cloud.shows("mpol", general, VMs="1")


def test_policies_that_only_their_names_tell_apart_are_told_of(cloud: Cloud) -> None:
    selectors = {"virtualMachineSelector": {"app": cloud.namespace}}
    first, second = (cloud.object("MigrationPolicy", f"{cloud.namespace}-{n}", {"selectors": selectors}) for n in "ab")
    cloud.apply(_vm(cloud, "vm", app=cloud.namespace))
    cloud.up(first, second)
    for policy in (first, second):
        cloud.told("MigrationPolicy", policy["metadata"]["name"], "PolicyConflict")
    cloud.shows("mpol", f"{cloud.namespace}-a", VMs="1")
    cloud.shows("mpol", f"{cloud.namespace}-b", VMs="0")
    cloud.patch("mpol", f"{cloud.namespace}-b", {"weight": 1})
    cloud.shows("mpol", f"{cloud.namespace}-b", VMs="1")
    assert condition(cloud.status("mpol", f"{cloud.namespace}-b"), "Conflicting") == {}
