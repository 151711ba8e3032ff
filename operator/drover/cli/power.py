"""``drover start|stop|restart|pause|resume``: a VM's power, through what its declaration says."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable

import typer

from drover.api.virtualmachine import VirtualMachine
from drover.cli.output import Output
from drover.cli.powering import Change, Verb, change
from drover.cli.server import (
    Context,
    Kubeconfig,
    Namespace,
    VirtualMachineName,
    carried_out,
    connected,
    name_of,
    title_of,
)


def _command(verb: Verb, told: str) -> Callable[..., None]:
    """The subcommand of a verb; they differ in nothing else."""

    def command(
        vm: VirtualMachineName,
        namespace: Namespace = None,
        output: Output = "text",
        kubeconfig: Kubeconfig = None,
        context: Context = None,
    ) -> None:
        _carry_out(verb, vm, namespace, output, kubeconfig, context)

    command.__doc__ = told
    return command


def _carry_out(
    verb: Verb, given: str, namespace: str | None, output: str, kubeconfig: str | None, context: str | None
) -> None:
    async def work() -> tuple[VirtualMachine, Change]:
        async with connected(kubeconfig, context) as server:
            name = name_of(given, VirtualMachine)
            vm = await server.get(VirtualMachine, name, namespace or server.namespace)
            wanted = change(vm, verb, secrets.token_hex(4))
            return (await server.patch(vm, wanted.patch) if wanted.patch is not None else vm), wanted

    vm, done = carried_out(work())
    if output == "json":
        told = {"virtualMachine": f"{vm.namespace}/{vm.name}", "patch": done.patch, "message": done.message}
        typer.echo(json.dumps(told, indent=2))
    else:
        typer.echo(f"{title_of(vm)}: {done.message}")


start = _command("start", "Start a VM: sets runStrategy Always where it is Halted; under Manual annotates it.")
stop = _command("stop", "Stop a VM: sets runStrategy Halted; under Manual annotates it.")
restart = _command(
    "restart", "Shut a VM down and boot it again, where it is placed then; a changed flavor takes effect."
)
pause = _command(
    "pause",
    "Let a guest stand still; its memory and its place are kept. Sets spec.paused; under Manual annotates the VM.",
)
resume = _command("resume", "Let a paused guest go on, however it was paused.")
