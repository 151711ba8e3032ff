"""Whether the virtual machines of failed hosts find room on the others: told by placing them there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from drover.model.placement.hosts import natural_key
from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.whatif.trial import trial

Residents = Callable[[str], Mapping[str, Request]]
"""The virtual machines of a host that have to be restarted when it fails: uid to request."""


def stranded(ledger: Ledger, failing: Iterable[str], residents: Residents) -> list[str]:
    """The uids of those that would find no host if these hosts failed together. Large ones are placed first."""
    failing = list(failing)
    with trial(ledger) as attempt:
        homeless: dict[str, Request] = {}
        for host in failing:
            attempt.block(host, "failed")
            found = residents(host)
            for uid in ledger.claims_on(host):
                attempt.withdraw(uid, host)
            homeless |= found
        largest_first = sorted(homeless, key=lambda uid: (_size(homeless[uid]), uid), reverse=True)
        requests = {uid: replace(homeless[uid], unreserved=True) for uid in largest_first}
        return [uid for uid, request in requests.items() if attempt.place(uid, request) is None]


def tolerated(ledger: Ledger, hosts: Iterable[str], residents: Residents, most: int) -> int:
    """How many of the hosts, the fullest first, may fail together with nobody stranded, up to ``most``.

    One host is tried as each of them in turn; of more than one, only the fullest ones together.
    """
    fullest = fullest_first(ledger, hosts)
    if any(stranded(ledger, [host], residents) for host in fullest):
        return 0
    failures = 1
    while failures < min(most, len(fullest)) and not stranded(ledger, fullest[: failures + 1], residents):
        failures += 1
    return failures if fullest else 0


def fullest_first(ledger: Ledger, hosts: Iterable[str]) -> list[str]:
    """The hosts by the memory charged to them, then by the vCPUs, most first."""

    def order(host: str) -> object:
        charged = ledger.allocated(host)
        return (-charged.memory, -charged.milli_cpu - charged.milli_threads, natural_key(host))

    return sorted(hosts, key=order)  # type: ignore[arg-type]  # tuples of like parts


def _size(request: Request) -> tuple[int, int]:
    size = request.resources
    return size.memory, size.milli_cpu + size.milli_threads
