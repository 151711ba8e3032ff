"""``drover explain`` and ``drover rebalance`` on a live cluster, as ``kubectl drover`` too."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from clouds import Cloud, Manifest, condition
from running import DROVER, free_port, redirected

from controlplane import ControlPlane, Kubectl
from drover.api.kinds import CURRENT, WATCHED


def drover(
    cluster: ControlPlane, *arguments: object, kubeconfig: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """One command with a kubeconfig in its environment, as a user has it."""
    return _run([DROVER, *map(str, arguments)], kubeconfig or cluster.kubeconfig, stdin)


def kubectl_drover(
    cluster: ControlPlane, *arguments: object, kubeconfig: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The same through kubectl, which finds the plugin on PATH."""
    return _run([cluster.kubectl, "drover", *map(str, arguments)], kubeconfig or cluster.kubeconfig, "")


def _run(command: list[object], kubeconfig: Path, stdin: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": f"{DROVER.parent}:{os.environ['PATH']}"}
    return subprocess.run(
        [str(word) for word in command],
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def out(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def error(done: subprocess.CompletedProcess[str]) -> str:
    """The one line it ends with."""
    assert (done.returncode, done.stdout) == (1, ""), done
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def base(cloud: Cloud) -> Cloud:
    cloud.up(cloud.pool(), cloud.flavor(), cloud.image(), cloud.network())
    return cloud


# explain


def test_a_placed_vm_is_explained_through_kubectl_with_its_score_and_its_parts(
    base: Cloud, cluster: ControlPlane
) -> None:
    base.up(base.vm())
    host = base.status("vm")["hostName"]
    told = out(kubectl_drover(cluster, "explain", "vm/vm", "-n", base.namespace))
    assert f"{base.namespace}/vm: Running, on {host} of pool {base.namespace}, priority 0" in told
    assert f"Recorded {base.status('vm')['placement']['decidedAt'][:19]}Z: on {host}, score" in told
    assert told.count("Profile Balance (cpu 1, memory 1): 3 of 3 hosts fit") == 2
    assert f"If it were placed now: on {host}" in told
    assert f"{host} (is here)" in told
    for part in ("Score", "cpu", "memory", "balance"):
        assert part in told


def test_a_waiting_vm_is_explained_as_its_condition_says_with_rejections_that_add_up(
    base: Cloud, cluster: ControlPlane
) -> None:
    huge = f"{base.namespace}-huge"
    base.apply(base.flavor(huge, cpus=32, memory="64Gi"), base.vm(flavorRef={"name": huge}))
    base.phase("vm", "vm", "Unschedulable")
    told = json.loads(out(drover(cluster, "explain", "vm/vm", "-n", base.namespace, "-o", "json")))
    recorded, now = told["recorded"], told["now"]
    assert (told["virtualMachine"], told["phase"]) == (f"{base.namespace}/vm", "Unschedulable")
    scheduled = condition(base.status("vm"), "Scheduled")
    assert recorded["message"] == scheduled["message"]
    assert _whatever_flavor(now["message"]) == _whatever_flavor(scheduled["message"])
    assert sum(now["placement"]["rejections"].values()) == now["placement"]["evaluated"] == 3
    assert f"flavor ... instead of {huge}: 3 hosts" in map(_whatever_flavor, now["placement"]["wouldFitIf"])
    text = out(drover(cluster, "explain", "vm", "-n", base.namespace))
    assert "physically too small" in text
    assert "all hosts looked at" in text
    assert f"It would fit: flavor ... instead of {huge}: 3 hosts" in _whatever_flavor(text)


def _whatever_flavor(text: str) -> str:
    """Flavors are the cluster's, and other tests have some that come and go."""
    return re.sub(r"flavor \S+ instead", "flavor ... instead", text)


def test_a_manifest_is_explained_without_being_applied(base: Cloud, cluster: ControlPlane, tmp_path: Path) -> None:
    selective = base.vm("picky", placement={"nodePoolName": base.namespace, "nodeSelector": {"disk": "ssd"}})
    manifest = yaml.safe_dump_all([base.vm("easy"), selective])
    (tmp_path / "vms.yaml").write_text(manifest)
    by_file = out(drover(cluster, "explain", "-f", tmp_path / "vms.yaml", "-o", "json"))
    easy, picky = json.loads(by_file)
    assert easy["now"]["placement"]["hostName"].startswith(base.namespace)
    assert (easy["phase"], easy["recorded"]["placement"]) == (None, None)
    assert picky["now"]["placement"]["rejections"] == {"node selector does not match": 3}
    assert "without node selector disk=ssd: 3 hosts" in picky["now"]["message"]
    assert "not seen by the operator yet" in out(drover(cluster, "explain", "-f", "-", stdin=manifest))
    assert base.list("vm") == []


def test_a_manifest_of_a_vm_that_is_there_is_its_next_spec(base: Cloud, cluster: ControlPlane, tmp_path: Path) -> None:
    base.up(base.vm())
    base.apply(bigger := base.flavor(f"{base.namespace}-big", memory="8Gi"))
    (tmp_path / "vm.yaml").write_text(yaml.safe_dump(base.vm(flavorRef={"name": bigger["metadata"]["name"]})))
    (told,) = json.loads(out(drover(cluster, "explain", "-f", tmp_path / "vm.yaml", "-o", "json")))
    assert (told["phase"], told["hostName"]) == ("Running", base.status("vm")["hostName"])
    now, then = told["now"]["placement"], told["recorded"]["placement"]
    assert now["score"] < then["score"], "the larger one leaves less"


def test_reading_is_all_it_needs(base: Cloud, cluster: ControlPlane, kubectl: Kubectl, tmp_path: Path) -> None:
    base.up(base.vm(), base.vm("vm-2"))
    user = service_account(kubectl, cluster, base.namespace, tmp_path / "kubeconfig")
    refused = error(drover(cluster, "explain", "vm/vm", kubeconfig=user))
    assert "refuses these credentials (403: priorityclasses.scheduling.k8s.io is forbidden" in refused
    role = f"{base.namespace}-reader"
    kinds = ",".join(f"{WATCHED[kind].PLURAL}.{WATCHED[kind].GROUP}".rstrip(".") for kind in CURRENT)
    kubectl("create", "clusterrole", role, "--verb=list", f"--resource={kinds}")
    kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", f"--serviceaccount={base.namespace}:reader")
    try:
        assert "Running" in out(drover(cluster, "explain", "vm/vm", kubeconfig=user)), "the context's namespace"
        assert "Hosts in use" in _told(drover(cluster, "rebalance", base.namespace, kubeconfig=user))
        pack = drover(cluster, "rebalance", base.namespace, "--goal", "pack", "--apply", kubeconfig=user)
        assert (pack.returncode, pack.stdout) == (1, "")
        last = pack.stderr.splitlines()[-1]
        assert last.startswith("error: migrationplans.drover.dev is forbidden")
        assert "ask for that right" in last
    finally:
        kubectl("delete", f"clusterrole/{role}", f"clusterrolebinding/{role}")


def service_account(kubectl: Kubectl, cluster: ControlPlane, namespace: str, target: Path) -> Path:
    """A kubeconfig of a service account without any rights."""
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    token = kubectl("create", "token", "reader", "-n", namespace).strip()
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    config["contexts"][0]["context"]["namespace"] = namespace
    target.write_text(yaml.safe_dump(config))
    return target


def _told(done: subprocess.CompletedProcess[str]) -> str:
    out(done)
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("explain", "vm/none"),
            "error: there is no VirtualMachine none in namespace default: see `kubectl get virtualmachines -A`",
        ),
        (("explain", "host/h-0"), "error: host/h-0 is no VirtualMachine: name one, as vm/h-0"),
        (
            ("explain", "-f", "/nonexistent", "--kubeconfig", "/nonexistent"),
            "error: /nonexistent: No such file or directory: name readable YAML files",
        ),
        (("rebalance", "none"), "error: there is no NodePool none: see `kubectl get npool`"),
    ],
)
def test_what_is_not_there_is_one_clear_line(cluster: ControlPlane, arguments: tuple[str, ...], message: str) -> None:
    assert error(drover(cluster, *arguments)) == message


