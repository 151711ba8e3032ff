"""A proposal as MigrationPlans that wait for approval, so that nothing moves before somebody has looked at it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256

from drover.api.meta import ObjectMeta
from drover.api.migrationplan import MigrationPlan, MigrationPlanSpec, PlannedVirtualMachine
from drover.api.migrationplanstatus import MAX_VMS
from drover.control.drainplans import MAX_NAME, TRIGGER_LABEL
from drover.control.rebalancing.proposing import Proposal
from drover.control.rebalancing.trying import TriedMove

TRIGGER = "rebalance"
DIGEST = 8
MAX_POOL = 32
"""Characters of the pool's name in the names of plans."""


def plans(proposal: Proposal) -> tuple[MigrationPlan, ...]:
    """One for each namespace, as a plan's VMs are of its own, and one more for every 500 VMs there.

    The same proposal gives plans of the same names, so that applying it twice makes none twice. Once VMs have moved,
    their versions tell the next proposal apart, even where it moves them back and forth.
    """
    together: dict[str, list[TriedMove]] = defaultdict(list)
    for move in proposal.moves:
        together[move.vm.namespace].append(move)
    return tuple(plan for namespace in sorted(together) for plan in _plans(proposal, namespace, together[namespace]))


def _plans(proposal: Proposal, namespace: str, moves: list[TriedMove]) -> Iterator[MigrationPlan]:
    moved = ((move.vm.uid, move.vm.metadata.resource_version, move.target) for move in proposal.moves)
    told = "\n".join(" ".join(words) for words in moved)
    stem = f"{TRIGGER}-{proposal.pool[:MAX_POOL].rstrip('-.')}-{sha256(told.encode()).hexdigest()[:DIGEST]}"
    for number, start in enumerate(range(0, len(moves), MAX_VMS), 1):
        name = stem if len(moves) <= MAX_VMS else f"{stem}-{number}"
        assert len(name) <= MAX_NAME
        entries = tuple(
            PlannedVirtualMachine(name=move.vm.name, target_host_name=move.target)
            for move in moves[start : start + MAX_VMS]
        )
        yield MigrationPlan(
            metadata=ObjectMeta(name=name, namespace=namespace, labels={TRIGGER_LABEL: TRIGGER}),
            spec=MigrationPlanSpec(mode="Execute", approval="Manual", virtual_machines=entries),
        )
