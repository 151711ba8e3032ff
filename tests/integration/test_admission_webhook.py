"""The admission webhook on the real API server: what kubectl's user reads, and what goes on without it."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from clouds import Cloud, Manifest
from rights import ROOT, as_account, asked, of_rules
from running import eventually
from webhooks import MARK, NAME, Webhook, chart_objects

from conftest import secluded
from controlplane import ControlPlane, Kubectl, KubectlError

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    with secluded("webhook") as plane:
        yield plane


@pytest.fixture(scope="module")
def kubectl(cluster: ControlPlane) -> Kubectl:
    return Kubectl(cluster.kubectl, cluster.kubeconfig)


@pytest.fixture(scope="module")
def webhook(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    made = Webhook(cluster, cluster.kubeconfig, tmp_path_factory.mktemp("webhook"))
    try:
        made.await_ready()
        made.register()
        yield made
        assert made.stop() == 0
        errors = [line for line in made.log().splitlines() if " ERROR " in line]
        assert [line for line in errors if "VirtualMachine/default/odd" not in line] == []
    finally:
        made.unregister()
        made.kill()


@pytest.fixture
def guarded(cloud: Cloud, webhook: Webhook) -> Cloud:
    """A cloud that works, without a VM, in a namespace that the webhook is asked about."""
    cloud.up(cloud.pool(2), cloud.flavor(), cloud.image(), cloud.network())
    return _watched(cloud, webhook)


def _watched(cloud: Cloud, webhook: Webhook) -> Cloud:
    cloud.kubectl("label", "namespace", cloud.namespace, f"{MARK}=true")
    _asked_about(cloud, webhook)
    return cloud


def _asked_about(cloud: Cloud, webhook: Webhook) -> None:
    # The API server takes up a new label, or a new registration, within a moment.
    eventually(
        lambda: "would be refused" in _dry_run(cloud, cloud.vm("probe", flavorRef={"name": "none"})), 20, webhook.log
    )


def _dry_run(cloud: Cloud, *manifests: Manifest) -> str:
    """kubectl's stderr."""
    return _kubectl(cloud, ["apply", "--dry-run=server", "-f", "-"], manifests).stderr


