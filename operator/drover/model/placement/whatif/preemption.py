"""Which virtual machines of lower priority to stop so that one of higher priority fits (kube-scheduler's rules)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from drover.model.placement.decide import pick
from drover.model.placement.hosts import natural_key
from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.whatif.trial import Trial, trial

MAX_HOSTS: Final = 100
"""Hosts tried, those with the cheapest victims first (kube-scheduler's minCandidateNodesAbsolute)."""
MAX_VICTIMS: Final = 32
"""Nobody is worth more to stop; it is also as many as a status can name."""


class Victim(NamedTuple):
    """A virtual machine that may be stopped."""

    uid: str
    priority: int


class Eviction(NamedTuple):
    """The host that is made room on, and who has to go."""

    host: str
    victims: tuple[str, ...]


def evict_for(
    ledger: Ledger,
    request: Request,
    victims: Mapping[str, Sequence[Victim]],
    admits: Callable[[str], bool] = lambda _: True,
) -> Eviction | None:
    """The host whose victims are the least loss, and as few of them as will do; None where that does not help.

    ``victims``: host to those there that may be stopped for the request. Least loss: the lowest highest priority, then
    the lowest sum of priorities, then the fewest, then the host first in natural order. From those of a host the most
    important are spared as long as the request still fits. ``admits`` is asked of a host that fits, with the victims
    withdrawn from the ledger.
    """

    def fits(request: Request) -> bool:
        host = pick(ledger, request)
        return host is not None and admits(host)

    found = []
    cheapest_first = sorted(victims, key=lambda host: (_loss(victims[host]), natural_key(host)))
    with trial(ledger) as attempt:
        for host in cheapest_first[:MAX_HOSTS]:
            needed = _needed(attempt, replace(request, hosts=frozenset({host})), host, victims[host], fits)
            if 0 < len(needed) <= MAX_VICTIMS:
                found.append((_loss(needed), natural_key(host), Eviction(host, tuple(v.uid for v in needed))))
    return min(found, default=(None, None, None))[2]


def _needed(
    attempt: Trial, request: Request, host: str, victims: Sequence[Victim], fits: Callable[[Request], bool]
) -> list[Victim]:
    """The victims that cannot be spared; none where stopping all of them does not help."""
    start = attempt.changes
    for victim in victims:
        attempt.withdraw(victim.uid, host)
    helps = fits(request)
    attempt.undo(start)
    if not helps:
        return []
    needed = sorted(victims, key=lambda victim: (-victim.priority, victim.uid))
    for victim in tuple(needed):
        spared = [other for other in needed if other != victim]
        for other in spared:
            attempt.withdraw(other.uid, host)
        if fits(request):
            needed = spared
        attempt.undo(start)
    return needed


def _loss(victims: Sequence[Victim]) -> tuple[int, int, int]:
    priorities = [victim.priority for victim in victims]
    return max(priorities, default=0), sum(priorities), len(priorities)
