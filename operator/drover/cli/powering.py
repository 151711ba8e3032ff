"""What start, stop, restart, pause and resume change in a VM's declaration. Pure.

Under runStrategy Manual all five are the annotation that `control.virtualmachine.power` reads. Under the others stop
and start set runStrategy, pause and resume set spec.paused, and only restart is the annotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from drover.api.virtualmachine import VirtualMachine
from drover.cli.server import CommandError
from drover.control.virtualmachine.power import ACTION

Verb = Literal["start", "stop", "restart", "pause", "resume"]


@dataclass(frozen=True, slots=True)
class Change:
    """A merge patch, and what it does in words; None where the VM is declared so already."""

    patch: dict[str, Any] | None
    message: str


def change(vm: VirtualMachine, verb: Verb, token: str) -> Change:
    """``token`` makes this request another than the last of its verb. Raises CommandError for what contradicts."""
    if vm.deleting:
        raise CommandError(f"{vm.name} is being deleted: create it anew to {verb} it")
    if verb in ("pause", "resume"):
        return _resumed(vm, token) if verb == "resume" else _paused(vm, token)
    if vm.spec.run_strategy == "Manual":
        return _acted(verb, token)
    match verb:
        case "stop":
            return _run_strategy(vm, "Halted", "it is shut down, and stays so until it is started")
        case "start":
            return _run_strategy(vm, "Always", "it is placed and booted")
        case _:
            return _restarted(vm, token)


def _run_strategy(vm: VirtualMachine, wanted: str, then: str) -> Change:
    """Started is whatever is not Halted: RerunOnFailure and Once are kept."""
    now = vm.spec.run_strategy
    if (now == "Halted") == (wanted == "Halted"):
        state = vm.status.phase or "not seen by the operator yet"
        way = "see `kubectl drover explain`, or restart it" if wanted == "Always" and state != "Running" else ""
        return Change(None, f"runStrategy is {now} already, the VM is {state}" + (f": {way}" if way else ""))
    return Change({"spec": {"runStrategy": wanted}}, f"runStrategy {now} > {wanted}: {then}")


def _restarted(vm: VirtualMachine, token: str) -> Change:
    if vm.spec.run_strategy == "Halted":
        raise CommandError(f"{vm.name} is stopped (runStrategy Halted): `kubectl drover start {vm.name}` boots it")
    if vm.status.phase == "Failed":
        raise CommandError(f"{vm.name} has run once and failed (runStrategy {vm.spec.run_strategy}): create it anew")
    return _acted("restart", token)


def _paused(vm: VirtualMachine, token: str) -> Change:
    if vm.spec.run_strategy == "Halted":
        raise CommandError(f"{vm.name} is stopped (runStrategy Halted): only a running guest can be paused; start it")
    if vm.spec.paused or _last_verb(vm) == "pause":
        return Change(None, f"it is declared paused already, the VM is {vm.status.phase}")
    if vm.spec.run_strategy == "Manual":
        if _last_verb(vm) == "stop":
            raise CommandError(f"{vm.name} was stopped: only a running guest can be paused; start it")
        return _acted("pause", token)
    return Change({"spec": {"paused": True}}, "spec.paused false > true: the guest stands still, and keeps its memory")


def _resumed(vm: VirtualMachine, token: str) -> Change:
    """Whatever holds it: spec.paused, the annotation, or both."""
    patch: dict[str, Any] = {}
    told = []
    if vm.spec.paused:
        patch["spec"] = {"paused": False}
        told.append("spec.paused true > false")
    if _last_verb(vm) == "pause":
        patch |= _annotation("resume", token)
        told.append(f"{ACTION}=resume@{token}")
    if not patch:
        return Change(None, f"nothing holds it: it is not declared paused, the VM is {vm.status.phase}")
    return Change(patch, f"{', '.join(told)}: the guest goes on")


def _acted(verb: Verb, token: str) -> Change:
    return Change(_annotation(verb, token), f"{ACTION}={verb}@{token}")


def _annotation(verb: Verb, token: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {ACTION: f"{verb}@{token}"}}}


def _last_verb(vm: VirtualMachine) -> str:
    return vm.metadata.annotations.get(ACTION, "").partition("@")[0]