def _kubectl(
    cloud: Cloud, command: list[str], manifests: tuple[Manifest, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    kubectl = cloud.kubectl
    whole = [str(kubectl.path), f"--kubeconfig={kubectl.kubeconfig}", *command]
    return subprocess.run(
        whole, input=yaml.safe_dump_all(manifests), capture_output=True, text=True, timeout=60, check=True
    )


def _refusal(cloud: Cloud, manifest: Manifest) -> str:
    with pytest.raises(KubectlError) as refused:
        cloud.apply(manifest)
    return refused.value.stderr


def test_a_dangling_reference_is_refused_with_the_line_that_mends_it(guarded: Cloud) -> None:
    assert (
        _refusal(guarded, guarded.vm(flavorRef={"name": "gold"}))
        .strip()
        .endswith(
            'admission webhook "admission.drover.dev" denied the request: flavor gold does not exist: create it, or set'
            " spec.flavorRef.name to one of `kubectl get flv` (FlavorNotFound)"
        )
    )
    refusal = _refusal(guarded, guarded.plan(virtualMachines=[{"name": "nobody"}]))
    assert f"1 of 1 VMs do not exist: {guarded.namespace}/nobody: create them, or remove them" in refusal
    assert guarded.list("vm") == []


def test_a_vm_without_room_is_refused_with_numbers_and_what_would_help(guarded: Cloud, webhook: Webhook) -> None:
    guarded.up(guarded.flavor(f"{guarded.namespace}-big", memory="12Gi"))
    big = {"flavorRef": {"name": f"{guarded.namespace}-big"}}
    guarded.up(guarded.vm("one", **big), guarded.vm("two", **big))
    # On a busy machine its watch is behind kubectl's.
    eventually(lambda: "insufficient memory" in _dry_run(guarded, guarded.vm("three", **big)), 20, webhook.log)
    refusal = _refusal(guarded, guarded.vm("three", **big))
    assert "denied the request: 0/2 hosts available: 2 insufficient memory" in refusal
    assert f"it would fit: flavor {guarded.namespace} instead of {guarded.namespace}-big: 2 hosts" in refusal
    guarded.up(guarded.vm("three", **big, runStrategy="Manual"))
    with pytest.raises(KubectlError, match="2 insufficient memory"):
        guarded.kubectl("annotate", "vm", "three", "-n", guarded.namespace, "drover.dev/action=start@1")


def test_a_vm_can_be_made_anew_under_its_name_with_its_disks_and_in_its_place(guarded: Cloud) -> None:
    guarded.up(guarded.flavor(f"{guarded.namespace}-big", memory="12Gi"))
    big = {"flavorRef": {"name": f"{guarded.namespace}-big"}}
    again = guarded.vm("again", **big, volumes=[{"name": "data", "template": {"size": "1Gi"}}])
    guarded.up(again, guarded.vm("other", **big))
    disk = ("volume", "again-data", "-n", guarded.namespace)
    held = {"metadata": {"finalizers": [*guarded.get("volume", "again-data")["metadata"]["finalizers"], "a.test/held"]}}
    guarded.kubectl("patch", *disk, "--type=merge", "-p", json.dumps(held))
    guarded.kubectl("delete", "vm", "again", "-n", guarded.namespace, "--timeout=20s")
    eventually(
        lambda: "deletionTimestamp" in guarded.get("volume", "again-data")["metadata"], 20, lambda: "the volume stays"
    )
    guarded.apply(again)
    guarded.kubectl("patch", *disk, "--type=json", "-p", '[{"op": "remove", "path": "/metadata/finalizers"}]')
    guarded.ready(again)


def test_vms_without_room_beside_those_applied_before_are_refused(guarded: Cloud, webhook: Webhook) -> None:
    guarded.up(guarded.flavor(f"{guarded.namespace}-big", memory="12Gi"))
    first, second, *others = (guarded.vm(f"vm-{n}", flavorRef={"name": f"{guarded.namespace}-big"}) for n in range(5))
    guarded.apply(first, second)
    # On a busy machine its watch is late by more than the moment between two objects of one apply.
    eventually(lambda: "insufficient memory" in _dry_run(guarded, others[0]), 20, webhook.log)
    with pytest.raises(KubectlError) as refused:
        guarded.apply(*others)
    assert refused.value.stderr.count("insufficient memory") == 3
    guarded.phases("vm", Running=2)


def test_a_dry_run_tells_where_a_vm_would_land_and_what_a_plan_would_take(guarded: Cloud, webhook: Webhook) -> None:
    told = _dry_run(guarded, guarded.vm())
    where = rf"Warning: vm {guarded.namespace}/vm: would land on ({guarded.namespace}-\d), score \d\.\d\d, 2 of 2 hosts"
    assert (landing := re.search(where, told)) is not None, told
    assert f"runner-up {guarded.namespace}-" in told
    guarded.up(guarded.vm())
    assert guarded.status("vm")["hostName"] == landing[1]
    plan = guarded.plan(virtualMachines=[{"name": "vm"}])
    eventually(lambda: "1 of 1 VM to move" in _dry_run(guarded, plan), 20, webhook.log)
    told = _dry_run(guarded, plan)
    assert re.search(r"mplan \S+: 1 of 1 VM to move, 1 wave, \d+ s p50, worst pause \d+ ms, Converges", told), told
    assert re.search(r"mplan \S+: nine in ten within \d+ s, done by \S+Z", told), told
    assert guarded.list("mplan") == []


def test_a_dry_run_of_a_drain_tells_what_would_leave(guarded: Cloud, webhook: Webhook) -> None:
    guarded.up(guarded.vm())
    host = guarded.status("vm")["hostName"]
    drain = json.dumps({"spec": {"maintenance": {"mode": "Drain"}}})
    command = ["patch", "host", host, "--type=merge", "--dry-run=server", "-p", drain]
    foretold = f"Warning: hst {host}: 1 of 1 VM to move, 1 wave"
    eventually(lambda: foretold in _kubectl(guarded, command).stderr, 20, webhook.log)
    assert guarded.get("host", host)["spec"].get("maintenance", {}).get("mode", "None") == "None"


def test_what_is_in_order_passes_also_where_the_webhook_must_not_fail(guarded: Cloud, webhook: Webhook) -> None:
    """Its match conditions hold for every object there is."""
    webhook.register(failurePolicy="Fail")
    try:
        _asked_about(guarded, webhook)
        guarded.up(guarded.vm(runStrategy="Manual"))
        guarded.kubectl("annotate", "vm", "vm", "-n", guarded.namespace, "drover.dev/action=start@1")
        host = guarded.phase("vm", "vm", "Running")["hostName"]
        guarded.patch("host", host, {"unschedulable": True})
        guarded.up(guarded.plan(virtualMachines=[{"name": "vm"}]))
        guarded.kubectl("label", "vm,host,mplan", "--all", "-n", guarded.namespace, "a=b")
        guarded.kubectl("delete", "vm", "vm", "-n", guarded.namespace, "--timeout=20s")
    finally:
        webhook.register()


def test_what_was_dangling_before_can_still_be_changed_and_deleted(cloud: Cloud, webhook: Webhook) -> None:
    cloud.apply(cloud.vm(flavorRef={"name": "gold"}))
    _watched(cloud, webhook)
    cloud.patch("vm", "vm", {"deletionProtection": True})
    cloud.patch("vm", "vm", {"deletionProtection": False, "priorityClassName": "system-node-critical"})
    with pytest.raises(KubectlError, match="PriorityClass none does not exist"):
        cloud.patch("vm", "vm", {"priorityClassName": "none"})
    cloud.kubectl("delete", "vm", "vm", "-n", cloud.namespace, "--timeout=20s")


def test_everything_goes_on_while_no_webhook_answers(guarded: Cloud, webhook: Webhook) -> None:
    webhook.kill()
    guarded.apply(guarded.vm(flavorRef={"name": "gold"}))
    webhook.start()
    webhook.await_ready()
    assert "flavor silver does not exist" in _refusal(guarded, guarded.vm("other", flavorRef={"name": "silver"}))


def test_a_renewed_certificate_is_served_without_a_restart(guarded: Cloud, webhook: Webhook) -> None:
    pid = webhook.process.pid
    webhook.renew()
    eventually(lambda: webhook.post(b"{}")[0] == 400, 20, webhook.log)  # by the new authority alone
    webhook.register()
    _watched(guarded, webhook)
    assert webhook.process.pid == pid
    assert webhook.process.poll() is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"request": 7}',
        b'{"request": {"resource": {"group": "drover.dev"}}}',
        b'{"request": {"resource": {"group": "drover.dev", "version": "v1alpha1", "resource": "virtualmachines"},'
        b' "userInfo": {}, "object": []}}',
    ],
)
def test_what_is_no_review_is_answered_with_400(webhook: Webhook, body: bytes) -> None:
    assert webhook.post(body)[0] == 400
    assert webhook.process.poll() is None


