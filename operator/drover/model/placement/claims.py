"""Who claims what on which host.

The same claim can be seen from several sides at once: a virtual machine's observed status, its status as
assumed by a write in flight, and its migration. Each side is a *contributor* that states all its claims; a
pair (virtual machine, host) is charged once, at the elementwise maximum of what its contributors state.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import reduce
from typing import NamedTuple

from drover.model.placement.resources import NO_RESOURCES, Resources

Pair = tuple[str, str]
"""The uid of a virtual machine and the name of a host."""


class HostCharges(NamedTuple):
    """What one host is charged: each virtual machine's uid with its amount, and their sum."""

    by_uid: Mapping[str, Resources]
    total: Resources


NO_CHARGES = HostCharges({}, NO_RESOURCES)


class ClaimBook:
    """Claims of all contributors and the charges that follow. The order of arrival leaves no trace.

    Inner values are replaced and never changed, so a copy costs three shallow dictionary copies.
    """

    def __init__(self) -> None:
        self._claims: dict[Hashable, Mapping[Pair, Resources]] = {}
        self._contributors: dict[Pair, frozenset[Hashable]] = {}
        self._charges: dict[str, HostCharges] = {}

    def copy(self) -> ClaimBook:
        other = ClaimBook()
        other._claims = self._claims.copy()
        other._contributors = self._contributors.copy()
        other._charges = self._charges.copy()
        return other

    def on(self, host: str) -> HostCharges:
        return self._charges.get(host, NO_CHARGES)

    def set(self, contributor: Hashable, claims: Mapping[Pair, Resources]) -> set[str]:
        """Replaces all claims of the contributor; returns the hosts whose charges may have changed."""
        before = self._claims.get(contributor, {})
        if claims:
            self._claims[contributor] = dict(claims)
        else:
            self._claims.pop(contributor, None)
        changed = {pair for pair in before.keys() | claims.keys() if before.get(pair) != claims.get(pair)}
        for pair in changed:
            self._attribute(pair, contributor, stated=pair in claims)
            self._charge(pair)
        return {host for _, host in changed}

    def _attribute(self, pair: Pair, contributor: Hashable, *, stated: bool) -> None:
        contributors = self._contributors.get(pair, frozenset())
        contributors = contributors | {contributor} if stated else contributors - {contributor}
        if contributors:
            self._contributors[pair] = contributors
        else:
            self._contributors.pop(pair, None)

    def _charge(self, pair: Pair) -> None:
        uid, host = pair
        by_uid = dict(self.on(host).by_uid)
        total = self.on(host).total - by_uid.pop(uid, NO_RESOURCES)
        stated = [self._claims[contributor][pair] for contributor in self._contributors.get(pair, ())]
        if stated:
            by_uid[uid] = reduce(Resources.maximum, stated)
            total += by_uid[uid]
        if by_uid:
            self._charges[host] = HostCharges(by_uid, total)
        else:
            self._charges.pop(host, None)
