"""``drover top hosts|pools|vms``: what is allocated, and where, the most first."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import typer
from rich.table import Table

from drover.api.hardware import ResourceAmounts
from drover.api.host import Host
from drover.api.meta import AnyResource
from drover.api.nodepool import NodePool
from drover.api.quantity import human
from drover.api.virtualmachine import VirtualMachine
from drover.cli.output import Output, console
from drover.cli.server import AllNamespaces, Context, Kubeconfig, carried_out, connected

Row = dict[str, Any]
"""A row for programs: camelCase names, plain numbers."""
Sort = Annotated[
    Literal["memory", "cpu", "name"], typer.Option("--sort", help="By what: the most first, names in order.")
]

ResourceT = TypeVar("ResourceT", bound=AnyResource)

top = typer.Typer(
    help="List hosts, pools or VMs by what is allocated, the most first.", no_args_is_help=True, add_completion=False
)


@top.command()
def hosts(
    pool: Annotated[str | None, typer.Option(metavar="NAME", help="Hosts of this pool only.")] = None,
    sort: Sort = "memory",
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """List hosts: vCPUs and memory allocated, of what VMs may be given."""
    found = _listed(Host, "", kubeconfig, context)
    chosen = [host for host in found if pool in (None, host.spec.pool_ref.name)]
    _tell(host_rows(chosen), sort, output, HOSTS)


@top.command()
def pools(
    sort: Sort = "memory",
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """List pools: their hosts, and what is allocated on those that are ready."""
    _tell(pool_rows(_listed(NodePool, "", kubeconfig, context)), sort, output, POOLS)


@top.command()
def vms(
    namespace: AllNamespaces = None,
    host: Annotated[str | None, typer.Option(metavar="NAME", help="VMs on this host only.")] = None,
    sort: Sort = "memory",
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """List VMs: their sizes, hosts, restarts and migrations."""
    found = _listed(VirtualMachine, namespace or "", kubeconfig, context)
    _tell(vm_rows([vm for vm in found if host in (None, vm.status.host_name)]), sort, output, VMS)


def _listed(kind: type[ResourceT], namespace: str, kubeconfig: str | None, context: str | None) -> list[ResourceT]:
    async def work() -> list[ResourceT]:
        async with connected(kubeconfig, context) as server:
            return await server.list(kind, namespace)

    return carried_out(work())


# Rows


def host_rows(found: Sequence[Host]) -> list[Row]:
    return [
        {
            "name": host.name,
            "pool": host.spec.pool_ref.name,
            "phase": host.status.phase,
            **_amounts(host.status.allocated, host.status.allocatable),
            "virtualMachines": host.status.virtual_machines,
            "migrationsIn": host.status.migrations_in,
            "migrationsOut": host.status.migrations_out,
        }
        for host in found
    ]


def pool_rows(found: Sequence[NodePool]) -> list[Row]:
    return [
        {
            "name": pool.name,
            "phase": pool.status.phase,
            "hosts": pool.status.replicas,
            "readyHosts": pool.status.ready_replicas,
            **_amounts(pool.status.allocated, pool.status.allocatable),
            "virtualMachines": pool.status.virtual_machines,
            "hostFailuresTolerated": pool.status.failover.tolerated if pool.status.failover is not None else None,
        }
        for pool in found
    ]


def vm_rows(found: Sequence[VirtualMachine]) -> list[Row]:
    """A VM without a host holds nothing: its vCPUs and memory are 0."""
    rows = []
    for vm in found:
        size = vm.status.flavor if vm.status.host_name else None
        rows.append(
            {
                "namespace": vm.namespace,
                "name": vm.name,
                "phase": vm.status.phase,
                "host": vm.status.host_name,
                "flavor": vm.spec.flavor_ref.name,
                "vcpus": size.vcpus if size is not None else 0,
                "memoryBytes": size.memory_bytes if size is not None else 0,
                "restarts": vm.status.restarts,
                "migrations24h": vm.status.migration.count_24h if vm.status.migration is not None else 0,
            }
        )
    return rows


def _amounts(used: ResourceAmounts | None, of: ResourceAmounts | None) -> Row:
    """vCPUs and bytes, and what percent of what can be allocated that is; None where nothing can be."""
    vcpus, memory = _sizes(used)
    all_vcpus, all_memory = _sizes(of)
    return {
        "vcpus": vcpus,
        "vcpusAllocatable": all_vcpus,
        "cpuPercent": round(100 * vcpus / all_vcpus) if all_vcpus else None,
        "memoryBytes": memory,
        "memoryBytesAllocatable": all_memory,
        "memoryPercent": round(100 * memory / all_memory) if all_memory else None,
    }


def _sizes(amounts: ResourceAmounts | None) -> tuple[float, int]:
    return (amounts.cpu.milli / 1000, amounts.memory.bytes) if amounts is not None else (0.0, 0)


def ordered(rows: Sequence[Row], sort: str) -> list[Row]:
    """The most first: of hosts and pools by their share. Equals, and all for "name", by namespace and name."""
    measures = {"cpu": ("cpuPercent", "vcpus"), "memory": ("memoryPercent", "memoryBytes"), "name": ()}[sort]

    def place(row: Row) -> tuple[float, str, str]:
        measure = next((row[name] or 0 for name in measures if name in row), 0)
        return -measure, row.get("namespace", ""), row["name"]

    return sorted(rows, key=place)


# Text

Cell = Callable[[Row], str]


def _plain(name: str) -> Cell:
    return lambda row: str(row[name]) if row[name] is not None else "-"


def _of(used: str, of: str, shown: Callable[[Any], str]) -> Cell:
    return lambda row: f"{shown(row[used])} of {shown(row[of])}"


CPU = {"vCPUs": _of("vcpus", "vcpusAllocatable", lambda count: f"{count:g}"), "CPU%": _plain("cpuPercent")}
MEMORY = {"Memory": _of("memoryBytes", "memoryBytesAllocatable", human), "Mem%": _plain("memoryPercent")}
HOSTS: dict[str, Cell] = {
    "Host": _plain("name"),
    "Pool": _plain("pool"),
    "State": _plain("phase"),
    **CPU,
    **MEMORY,
    "VMs": _plain("virtualMachines"),
    "In": _plain("migrationsIn"),
    "Out": _plain("migrationsOut"),
}
POOLS: dict[str, Cell] = {
    "Pool": _plain("name"),
    "State": _plain("phase"),
    "Ready": lambda row: f"{row['readyHosts']} of {row['hosts']}",
    **CPU,
    **MEMORY,
    "VMs": _plain("virtualMachines"),
    "Failover": _plain("hostFailuresTolerated"),
}
VMS: dict[str, Cell] = {
    "Namespace": _plain("namespace"),
    "VM": _plain("name"),
    "Status": _plain("phase"),
    "Host": _plain("host"),
    "Flavor": _plain("flavor"),
    "vCPUs": _plain("vcpus"),
    "Memory": lambda row: human(row["memoryBytes"]),
    "Restarts": _plain("restarts"),
    "Moves-24h": _plain("migrations24h"),
}
LEFT = ("Host", "Pool", "State", "Namespace", "VM", "Status", "Flavor")


def _tell(rows: Sequence[Row], sort: str, output: str, columns: dict[str, Cell]) -> None:
    if output == "json":
        typer.echo(json.dumps(ordered(rows, sort), indent=2))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in columns:
        table.add_column(heading, justify="left" if heading in LEFT else "right")
    for row in ordered(rows, sort):
        table.add_row(*(cell(row) for cell in columns.values()))
    console().print(table)
