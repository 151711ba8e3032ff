"""Changes that are tried and undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from drover.model.placement.decide import cells_on, pick
from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request


class Trial:
    """A ledger to try things on. What is done here goes through the same code as what is done in earnest."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._undo: list[Callable[[], None]] = []

    def place(self, uid: str, request: Request) -> str | None:
        """Claims the best host for the request; None where there is none."""
        host = pick(self.ledger, request)
        if host is not None:
            self.claim(uid, request, host)
        return host

    def claim(self, uid: str, request: Request, host: str) -> None:
        """Claims a host that the request fits on."""
        contributor = object()  # nobody else's, even in a trial within a trial
        claim = request.claim(cells_on(self.ledger, request, host))
        self.ledger.set_claims(contributor, {(uid, host): claim})
        self._undo.append(lambda: self.ledger.set_claims(contributor, {}))

    def withdraw(self, uid: str, host: str) -> None:
        """Takes back what a virtual machine holds of a host."""
        before = self.ledger.withdraw(uid, host)

        def put_back() -> None:
            for contributor, claims in before.items():
                self.ledger.set_claims(contributor, claims)

        self._undo.append(put_back)

    def block(self, host: str, why: str | None) -> None:
        """Lets nothing more be placed on a host, or lets it again, where ``why`` is None."""
        row = self.ledger.table.known[host]
        self.ledger.upsert(replace(row, blocked=why))
        self._undo.append(lambda: self.ledger.upsert(row))

    def undo(self, to: int = 0) -> None:
        """Undoes everything done since there were ``to`` changes."""
        while len(self._undo) > to:
            self._undo.pop()()

    @property
    def changes(self) -> int:
        return len(self._undo)


@contextmanager
def trial(ledger: Ledger) -> Iterator[Trial]:
    """Everything tried within is undone at the end, to the bit."""
    attempt = Trial(ledger)
    try:
        yield attempt
    finally:
        attempt.undo()
