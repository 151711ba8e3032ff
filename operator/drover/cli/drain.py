"""``drover drain``: a host emptied by live migration and held in maintenance, or given back."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from drover.api.host import Host
from drover.api.meta import OPERATOR_NAMESPACE, dump
from drover.cli.following import Step, follow, leaderless
from drover.cli.output import Output
from drover.cli.server import (
    CommandError,
    Context,
    Kubeconfig,
    OperatorNamespace,
    carried_out,
    connected,
    name_of,
    title_of,
)


def drain(
    host: Annotated[str, typer.Argument(metavar="HOST", help="Name of the host, or host/NAME.")],
    wait: Annotated[bool, typer.Option("--wait", help="Follow it until no VM is left; code 1 where VMs stay.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Take the host back into service instead.")] = False,
    operator_namespace: OperatorNamespace = OPERATOR_NAMESPACE,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Migrate every VM away from a host, then hold it in maintenance (spec.maintenance.mode Drain).

    With --cancel the mode becomes None: what has not started is cancelled, and the host takes VMs again. Ctrl-C ends
    the waiting, not the drain.
    """
    if cancel and wait:
        raise typer.BadParameter("--cancel is done at once: leave out --wait")

    async def work() -> None:
        async with connected(kubeconfig, context) as server:
            name = name_of(host, Host)
            found = await server.get(Host, name)
            mode = "None" if cancel else "Drain"
            new = found.spec.maintenance.mode != mode
            if new:
                found = await server.patch(found, {"spec": {"maintenance": {"mode": mode}}})
            if output == "text":
                typer.echo(f"{title_of(found)}: {asked(found, new=new)}")
            if wait:
                whole = found.status.virtual_machines
                found = await follow(
                    lambda: server.get(Host, name),
                    lambda host: step_of(host, whole),
                    lambda: leaderless(server, operator_namespace),
                )
            if output == "json":
                typer.echo(json.dumps(_json(found, changed=new), indent=2))
            if wait:
                told = ending(found)  # VMs that stay are an error
                if output == "text":
                    typer.echo(told)

    carried_out(work())


def asked(host: Host, *, new: bool) -> str:
    """What is asked of the host now."""
    if host.spec.maintenance.mode == "Drain":
        if not new:
            return f"is being drained already: {_said(host)}"
        many = host.status.virtual_machines
        return f"drains, {many} VM{'' if many == 1 else 's'} to move: watch with `kubectl get host {host.name} -w`"
    return "takes VMs again; what had not started is cancelled" if new else "is not being drained: nothing to cancel"


def step_of(host: Host, whole: int) -> Step:
    """How far the drain is, of so many VMs that were there when it was asked for.

    It is over where none is left, and where none of those left can leave: the operator tries again for long.
    """
    drained, known = host.status.condition("Drained"), host.status.drain
    current = drained is not None and drained.observed_generation == host.metadata.generation
    if host.spec.maintenance.mode != "Drain":
        return Step(0.0, "given up", over=True)
    if drained is None or not current:
        return Step(0.0, "not looked over yet")
    if drained.reason == "Drained":
        return Step(100.0, "Drained", over=True)
    left = known.remaining_virtual_machines if known is not None else host.status.virtual_machines
    until = f", until {known.estimated_completion_time}" if known and known.estimated_completion_time else ""
    done = 100.0 * max(0, whole - left) / whole if whole else 0.0
    stuck = len(known.blocked_by) if known is not None else 0
    told = f"{left} VM{'' if left == 1 else 's'} left{until}{f', {stuck} cannot leave' if stuck else ''}"
    return Step(done, told, over=drained.reason == "Blocked" or 0 < left <= stuck)


def ending(host: Host) -> str:
    """What became of the drain. Raises CommandError where VMs stay."""
    if host.status.is_true("Drained") and host.spec.maintenance.mode == "Drain":
        return f"{host.name} is empty: it can be serviced; `kubectl drover drain {host.name} --cancel` takes it back"
    if host.spec.maintenance.mode != "Drain":
        raise CommandError(f"{host.name} is no longer being drained: spec.maintenance.mode was set to None meanwhile")
    mend = f"to give it up, `kubectl drover drain {host.name} --cancel`"
    raise CommandError(f"{host.name} is not empty: {_said(host)}; {mend}")


def _said(host: Host) -> str:
    drained = host.status.condition("Drained")
    return drained.message if drained is not None and drained.message else "not looked over yet"


def _json(host: Host, *, changed: bool) -> dict[str, Any]:
    status = host.status
    return {
        "host": host.name,
        "mode": host.spec.maintenance.mode,
        "changed": changed,
        "phase": status.phase,
        "drained": status.is_true("Drained"),
        "message": _said(host),
        "drain": dump(status.drain) if status.drain is not None else None,
    }
