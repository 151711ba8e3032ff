"""The operator runs on exactly the rights of config/rbac/operator.yaml: none is missing, none is for nothing."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from clouds import Cloud, cloud_in
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration
from rights import ACCOUNT, ROOT, Right, as_account, asked, granted
from running import OperatorProcess, eventually

from controlplane import ControlPlane, Kubectl, KubectlError
from drover.api.kinds import KINDS
from drover.api.meta import GROUP, AnyResource, Key
from drover.control.ports import EventRecord, Refused, Write
from drover.kube.api import Api
from drover.kube.events import EventWriter
from drover.kube.parsing import Parser
from drover.kube.store import Store
from drover.observe.metrics import Metrics

NEVER_REQUESTED = {
    Right(GROUP, "migrationplans", "execute"),  # asked by config/admission/execute.yaml when a drain makes its plan
}
"""Rights that the API server asks for on its own, so that no request shows them."""
SELDOM = {Right("", "events", "patch"), *(Right(GROUP, kind.PLURAL, "get") for kind in KINDS.values())}
"""For what comes when it likes: an event told again ten minutes later, an object that somebody else has changed."""


@dataclass(frozen=True)
class Watched:
    """The operator at work on its own account, and where the log of it begins."""

    plane: ControlPlane
    kubeconfig: Path
    offset: int
    process: OperatorProcess

    def asked(self) -> dict[Right, set[int]]:
        return asked(self.plane.audit_log, self.offset)


@pytest.fixture(scope="module")
def watched(cluster: ControlPlane, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    if not cluster.audit_log.exists():
        pytest.skip("only a control plane started here keeps an audit log")
    kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "config" / "overlays" / "laptop"))
    kubectl("delete", "lease", "drover", "-n", "drover-system", "--ignore-not-found")  # so that it has to make it
    token = kubectl("create", "token", "drover", "-n", "drover-system").strip()
    folder = tmp_path_factory.mktemp("account")
    kubeconfig = as_account(cluster.kubeconfig, token, folder / "kubeconfig")
    offset = cluster.audit_log.stat().st_size
    process = OperatorProcess(kubeconfig, "drover-system", folder / "log")
    with process:
        process.await_leading()
        yield Watched(cluster, kubeconfig, offset, process)
        assert process.stop() == 0


@pytest.fixture
def cloud(watched: Watched, kubectl: Kubectl, namespace: str) -> Iterator[Cloud]:
    assert watched.process.leads()
    with cloud_in(kubectl, namespace) as made:
        yield made
    kinds = ("npool", "flv", "mpol", "hst")
    eventually(lambda: not _left(kubectl, namespace, *kinds), 30, lambda: f"{_left(kubectl, namespace, *kinds)} stay")


def _left(kubectl: Kubectl, namespace: str, *kinds: str) -> list[str]:
    return [name for name in kubectl("get", ",".join(kinds), "-o", "name").split() if namespace in name]


def test_it_lives_on_its_rights_and_uses_each(cloud: Cloud, watched: Watched) -> None:
    try:
        _live_through_everything(cloud)
        _empty(cloud)
    finally:
        seen = watched.asked()
        assert {right for right, codes in seen.items() if 403 in codes} == set(), "rights that its role lacks"
    mine = granted("drover", "drover-leader")
    assert seen.keys() <= mine, "it succeeds with rights that its role does not grant: whose are they?"
    needless = mine - seen.keys() - NEVER_REQUESTED - SELDOM
    assert not needless, f"granted, and never used: {sorted(needless)}"
    errors = [line for line in watched.process.log().splitlines() if " ERROR " in line]
    assert errors == []


async def test_it_uses_its_other_rights_when_it_is_late(cloud: Cloud, watched: Watched) -> None:
    """The operator's own writers, on its account, are given what is out of date and what was told before."""
    configuration = cast(Configuration, type.__call__(Configuration))
    await config.load_kube_config(config_file=str(watched.kubeconfig), client_configuration=configuration)
    metrics = Metrics("test", "test")
    async with Api(configuration, metrics) as api:
        store = Store(api, Parser(), metrics)
        current = [await _outdated(store, key) for key in _one_of_each(cloud)]
        await _told_twice(EventWriter(api, "test"), current[0], watched)
    seen = watched.asked()
    assert {right for right in SELDOM if 200 not in seen.get(right, ()) or 403 in seen[right]} == set()