def test_an_object_it_cannot_read_is_let_through(webhook: Webhook) -> None:
    resource = {"group": "drover.dev", "version": "v1alpha1", "resource": "virtualmachines"}
    odd = {"metadata": {"name": "odd", "namespace": "default"}, "spec": {"flavorRef": 7}}
    request = {"uid": "u", "operation": "CREATE", "resource": resource, "userInfo": {"username": "x"}, "object": odd}
    status, body = webhook.post(json.dumps({"kind": "AdmissionReview", "request": request}).encode())
    assert (status, json.loads(body)["response"]["allowed"]) == (200, True)


def test_its_answers_are_counted_and_timed(guarded: Cloud, webhook: Webhook) -> None:
    _refusal(guarded, guarded.vm(flavorRef={"name": "gold"}))
    page = webhook.get("/metrics")[1]
    assert 'drover_admission_reviews_total{resource="virtualmachines",result="refused"}' in page
    assert 'drover_admission_review_duration_seconds_count{resource="virtualmachines"}' in page


@pytest.mark.usefixtures("operator")
def test_the_examples_are_applied_folder_by_folder_and_the_one_that_cannot_fit_is_refused(
    webhook: Webhook, kubectl: Kubectl
) -> None:
    """Pools, images and VMs in one go: what is still coming up is waited for, not refused."""
    kubectl("apply", "-f", str(EXAMPLES / "00-namespaces.yaml"))
    try:
        kubectl("label", "namespace", "shop", "data", "batch", f"{MARK}=true")
        batch = Cloud(kubectl, "batch")
        _asked_about(batch, webhook)
        *folder, too_large = sorted(EXAMPLES.glob("*.yaml"))
        kubectl("apply", *(f"--filename={manifest}" for manifest in folder))
        kubectl("wait", "--for=condition=Ready", "npool", "general", "highmem", "--timeout=60s")
        (manifest,) = yaml.safe_load_all(too_large.read_text())
        eventually(lambda: "0/24 hosts available" in _dry_run(batch, manifest), 20, webhook.log)
        with pytest.raises(KubectlError, match="0/24 hosts available: 24 physically too small"):
            kubectl("apply", "-f", str(too_large))
        for more in ("placement", "policies", "plans"):
            kubectl("apply", "-f", str(EXAMPLES / more))
    finally:
        unprotected = json.dumps({"spec": {"deletionProtection": False}})
        kubectl("patch", "vm", "db-1", "-n", "data", "--type=merge", "-p", unprotected)
        for each in ("plans", "policies", "placement", "."):  # not awaited: nobody else uses this cluster
            kubectl("delete", "--ignore-not-found", "--wait=false", "-f", str(EXAMPLES / each))


