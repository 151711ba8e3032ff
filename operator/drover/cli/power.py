"""``drover start|stop|restart|pause|resume``: a VM's power, through what its declaration says."""

from __future__ import annotations

import json
import secrets

import typer

from drover.api.virtualmachine import VirtualMachine
from drover.cli.powering import Change, Verb, change
from drover.cli.server import (
    Context,
    Kubeconfig,
    Namespace,
    Output,
    VirtualMachineName,
    carried_out,
    connected,
    name_of,
    title_of,
)


def start(
    vm: VirtualMachineName,
    namespace: Namespace = None,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Start a VM: sets runStrategy Always where it is Halted; under Manual annotates it."""
    _carry_out("start", vm, namespace, output, kubeconfig, context)


def stop(
    vm: VirtualMachineName,
    namespace: Namespace = None,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Stop a VM: sets runStrategy Halted; under Manual annotates it."""
    _carry_out("stop", vm, namespace, output, kubeconfig, context)


def restart(
    vm: VirtualMachineName,
    namespace: Namespace = None,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Shut a VM down and boot it again, where it is placed then; a changed flavor takes effect."""
    _carry_out("restart", vm, namespace, output, kubeconfig, context)


def pause(
    vm: VirtualMachineName,
    namespace: Namespace = None,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Let a guest stand still; its memory and its place are kept. Sets spec.paused; under Manual annotates the VM."""
    _carry_out("pause", vm, namespace, output, kubeconfig, context)


def resume(
    vm: VirtualMachineName,
    namespace: Namespace = None,
    output: Output = "text",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Let a paused guest go on, however it was paused."""
    _carry_out("resume", vm, namespace, output, kubeconfig, context)


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
