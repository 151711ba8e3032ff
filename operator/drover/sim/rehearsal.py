"""A rehearsal: given manifests, what would the operator make of them in an hour, or in a week?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from drover.api.kinds import WATCHED
from drover.sim.faults import HOST_FAULTS, OPERATOR_FAULTS, Strikes
from drover.sim.network import PERFECT, ROUGH
from drover.sim.report import Report, report
from drover.sim.simulation import Simulation

STEPS_BETWEEN_PROGRESS = 200
FAULT_SECONDS = 300.0
"""Mean virtual seconds between faults of one sort, where faults are asked for."""


def rehearse(
    manifests: Iterable[dict[str, Any]],
    duration: timedelta,
    seed: int,
    *,
    faults: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> Report:
    """Apply the manifests at once, and run one operator for ``duration`` of virtual time.

    ``progress`` is told the share that is done. Raises ApiError for a manifest the schema refuses, InvariantError
    for a defect of the operator.
    """
    sim = Simulation(seed, weather=ROUGH if faults else PERFECT)
    start, end = sim.now, sim.now + duration
    order = list(WATCHED)
    known = [raw for raw in manifests if raw.get("kind") in WATCHED]
    for raw in sorted(known, key=lambda raw: order.index(raw["kind"])):
        sim.store.create(raw, sim.now)
    sim.start()
    if faults:
        Strikes(sim, OPERATOR_FAULTS, FAULT_SECONDS)
        Strikes(sim, HOST_FAULTS, FAULT_SECONDS)
    while (due := sim.timeline.next_at) is not None and due <= end:
        sim.step()
        if sim.steps % STEPS_BETWEEN_PROGRESS == 0:
            progress((sim.now - start) / duration)
    progress(1.0)
    return report(sim, start)