@pytest.mark.parametrize("command", [("explain", "vm/vm"), ("rebalance", "pool")])
def test_a_cluster_that_is_not_there_or_without_crds_is_one_clear_line(
    cluster: ControlPlane, tmp_path: Path, command: tuple[str, str]
) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    silent = redirected(cluster.kubeconfig, url, tmp_path / "silent")
    assert f"error: the Kubernetes API server at {url} does not answer" in error(
        drover(cluster, *command, kubeconfig=silent)
    )
    bare = redirected(cluster.kubeconfig, f"{cluster.url}/none", tmp_path / "bare")
    assert "install them with `kubectl apply --server-side -f crds/" in error(
        drover(cluster, *command, kubeconfig=bare)
    )


def test_neither_a_vm_nor_a_file_or_both_is_a_usage_error(cluster: ControlPlane) -> None:
    for arguments in ((), ("vm/vm", "-f", "x.yaml")):
        done = drover(cluster, "explain", *arguments)
        assert done.returncode == 2
        assert "name one VM as vm/NAME, or a manifest with -f FILE" in " ".join(done.stderr.split())


# rebalance


def test_a_pool_is_packed_by_the_plan_that_is_proposed_and_started_by_hand(base: Cloud, cluster: ControlPlane) -> None:
    names = ("vm-0", "vm-1", "vm-2")
    base.up(*map(base.vm, names))
    before = {name: base.status("vm", name)["hostName"] for name in names}
    assert len(set(before.values())) == 3
    proposed = kubectl_drover(cluster, "rebalance", base.namespace, "--goal", "pack")
    (plan,) = yaml.safe_load_all(out(proposed))
    name, spec = plan["metadata"]["name"], plan["spec"]
    assert (spec["mode"], spec["approval"], len(spec["virtualMachines"])) == ("Execute", "Manual", 2)
    assert f"kubectl patch mplan {name} -n {base.namespace} --type=merge" in proposed.stderr
    listed = json.loads(out(drover(cluster, "rebalance", base.namespace, "--goal", "pack", "-o", "json")))
    assert (listed["kind"], listed["items"]) == ("List", [plan])
    base.kubectl("apply", "--validate=strict", "-f", "-", input=proposed.stdout)
    base.phase("mplan", name, "AwaitingApproval")
    assert base.list("vmm") == []
    again = drover(cluster, "rebalance", base.namespace, "--goal", "pack")
    assert (out(again), "being migrated, or in a plan that is not finished" in again.stderr) == ("", True)
    base.patch("mplan", name, {"approved": True})
    assert base.phase("mplan", name, "Succeeded")["succeeded"] == 2
    assert len({base.status("vm", vm)["hostName"] for vm in names}) == 1
    done = drover(cluster, "rebalance", base.namespace, "--goal", "pack")
    assert (out(done), "Nothing to move" in done.stderr) == ("", True)