def test_it_waits_for_its_certificate_and_says_so(cluster: ControlPlane, tmp_path: Path) -> None:
    late = Webhook(cluster, cluster.kubeconfig, tmp_path)
    try:
        late.kill()
        (tmp_path / "apiserver.crt").rename(tmp_path / "later")
        late.start()
        eventually(lambda: "--cert-file" in late.get("/readyz")[1], 60, late.log)
        assert late.get("/readyz")[0] == 503
        assert late.get("/healthz")[0] == 200
        (tmp_path / "later").rename(tmp_path / "apiserver.crt")
        late.await_ready()
        assert json.loads(late.get("/readyz")[1])["trouble"] == ""
        assert late.stop() == 0
    finally:
        late.kill()


def test_it_lives_on_the_rights_of_the_chart_and_uses_each(
    cluster: ControlPlane, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    if not cluster.audit_log.exists():
        pytest.skip("only a control plane started here keeps an audit log")
    roles = chart_objects("ServiceAccount", "ClusterRole", "ClusterRoleBinding")
    kubectl("apply", "-f", str(ROOT / "config" / "rbac" / "namespace.yaml"))
    kubectl("apply", "-f", "-", input=yaml.safe_dump_all(roles))
    token = kubectl("create", "token", NAME, "-n", "drover-system").strip()
    offset = cluster.audit_log.stat().st_size
    own = Webhook(cluster, as_account(cluster.kubeconfig, token, tmp_path / "kubeconfig"), tmp_path)
    try:
        own.await_ready()
        own.register()
        cloud = _watched(Cloud(kubectl, namespace), own)
        disk = {"name": "d", "volumeRef": {"name": "none"}}
        wrong = cloud.vm(volumes=[disk], placement={"placementGroupName": "none"}, priorityClassName="none")
        assert "PriorityClass none does not exist" in _refusal(cloud, wrong)
        assert "node pool" in _refusal(cloud, cloud.vm())  # its pool is looked for by its name
        move = {"virtualMachineName": "none", "policyName": "none", "targetHostName": "none"}
        assert "host none does not exist" in _refusal(cloud, cloud.object("VirtualMachineMigration", "m", move))
    finally:
        own.unregister()
        own.kill()
    seen = asked(cluster.audit_log, offset, f"system:serviceaccount:drover-system:{NAME}")
    granted = {right for one in roles for right in of_rules(one.get("rules", []))}
    assert {right for right, codes in seen.items() if 403 in codes} == set(), own.log()
    assert seen.keys() == granted
