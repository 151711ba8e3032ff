"""``kubectl drover`` on a live cluster: what it asks for happens, and what it may not or cannot do is one line."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from clouds import Cloud, Manifest, condition
from running import DROVER, eventually
from test_commands import error, kubectl_drover, out, service_account

from conftest import Operator
from controlplane import ControlPlane, Kubectl


@pytest.fixture
def base(cloud: Cloud) -> Cloud:
    """Three hosts, what VMs need, and one VM that runs."""
    cloud.up(cloud.pool(), cloud.flavor(), cloud.image(), cloud.network())
    cloud.up(cloud.vm())
    return cloud


def told_of(done: subprocess.CompletedProcess[str]) -> Manifest:
    found: Manifest = json.loads(out(done))
    return found


# status


def checks_of(cluster: ControlPlane, namespace: str, code: int, kubeconfig: Path | None = None) -> Manifest:
    """What `status` says of each thing, of the VMs and plans of one namespace."""
    done = kubectl_drover(cluster, "status", "-n", namespace, "-o", "json", kubeconfig=kubeconfig)
    assert done.returncode == code, done
    told = json.loads(done.stdout)
    assert told["well"] is (code == 0)
    return {check["about"]: check for check in told["checks"]}


def test_status_is_well_until_a_vm_waits_and_says_what_it_waits_for(base: Cloud, cluster: ControlPlane) -> None:
    checks = checks_of(cluster, base.namespace, 0)
    assert {check["state"] for check in checks.values()} == {"well"}
    assert " leads, Lease renewed " in checks["operator"]["message"]
    assert checks["VMs"]["message"] == "1: 1 Running"
    huge = f"{base.namespace}-huge"
    base.apply(base.flavor(huge, memory="64Gi"), base.vm("large", flavorRef={"name": huge}))
    base.phase("vm", "large", "Unschedulable")
    (waits,) = checks_of(cluster, base.namespace, 1)["VMs"]["details"]
    assert waits.startswith(f"1 NoCapacity, as {base.namespace}/large: 0/3 hosts available")
    text = kubectl_drover(cluster, "status", "-n", base.namespace)
    assert (text.returncode, text.stderr) == (1, "")
    assert text.stdout.endswith("1 of 6 are not well.\n")


def test_status_tells_of_a_broken_host_and_of_an_operator_that_is_gone(
    base: Cloud, cluster: ControlPlane, operator: Operator
) -> None:
    base.patch("host", base.host(2), {"fault": {"type": "Crash"}})
    base.host_phase(base.host(2), "Failed")
    checks = checks_of(cluster, base.namespace, 1)
    assert any(detail.startswith(f"{base.host(2)} Failed: ") for detail in checks["hosts"]["details"])
    assert operator.stop() == 0
    assert checks_of(cluster, base.namespace, 1)["operator"]["message"].startswith("nobody leads, the last leader gave")
    operator.start()
    assert checks_of(cluster, base.namespace, 1)["operator"]["state"] == "well"
    gone = kubectl_drover(cluster, "status", "--operator-namespace", base.namespace)
    assert "no operator has led here" in gone.stdout


def test_status_of_a_tenant_tells_what_it_may_not_see(
    base: Cloud, cluster: ControlPlane, kubectl: Kubectl, tmp_path: Path
) -> None:
    user = service_account(kubectl, cluster, base.namespace, tmp_path / "kubeconfig")
    kubectl("create", "role", "vms", "--verb=list", "--resource=virtualmachines.drover.dev", "-n", base.namespace)
    kubectl(
        "create", "rolebinding", "vms", "--role=vms", f"--serviceaccount={base.namespace}:reader", "-n", base.namespace
    )
    checks = checks_of(cluster, base.namespace, 0, user)
    assert {about for about, check in checks.items() if check["state"] == "well"} == {"VMs"}
    assert {check["state"] for about, check in checks.items() if about != "VMs"} == {"unseen"}
    assert 'cannot list resource "hosts"' in checks["hosts"]["message"]
    assert "ask for that right" in checks["hosts"]["message"]


# migrate


def test_a_dry_run_estimates_and_moves_nothing(base: Cloud, cluster: ControlPlane) -> None:
    there = base.status("vm")["hostName"]
    told = told_of(kubectl_drover(cluster, "migrate", "vm/vm", "-n", base.namespace, "--dry-run", "-o", "json"))
    assert (told["source"], told["migration"], told["estimate"]["verdict"]) == (there, None, "Converges")
    assert told["target"] in {base.host(n) for n in range(3)} - {there}
    assert base.list("vmm") == []


def test_a_vm_is_moved_where_it_is_sent_and_the_result_stands_beside_the_estimate(
    base: Cloud, cluster: ControlPlane
) -> None:
    there = base.status("vm")["hostName"]
    to = next(base.host(n) for n in range(3) if base.host(n) != there)
    first, created, moved = out(
        kubectl_drover(cluster, "migrate", "vm", "-n", base.namespace, "--to", to, "--wait")
    ).splitlines()
    assert first.startswith(f"{base.namespace}/vm: {there} > {to}: Converges, ")
    (migration,) = base.list("vmm")
    assert created == f"virtualmachinemigration.drover.dev/{migration['metadata']['name']} created"
    assert migration["spec"]["targetHostName"] == to
    assert moved.startswith(f"vm has moved, {there} > {to}, in ")
    assert base.status("vm")["hostName"] == to
    again = error(kubectl_drover(cluster, "migrate", "vm", "-n", base.namespace, "--to", to))
    assert again == f"error: --to {to}: vm is there already"


def test_a_migration_that_is_cancelled_ends_the_waiting_with_an_error(base: Cloud, cluster: ControlPlane) -> None:
    base.apply(base.pool(time_scale="0.05"))
    base.observed("npool", base.namespace)
    command = [cluster.kubectl, "drover", "migrate", "vm", "-n", base.namespace, "--wait"]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    environment["PATH"] = f"{DROVER.parent}:{os.environ['PATH']}"
    with subprocess.Popen(
        [str(word) for word in command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as waiting:
        eventually(lambda: base.list("vmm"), 30, lambda: "no migration was created")
        name = base.list("vmm")[0]["metadata"]["name"]
        busy = error(kubectl_drover(cluster, "migrate", "vm", "-n", base.namespace, "--dry-run"))
        assert f"vm is being moved by {name}: wait for it, or cancel it with kubectl patch vmm {name}" in busy
        base.patch("vmm", name, {"cancel": True})
        base.observed("vmm", name)
        base.apply(base.pool())
        _, said = waiting.communicate(timeout=60)
    assert waiting.returncode == 1
    assert said.splitlines()[-1].startswith(f"error: vm was not moved, {name} is Cancelled (Cancelled): ")


# drain


def test_a_host_is_drained_while_one_waits_and_given_back(base: Cloud, cluster: ControlPlane) -> None:
    there = base.status("vm")["hostName"]
    base.kubectl("wait", "host", there, "--for=jsonpath={.status.virtualMachines}=1", "--timeout=30s")
    asked, empty = out(kubectl_drover(cluster, "drain", there, "--wait")).splitlines()
    assert asked.startswith(f"host.drover.dev/{there}: drains, 1 VM to move")
    assert empty.startswith(f"{there} is empty: it can be serviced")
    assert base.status("vm")["hostName"] != there
    told = told_of(kubectl_drover(cluster, "drain", there, "-o", "json"))
    assert (told["changed"], told["drained"], told["phase"]) == (False, True, "Maintenance")
    told = told_of(kubectl_drover(cluster, "drain", f"host/{there}", "--cancel", "-o", "json"))
    assert (told["changed"], told["mode"]) == (True, "None")
    base.host_phase(there, "Ready")


def test_a_drain_that_cannot_go_on_is_an_error_with_who_stays(base: Cloud, cluster: ControlPlane) -> None:
    there = base.status("vm")["hostName"]
    for host in {base.host(n) for n in range(3)} - {there}:
        base.patch("host", host, {"unschedulable": True})
    done = kubectl_drover(cluster, "drain", there, "--wait")
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"error: {there} is not empty: 1 VM (2Gi) still here; ")
    assert f"1 VM cannot leave: {base.namespace}/vm: " in said
    out(kubectl_drover(cluster, "drain", there, "--cancel"))
    base.host_phase(there, "Ready")


def test_waiting_for_a_drain_that_no_operator_begins_says_so(
    base: Cloud, cluster: ControlPlane, operator: Operator
) -> None:
    there = base.status("vm")["hostName"]
    assert operator.stop() == 0
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    with subprocess.Popen(
        [str(DROVER), "drain", there, "--wait"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.stderr is not None
        warning = waiting.stderr.readline()
        operator.start()
        told, _ = waiting.communicate(timeout=60)
    assert warning.startswith("warning: nothing has changed for 10 s: nobody leads, the last leader gave the Lease up")
    assert waiting.returncode == 0
    assert f"{there} is empty" in told
    out(kubectl_drover(cluster, "drain", there, "--cancel"))
    base.host_phase(there, "Ready")


# plan


def test_a_plan_is_shown_approved_and_cannot_be_steered_once_it_has_ended(base: Cloud, cluster: ControlPlane) -> None:
    base.apply(base.plan(virtualMachines=[{"name": "vm"}], approval="Manual"))
    base.phase("mplan", "plan", "AwaitingApproval")
    shown = out(kubectl_drover(cluster, "plan", "show", "plan", "-n", base.namespace))
    assert shown.startswith(f"{base.namespace}/plan: AwaitingApproval, 0 %\n")
    assert "predicted: Converges, " in shown
    assert f"{base.namespace}/vm  Pending" in shown
    raw = told_of(kubectl_drover(cluster, "plan", "show", "mplan/plan", "-n", base.namespace, "-o", "json"))
    assert (raw["kind"], raw["status"]["phase"]) == ("MigrationPlan", "AwaitingApproval")
    paused = out(kubectl_drover(cluster, "plan", "pause", "plan", "-n", base.namespace))
    assert paused == "migrationplan.drover.dev/plan: spec.paused is now true\n"
    out(kubectl_drover(cluster, "plan", "resume", "plan", "-n", base.namespace))
    approved = told_of(kubectl_drover(cluster, "plan", "approve", "plan", "-n", base.namespace, "-o", "json"))
    assert approved["patch"] == {"spec": {"approved": True}}
    base.phase("mplan", "plan", "Succeeded")
    late = error(kubectl_drover(cluster, "plan", "cancel", "plan", "-n", base.namespace))
    assert late == f"error: plan {base.namespace}/plan has ended, Succeeded: create a new plan for what is left"


def test_a_plan_is_cancelled_before_it_was_approved_and_can_be_deleted(base: Cloud, cluster: ControlPlane) -> None:
    base.apply(base.plan(virtualMachines=[{"name": "vm"}], approval="Manual"))
    base.phase("mplan", "plan", "AwaitingApproval")
    out(kubectl_drover(cluster, "plan", "cancel", "plan", "-n", base.namespace))
    base.phase("mplan", "plan", "Cancelled")
    base.kubectl("delete", "mplan", "plan", "-n", base.namespace, "--timeout=30s")


# start, stop, restart, pause, resume


@pytest.mark.parametrize("strategy", ["Always", "Manual"])
def test_each_verb_of_power_has_its_effect(base: Cloud, cluster: ControlPlane, strategy: str) -> None:
    base.patch("vm", "vm", {"runStrategy": strategy})
    booted = base.status("vm")["bootAttempt"]

    def power(verb: str) -> None:
        out(kubectl_drover(cluster, verb, "vm/vm", "-n", base.namespace))

    power("pause")
    base.phase("vm", "vm", "Paused")
    power("resume")
    base.phase("vm", "vm", "Running")
    power("stop")
    assert condition(base.phase("vm", "vm", "Stopped"), "Ready")["status"] == "True"
    power("start")
    base.phase("vm", "vm", "Running")
    power("restart")
    eventually(
        lambda: base.status("vm")["bootAttempt"] == booted + 2 and base.status("vm")["phase"] == "Running",
        30,
        lambda: f"it was not booted again: {base.status('vm')}",
    )


# events and top


def test_events_of_a_vm_are_told_oldest_first(base: Cloud, cluster: ControlPlane) -> None:
    base.told("VirtualMachine", "vm", "Scheduled", "Started")
    told = json.loads(out(kubectl_drover(cluster, "events", "vm/vm", "-n", base.namespace, "-o", "json")))
    reasons = [event["reason"] for event in told]
    assert reasons.index("Scheduled") < reasons.index("Started")
    assert "guest runs on" in out(kubectl_drover(cluster, "events", "vm", "-n", base.namespace))


def test_events_of_a_vm_include_those_of_its_migrations_and_of_no_others(
    base: Cloud, cluster: ControlPlane, kubectl: Kubectl, tmp_path: Path
) -> None:
    base.up(base.vm("vm-2"))
    for vm in ("vm", "vm-2"):
        out(kubectl_drover(cluster, "migrate", vm, "-n", base.namespace, "--wait"))
    (name,) = (raw["metadata"]["name"] for raw in base.list("vmm") if raw["spec"]["virtualMachineName"] == "vm")
    base.told("VirtualMachineMigration", name, "SuccessfulMigration")
    told = json.loads(out(kubectl_drover(cluster, "events", "vm", "-n", base.namespace, "-o", "json")))
    assert {event["about"] for event in told} == {"VirtualMachine/vm", f"VirtualMachineMigration/{name}"}
    user = service_account(kubectl, cluster, base.namespace, tmp_path / "kubeconfig")
    kubectl("create", "role", "events", "--verb=list", "--resource=events", "-n", base.namespace)
    account = f"--serviceaccount={base.namespace}:reader"
    kubectl("create", "rolebinding", "events", "--role=events", account, "-n", base.namespace)
    done = kubectl_drover(cluster, "events", "vm", "-o", "json", kubeconfig=user)
    assert {event["about"] for event in json.loads(out(done))} == {"VirtualMachine/vm"}
    assert done.stderr.startswith("warning: without the events of its migrations: ")


def test_top_tells_what_is_allocated(base: Cloud, cluster: ControlPlane) -> None:
    there = base.status("vm")["hostName"]

    def allocated() -> Manifest:
        rows = json.loads(out(kubectl_drover(cluster, "top", "hosts", "--pool", base.namespace, "-o", "json")))
        return {row["name"]: (row["vcpus"], row["memoryBytes"], row["virtualMachines"]) for row in rows}

    eventually(lambda: allocated()[there] == (2, 2 * 2**30, 1), 30, lambda: str(allocated()))
    assert [sum(amounts) for name, amounts in allocated().items() if name != there] == [0, 0]
    (row,) = json.loads(out(kubectl_drover(cluster, "top", "vms", "-n", base.namespace, "-o", "json")))
    assert (row["name"], row["host"], row["vcpus"]) == ("vm", there, 2)
    assert base.namespace in out(kubectl_drover(cluster, "top", "pools"))


# What cannot be


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stop", "vm/none"), "there is no VirtualMachine none in namespace default: see `kubectl get virtualmachines"),
        (("events", "none"), "there is no VirtualMachine none in namespace default"),
        (("migrate", "none"), "there is no VirtualMachine none in namespace default"),
        (("drain", "none"), "there is no Host none: see `kubectl get hosts`"),
        (("plan", "show", "none"), "there is no MigrationPlan none in namespace default"),
        (("start", "host/h-0"), "host/h-0 is no VirtualMachine: name one, as vm/h-0"),
        (("stop", "vm/"), "'vm/' names no VirtualMachine: write vm/NAME, up to 253 of a-z, 0-9, - and ."),
        (("stop", "."), "'.' names no VirtualMachine"),
        (("drain", ""), "'' names no Host: write hst/NAME"),
        (("plan", "show", "mplan/"), "'mplan/' names no MigrationPlan: write mplan/NAME"),
    ],
)
def test_what_is_not_there_is_one_line(cluster: ControlPlane, arguments: tuple[str, ...], message: str) -> None:
    assert error(kubectl_drover(cluster, *arguments)).startswith(f"error: {message}")


def test_a_right_that_is_missing_is_one_line(
    base: Cloud, cluster: ControlPlane, kubectl: Kubectl, tmp_path: Path
) -> None:
    user = service_account(kubectl, cluster, base.namespace, tmp_path / "kubeconfig")
    for arguments in (("stop", "vm"), ("events", "vm"), ("top", "hosts"), ("drain", base.host(0)), ("migrate", "vm")):
        said = error(kubectl_drover(cluster, *arguments, kubeconfig=user))
        assert "is forbidden" in said
        assert "ask for that right" in said


def test_kubectl_completes_the_plugins_words(cluster: ControlPlane) -> None:
    done = subprocess.run(
        [str(cluster.kubectl), "__complete", "drover", "dr"],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": f"{DROVER.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == ["drain", ":4"]
