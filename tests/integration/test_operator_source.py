"""What the operator knows is what the API server has, also after a gap in a watch."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from running import OperatorProcess, eventually, free_port

from controlplane import ControlPlane, Kubectl
from drover.api.meta import Key
from drover.api.priorityclass import PriorityClass
from drover.kube import preflight
from drover.kube.api import Api
from drover.kube.connection import Connection
from drover.kube.operator import Operator, Options
from drover.observe.metrics import Metrics

VM = """
apiVersion: drover.dev/v1alpha1
kind: VirtualMachine
metadata: {name: %s, namespace: %s}
spec: {runStrategy: Halted, flavorRef: {name: none}, imageRef: {name: none}}
"""


@pytest.fixture
async def operator(cluster: ControlPlane, namespace: str) -> AsyncIterator[Operator]:
    """An operator without Kopf and without controllers: whatever it knows, it listed."""
    connection = Connection(str(cluster.kubeconfig), None)
    await connection.load()
    metrics = Metrics()
    async with Api(connection.configuration, metrics) as api:
        await preflight.check(api, namespace, "drover")
        options = Options(namespace, "test", 15, metrics_host="127.0.0.1", metrics_port=free_port())
        operator = Operator(api, options, [], metrics)
        running = asyncio.create_task(operator.run())
        try:
            yield operator
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def until(operator: Operator, key: Key, *, known: bool) -> None:
    async with asyncio.timeout(20):
        while (operator.world.find(key) is not None) != known or operator.engine.state != "leading":  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_deletion_that_no_watch_told_of_is_noticed_after_kopf_lists_again(
    operator: Operator, kubectl: Kubectl, namespace: str
) -> None:
    key = Key("VirtualMachine", namespace, "ghost")
    for name in ("ghost", "stays"):
        kubectl("apply", "-f", "-", input=VM % (name, namespace))
    raws = {name: json.loads(kubectl("get", "vm", name, "-n", namespace, "-o", "json")) for name in ("ghost", "stays")}
    for raw in raws.values():
        operator.source.take("VirtualMachine", "ADDED", raw)
    await until(operator, key, known=True)
    kubectl("delete", "vm", "ghost", "-n", namespace)
    operator.source.take("VirtualMachine", None, raws["stays"])
    await until(operator, key, known=False)
    await until(operator, Key("VirtualMachine", namespace, "stays"), known=True)


async def test_a_priority_class_is_read_as_kubernetes_serves_it_and_missed_when_it_is_gone(
    operator: Operator, kubectl: Kubectl, namespace: str
) -> None:
    name, critical = f"{namespace}-batch", "system-node-critical"
    kubectl("create", "priorityclass", name, "--value=0", "--preemption-policy=Never")
    raws = {made: json.loads(kubectl("get", "priorityclass", made, "-o", "json")) for made in (name, critical)}
    operator.source.take("PriorityClass", "ADDED", raws[name])
    await until(operator, Key("PriorityClass", "", name), known=True)
    await until(operator, Key("PriorityClass", "", critical), known=True)
    classes = {made: operator.world.get(PriorityClass, "", made) for made in (name, critical)}
    specs = {made: (found.spec.value, found.spec.preemption_policy) for made, found in classes.items() if found}
    assert specs == {name: (0, "Never"), critical: (2_000_001_000, "PreemptLowerPriority")}
    kubectl("delete", "priorityclass", name)
    operator.source.take("PriorityClass", None, raws[critical])
    await until(operator, Key("PriorityClass", "", name), known=False)
    await until(operator, Key("PriorityClass", "", critical), known=True)


def test_objects_reach_the_operator_and_leave_it_through_kopf(
    cluster: ControlPlane, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    kubectl("apply", "-f", "-", input=VM % ("before", namespace))
    with OperatorProcess(cluster.kubeconfig, namespace, tmp_path / "log") as operator:
        operator.await_leading()
        kubectl("apply", "-f", "-", input=VM % ("after", namespace))

        def known(name: str) -> bool:
            return f'drover_vm_info{{namespace="{namespace}",vm="{name}"' in operator.get("/metrics/state")[1]

        eventually(lambda: known("before") and known("after"), 20, operator.log)
        kubectl("delete", "vm", "before", "-n", namespace, "--wait=false")
        eventually(lambda: not known("before"), 20, operator.log)
        assert known("after")
        kubectl("delete", "vm", "after", "-n", namespace, "--wait=false")
        eventually(lambda: not known("after"), 20, operator.log)