def test_apply_creates_the_plan_and_keeps_to_the_budget(base: Cloud, cluster: ControlPlane) -> None:
    first = base.host(0)
    fixed: Manifest = {"spec": {"unschedulable": True}}
    for index in (1, 2):
        base.patch("host", base.host(index), fixed["spec"])
        base.observed("host", base.host(index))
    base.up(*(base.vm(f"vm-{index}") for index in range(4)))
    for index in (1, 2):
        base.patch("host", base.host(index), {"unschedulable": False})
    told = out(drover(cluster, "rebalance", base.namespace, "--max-migrations", 1, "--apply"))
    (plan,) = base.list("mplan")
    name = plan["metadata"]["name"]
    assert told == f"migrationplan.drover.dev/{name} created in namespace {base.namespace}\n"
    assert (plan["spec"]["approval"], len(plan["spec"]["virtualMachines"])) == ("Manual", 1)
    assert plan["spec"]["virtualMachines"][0]["targetHostName"] != first
    shown = base.kubectl("get", "mplan", name, "-n", base.namespace, "-o", "json", "--show-managed-fields")
    writers = {
        entry["manager"] for entry in json.loads(shown)["metadata"]["managedFields"] if "f:spec" in entry["fieldsV1"]
    }
    assert writers == {"kubectl-drover"}, "the user wrote it, not the operator"


def test_cp_sat_betters_a_packing_only(base: Cloud, cluster: ControlPlane) -> None:
    refused = error(drover(cluster, "rebalance", base.namespace, "--goal", "balance", "--improve", 1))
    assert "give it with --goal pack" in refused
    base.up(base.vm("vm-0"), base.vm("vm-1"))
    done = drover(cluster, "rebalance", base.namespace, "--goal", "pack", "--improve", 1)
    (plan,) = yaml.safe_load_all(out(done))
    assert len(plan["spec"]["virtualMachines"]) == 1
