"""The Source: one Kopf handler a kind that parses and enqueues, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import kopf

from drover.api.kinds import WATCHED
from drover.control.ports import Gone, Input, Observed
from drover.kube.parsing import Parser, key_of
from drover.observe.metrics import Metrics


class Source:
    """Turns watch events into inputs.

    Kopf lists again after a broken watch but does not compare, so it forgets deletions in the gap. ``relisted`` is
    called with the kind for each object of a list, so that the caller audits that kind.
    """

    def __init__(
        self, put: Callable[[Input], None], relisted: Callable[[str], None], parser: Parser, metrics: Metrics
    ) -> None:
        self._put = put
        self._relisted = relisted
        self._parser = parser
        self._metrics = metrics

    def register(self, registry: kopf.OperatorRegistry, kinds: Iterable[str] = WATCHED) -> None:
        """Add the handlers, one a kind."""
        for kind in kinds:
            model = WATCHED[kind]
            served = model.GROUP, model.VERSION, model.PLURAL
            on_event = kopf.on.event(*served, registry=registry, id=f"observe-{model.PLURAL}")
            on_event(self._handler(kind))

    def _handler(self, kind: str) -> Callable[..., Any]:
        async def observe(event: Any, **_: Any) -> None:
            self.take(kind, event["type"], event["object"])

        return observe

    def take(self, kind: str, event: str | None, raw: dict[str, Any]) -> None:
        """Enqueue one watch event; ``event`` is None for an object of a list."""
        self._metrics.watch_event(WATCHED[kind].PLURAL, event)
        if event == "DELETED":
            key = key_of(kind, raw)
            self._parser.forget(key)
            self._put(Gone(key, raw["metadata"]["uid"]))
            return
        if event is None:
            self._relisted(kind)
        resource = self._parser.parse(kind, raw)
        if resource is not None:
            self._put(Observed(resource))
