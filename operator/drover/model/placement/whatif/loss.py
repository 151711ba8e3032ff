"""How many more virtual machines of one kind fit once a host has failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.whatif.failover import Residents, evacuate, fullest_first
from drover.model.placement.whatif.headroom import headroom, room_by_host
from drover.model.placement.whatif.trial import trial

MOST_POOLS: Final = 4
FULLEST: Final = 2
"""Hosts of a pool tried beside the one with most room."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What is left after the loss of the host whose loss costs most."""

    fits: int
    """How many more fit; none while one of those that ran there finds no other host."""
    host: str | None = None
    """None where there is no host to lose."""
    stranded: int = 0
    """Virtual machines of the host that find no other."""


def worst_loss(ledger: Ledger, request: Request, residents: Residents) -> Loss:
    """Tried on the hosts of each pool most likely to cost most: the fullest, and the one with most room.

    What is held back for failover may be used: this is what it is held back for.
    """
    after = replace(request, unreserved=True)
    worst = None
    for host in _hosts_to_try(ledger, after):
        loss = _loss_of(ledger, after, host, residents)
        if worst is None or loss.fits < worst.fits:
            worst = loss
        if not worst.fits:
            break
    return worst or Loss(0)


def _loss_of(ledger: Ledger, request: Request, host: str, residents: Residents) -> Loss:
    with trial(ledger) as attempt:
        stranded = evacuate(attempt, [host], residents)
        return Loss(0 if stranded else headroom(ledger, request).fits, host, len(stranded))


def _hosts_to_try(ledger: Ledger, request: Request) -> Iterator[str]:
    """Of the pools that the request may go to, those with most room first."""
    table = ledger.table
    room = room_by_host(ledger, request)
    pools = {table.known[host].pool for host in ledger.eligible(request.signature.constraints, "Host")}
    most_first = sorted(pools, key=lambda pool: (-int(room[table.slots_in_pool(pool)].sum()), pool))
    for pool in most_first[:MOST_POOLS]:
        slots = table.open_slots(pool)
        if len(slots):
            roomiest = table.rows[int(slots[room[slots].argmax()])].name
            others = (name for slot in slots.tolist() if (name := table.rows[slot].name) != roomiest)
            yield from (roomiest, *fullest_first(ledger, others)[:FULLEST])
