"""What a VM's declaration and its last action ask of its power."""

from __future__ import annotations

from dataclasses import dataclass

from drover.api.meta import GROUP
from drover.api.virtualmachine import VirtualMachine
from drover.control.outcome import Event, warning
from drover.control.virtualmachine.status import WAITING_PHASES

ACTION = f"{GROUP}/action"
"""Annotation with `verb@token`; a new token asks for the verb once more. It is never cleared."""
VERBS = frozenset({"start", "stop", "restart", "pause", "resume"})


@dataclass(frozen=True, slots=True)
class Power:
    """The power wanted now, and what asks for it."""

    on: bool
    paused: bool
    restart: bool
    """A restart was asked for and has not begun."""
    action: str | None
    """The whole annotation, to be remembered once it is acted on."""
    declared_by: str
    resume_hint: str = "set spec.paused to false"
    objection: str = ""

    def objections(self, vm: VirtualMachine) -> tuple[Event, ...]:
        """What to tell about an action that cannot be carried out, once."""
        new = self.action != vm.status.last_action
        return (warning("InvalidAction", self.objection),) if self.objection and new else ()


def power_of(vm: VirtualMachine) -> Power:
    action = vm.metadata.annotations.get(ACTION)
    action = action[:128] if action else None
    verb = action.partition("@")[0] if action else ""
    strategy = vm.spec.run_strategy
    manual = strategy == "Manual"
    on = _manual_on(vm, verb) if manual else strategy != "Halted"
    return Power(
        on=on,
        paused=vm.spec.paused or verb == "pause",
        restart=verb == "restart" and action != vm.status.last_action,
        action=action,
        declared_by=f"action {action}" if manual and verb == "stop" else f"runStrategy {strategy}",
        resume_hint="set spec.paused to false" if vm.spec.paused else f"annotate {ACTION}=resume@TOKEN",
        objection=_objection(verb, strategy, action),
    )


def _manual_on(vm: VirtualMachine, verb: str) -> bool:
    """The last verb decides; without one the VM stays as it is: off if new, on if it only waits for a host."""
    if verb in VERBS:
        return verb != "stop"
    return vm.status.host_name is not None or vm.status.phase in WAITING_PHASES


def _objection(verb: str, strategy: str, action: str | None) -> str:
    if action and verb not in VERBS:
        return f"action {action}: the verb must be one of {', '.join(sorted(VERBS))}, written verb@token"
    if verb == "stop" and strategy not in ("Manual", "Halted"):
        return f"stop contradicts runStrategy {strategy}: set spec.runStrategy to Halted, or to Manual for actions"
    if verb == "start" and strategy == "Halted":
        return "start contradicts runStrategy Halted: set spec.runStrategy to Always, or to Manual for actions"
    return ""