async def _outdated(store: Store, key: Key) -> AnyResource:
    """A write that meets a conflict, and the object as it is then."""
    answer = await store.perform(Write(1, "status", key, {"status": {}}, resource_version="1"))
    assert isinstance(answer, Refused), key
    assert answer.code == 409, answer
    assert answer.current is not None, key
    return answer.current


async def _told_twice(writer: EventWriter, about: AnyResource, watched: Watched) -> None:
    now = datetime.now(UTC)
    name = f"{about.name}.{now.timestamp():.0f}"
    for count in (1, 2):
        writer.offer(
            EventRecord(name, about.namespace or "default", about, "Tested", "once more", "Normal", count, now, now)
        )
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(writer.run())
        await asyncio.to_thread(
            eventually, lambda: Right("", "events", "patch") in watched.asked(), 20, lambda: "no event was patched"
        )
        writing.cancel()


def test_what_no_request_shows_is_granted_and_nothing_beyond(watched: Watched, kubectl: Kubectl) -> None:
    assert watched.process.leads()
    for right in NEVER_REQUESTED:
        resource, _, subresource = right.resource.partition("/")
        told = [f"{resource}.{GROUP}", *([f"--subresource={subresource}"] if subresource else [])]
        assert kubectl("auth", "can-i", right.verb, *told, f"--as={ACCOUNT}").strip() == "yes"
    for verb, resource in (
        ("get", "secrets"),
        ("create", "namespaces"),
        ("create", f"virtualmachines.{GROUP}"),
        ("delete", f"virtualmachines.{GROUP}"),
        ("update", "leases.coordination.k8s.io"),
        ("list", "pods"),
    ):
        with pytest.raises(KubectlError):
            kubectl("auth", "can-i", verb, resource, f"--as={ACCOUNT}", "-n", "default", "--quiet")


def _live_through_everything(cloud: Cloud) -> None:
    """Whatever makes the operator write: every kind, moves, a drain, more hosts and fewer, plans that expire."""
    disk = {"name": "data", "template": {"size": "1Gi"}}
    pool = cloud.pool(3)
    policy = cloud.object(
        "MigrationPolicy", cloud.namespace, {"selectors": {"virtualMachineSelector": {"app": cloud.namespace}}}
    )
    cloud.up(pool, cloud.flavor(), cloud.image(), cloud.network(), cloud.group(), policy, cloud.vm(volumes=[disk]))
    cloud.up(cloud.plan(virtualMachines=[{"name": "vm"}], ttlSecondsAfterFinished=0))
    cloud.kubectl("wait", "--for=delete", "mplan/plan", "-n", cloud.namespace, "--timeout=30s")
    drained = cloud.status("vm")["hostName"]
    cloud.patch("host", drained, {"maintenance": {"mode": "Drain"}})
    cloud.host_phase(drained, "Maintenance")
    cloud.patch("npool", cloud.namespace, {"replicas": 2})
    cloud.kubectl("wait", "--for=delete", f"host/{drained}", "--timeout=60s")


def _empty(cloud: Cloud) -> None:
    """Delete it all, and wait."""
    where = ("-n", cloud.namespace, "--timeout=60s")
    cloud.kubectl("delete", "vm,mplan,vmm,vol,img,vnet,pg,usagerec", "--all", *where)
    cloud.kubectl("delete", "npool,flv,mpol", "-l", f"cloud={cloud.namespace}", "--timeout=60s")


def _one_of_each(cloud: Cloud) -> list[Key]:
    """An object of every kind, as the API server has it."""
    disk = {"name": "data", "template": {"size": "1Gi"}}
    policy = cloud.object(
        "MigrationPolicy", cloud.namespace, {"selectors": {"virtualMachineSelector": {"app": cloud.namespace}}}
    )
    base = (cloud.pool(2), cloud.flavor(), cloud.image(), cloud.network(), cloud.group(), policy)
    cloud.up(*base, cloud.vm(volumes=[disk]))
    cloud.up(cloud.plan(virtualMachines=[{"name": "vm"}]))
    plurals = ",".join(kind.PLURAL for kind in KINDS.values())
    found = json.loads(cloud.kubectl("get", plurals, "-A", "-o", "json"))["items"]
    mine = [item["metadata"] | {"kind": item["kind"]} for item in found]
    keys = {one["kind"]: Key(one["kind"], one.get("namespace", ""), one["name"]) for one in mine if _of(one, cloud)}
    assert keys.keys() == KINDS.keys()
    return list(keys.values())


def _of(metadata: dict[str, str], cloud: Cloud) -> bool:
    return cloud.namespace in (metadata.get("namespace", ""), metadata["name"], metadata["name"].rpartition("-")[0])
