"""What follows the passes of a migration: the last pages, the hand-over, and what is pulled after it."""

from __future__ import annotations

from dataclasses import dataclass

from drover.model.migration.rules import Decision
from drover.model.migration.setting import Setting
from drover.model.migration.state import State

ROUND_TRIPS = 2
"""Source tells target to take over; target tells source that it has."""
SEND_BUFFER_BYTES = 4 << 20
"""What a full TCP connection still holds when its sender is done (Linux tcp_wmem, 4 MiB)."""

FAULT_SHARE = 0.21
"""Of the pages that are written again, at most so many are needed before they come (Hines et al., VEE 2009)."""
FAULT_SERVICE = 1e-4
"""Modelled seconds that source and target take over a page that is asked for, beside the wire."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Seconds, and bytes. All are 0 where the passes were aborted: the guest was never paused."""

    paused: float = 0.0
    """Of which the guest runs nowhere, as the source sees it."""
    downtime: float = 0.0
    """Until it is reachable on the target."""
    blackout: float = 0.0
    """The same with the bytes that still queue on the link when the source is done."""
    bytes: float = 0.0
    """Sent after the passes."""
    pulling: float = 0.0
    """In which it runs on the target without all of its memory: cancelling is refused."""
    slowdown: float = 0.0
    """Share of that in which it waits for pages."""


def ending(state: State, decision: Decision, given: Setting) -> Ending:
    """The last phase from `state`, at the line rate: QEMU lifts a cap for it."""
    if decision.then == "abort":
        return Ending()
    rest = state.remaining
    line = min(given.link.line, given.hypervisor.ceiling)
    pulling = rest / line if decision.then == "postCopy" else 0.0
    paused = given.hypervisor.device_state + ROUND_TRIPS * given.link.rtt + rest / line - pulling
    downtime = paused + given.hypervisor.activation
    queued = min(SEND_BUFFER_BYTES, rest) / line
    return Ending(paused, downtime, downtime + queued, rest, pulling, _slowdown(state, pulling, line, given))


def _slowdown(state: State, pulling: float, line: float, given: Setting) -> float:
    """While pages come one after the other, one that the guest writes to is not there yet in half of the cases."""
    if not pulling:
        return 0.0
    memory = given.memory
    met = memory.dirty_rate / memory.wire_page * pulling / 2
    faults = min(FAULT_SHARE * sum(state.left.hot), met)
    return min(1.0, faults * (given.link.rtt + memory.wire_page / line + FAULT_SERVICE) / pulling)
