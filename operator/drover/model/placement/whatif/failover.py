"""Whether the virtual machines of failed hosts find room on the others: told by placing them there."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.whatif.trial import Trial, trial

Residents = Callable[[str], Mapping[str, Request]]
"""The virtual machines of a host that have to be restarted when it fails: uid to request."""

HARDEST: Final = 4
"""Of the fullest hosts, and of those with the largest virtual machines, so many are tried one by one."""


def stranded(ledger: Ledger, failing: Iterable[str], residents: Residents) -> list[str]:
    """The uids of those that would find no host if these hosts failed together."""
    with trial(ledger) as attempt:
        return evacuate(attempt, failing, residents)


def evacuate(attempt: Trial, failing: Iterable[str], residents: Residents) -> list[str]:
    """Fails the hosts together and restarts their virtual machines on the others, large ones first.

    Returns the uids of those that find no host.
    """
    homeless: dict[str, Request] = {}
    for host in failing:
        attempt.block(host, "failed")
        found, there = residents(host), tuple(attempt.ledger.claims_on(host))
        for uid in there:
            attempt.withdraw(uid, host)
        homeless |= {uid: found[uid] for uid in there if uid in found}
    largest_first = sorted(homeless, key=lambda uid: (_size(homeless[uid]), uid), reverse=True)
    # They left when their claims were withdrawn: were ``leaves`` kept, each would be taken for gone twice over.
    requests = {uid: replace(homeless[uid], leaves=None, unreserved=True) for uid in largest_first}
    return [uid for uid, request in requests.items() if attempt.place(uid, request) is None]


def tolerated(ledger: Ledger, hosts: Iterable[str], residents: Residents, most: int) -> int:
    """How many of the hosts, the fullest first, may fail together with nobody stranded, up to ``most``.

    One host is tried as each of them in turn; of more than one, only the fullest ones together. Where so many may
    fail, fewer are taken to be safe too.
    """
    fullest = fullest_first(ledger, hosts)
    if not fullest or any(stranded(ledger, [host], residents) for host in fullest):
        return 0
    more = range(2, min(most, len(fullest)) + 1)
    return 1 + bisect_left(more, 1, key=lambda failures: bool(stranded(ledger, fullest[:failures], residents)))


def fullest_first(ledger: Ledger, hosts: Iterable[str]) -> list[str]:
    """Those of the hosts that exist, by the memory charged to them, then by the vCPUs, most first."""
    slots, used = np.sort(np.array(ledger.table.slots(hosts), np.intp)), ledger.table.scores.used
    cpu = np.asarray(used.milli_cpu + used.milli_threads)[slots]
    rows = ledger.table.rows
    return [rows[slot].name for slot in slots[np.lexsort((-cpu, -np.asarray(used.memory)[slots]))].tolist()]


def hardest_to_lose(ledger: Ledger, hosts: Iterable[str], most: int = 1) -> list[str]:
    """The hosts whose loss is most likely to strand somebody: the fullest, and those with the largest machines.

    At least ``most`` of the fullest, where there are so many.
    """
    fullest = fullest_first(ledger, hosts)
    largest = sorted(fullest, key=lambda host: _largest_on(ledger, host), reverse=True)
    return list(dict.fromkeys((*fullest[: max(HARDEST, most)], *largest[:HARDEST])))


def _largest_on(ledger: Ledger, host: str) -> int:
    return max((claim.resources.memory for claim in ledger.claims_on(host).values()), default=0)


def _size(request: Request) -> tuple[int, int]:
    size = request.resources
    return size.memory, size.milli_cpu + size.milli_threads
