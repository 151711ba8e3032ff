"""The test control plane: what it can do that a bare API server cannot, and that it leaves nothing behind."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane import Kubectl, KubectlError, processes, start, status, stop

HACK = Path(__file__).parents[2] / "hack"

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, namespace: {namespace}, ownerReferences: {owners}}}
"""


def eventually(met: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether ``met`` becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if met():
            return True
        time.sleep(0.1)
    return False


def controlplane(command: str, state: Path) -> subprocess.CompletedProcess[str]:
    """The command line as the Makefile runs it, on a state directory of the test's own."""
    env = {k: v for k, v in os.environ.items() if k not in ("CONTEXT", "PROVIDER")} | {"PYTHONPATH": str(HACK)}
    arguments = [sys.executable, "-m", "controlplane", command, "--state", str(state)]
    return subprocess.run(arguments, env=env, capture_output=True, text=True, check=False)


def recorded_pids(state: Path) -> dict[str, int]:
    pids: dict[str, int] = json.loads((state / "state.json").read_text())["pids"]
    return pids


def test_a_deleted_namespace_goes_with_all_it_holds(kubectl: Kubectl, namespace: str) -> None:
    name = f"{namespace}-doomed"
    kubectl("create", "namespace", name)
    kubectl("create", "configmap", "inside", "-n", name)
    kubectl("delete", "namespace", name, "--timeout=60s")
    with pytest.raises(KubectlError, match="not found"):
        kubectl("get", "namespace", name)


def test_an_object_is_collected_with_its_owner(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "configmap", "owner", "-n", namespace)
    uid = kubectl("get", "configmap", "owner", "-n", namespace, "-o", "jsonpath={.metadata.uid}")
    owners = json.dumps([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}])
    owned = CONFIG_MAP.format(name="owned", namespace=namespace, owners=owners)
    kept = CONFIG_MAP.format(name="kept", namespace=namespace, owners="[]")
    kubectl("apply", "-f", "-", input=f"{owned}---{kept}")
    kubectl("delete", "configmap", "owner", "-n", namespace)

    def names() -> str:
        return kubectl("get", "configmaps", "-n", namespace, "-o", "name")

    assert eventually(lambda: "configmap/owned" not in names())
    assert "configmap/kept" in names()


def test_a_service_account_token_is_accepted_and_rbac_limits_it(
    kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubectl(
        "create",
        "rolebinding",
        "read",
        "--clusterrole=view",
        f"--serviceaccount={namespace}:reader",
        "-n",
        namespace,
    )
    # `view` is aggregated from other roles by a controller: empty for a moment after the start.
    assert eventually(lambda: "configmaps" in kubectl("get", "clusterrole", "view", "-o", "jsonpath={.rules}"))
    token = kubectl("create", "token", "reader", "-n", namespace).strip()
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    reader = Kubectl(kubectl.path, tmp_path / "kubeconfig")
    assert "kube-root-ca.crt" in reader("get", "configmaps", "-n", namespace, "-o", "name")
    with pytest.raises(KubectlError, match="cannot create resource"):
        reader("create", "configmap", "refused", "-n", namespace)


def test_up_twice_is_harmless_and_down_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    state = tmp_path / "cluster"
    assert (first := controlplane("up", state)).returncode == 0, first.stderr
    try:
        pids = recorded_pids(state)
        again = controlplane("up", state)
        assert again.returncode == 0
        assert "already up" in again.stderr
        assert recorded_pids(state) == pids
        assert controlplane("status", state).stdout.startswith("up: ")
        assert f"KUBECONFIG={state}/kubeconfig" in controlplane("env", state).stdout
    finally:
        down = controlplane("down", state)
    assert down.returncode == 0, down.stderr
    assert sorted(pids) == ["etcd", "kube-apiserver", "kube-controller-manager"]
    assert not [pid for pid in pids.values() if processes.running(pid, state)]
    assert list(tmp_path.iterdir()) == []
    assert controlplane("down", state).returncode == 0
    assert controlplane("status", state).returncode == 1


def test_up_replaces_a_control_plane_that_lost_a_component(tmp_path: Path) -> None:
    state = tmp_path / "cluster"
    plane = start(state, provider="local")
    try:
        before = recorded_pids(state)
        processes.kill(before["kube-apiserver"], state)
        assert status(state) == (None, "broken: kube-apiserver is gone")
        plane = start(state, provider="local")
        assert status(state)[0] == plane
        assert not [pid for pid in before.values() if processes.running(pid, state)]
    finally:
        plane.stop()


def test_a_component_that_fails_to_start_is_reported_with_its_log_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "kube-controller-manager"):
        (assets / name).write_text(f"#!/bin/sh\necho {name} says: no such flag >&2\nexit 1\n")
        (assets / name).chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    result = controlplane("up", tmp_path / "cluster")
    assert result.returncode == 1
    assert "says: no such flag" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["assets"]


def test_a_process_that_took_over_a_recorded_id_is_left_alone(tmp_path: Path) -> None:
    state = tmp_path / "cluster"
    state.mkdir()
    with subprocess.Popen(["sleep", "60"]) as innocent:
        try:
            record = {"provider": "local", "name": "drover", "pids": {"etcd": innocent.pid}}
            (state / "state.json").write_text(json.dumps(record))
            assert stop(state)
            assert innocent.poll() is None
        finally:
            innocent.kill()
    assert not state.exists()


def test_a_directory_that_holds_something_else_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    for command in ("up", "down"):
        result = controlplane(command, tmp_path)
        assert result.returncode == 1
        assert "left alone" in result.stderr
    assert (tmp_path / "thesis.txt").exists()
