"""The handlers of the webhook: one review an object, and a second one before anything is found wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

import kopf

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.api.volume import Volume
from drover.control.admission import Rules, Verdict, review
from drover.kube.api import ApiError, UnansweredError
from drover.kube.mirror import Mirror
from drover.kube.parsing import Parser

log = logging.getLogger(__name__)

REVIEWED: tuple[type[AnyResource], ...] = (VirtualMachine, Volume, VirtualMachineMigration, MigrationPlan, Host)
HANDLER = "review"
"""The path of the webhook's URL."""
REFUSED = 422
LOOK_SECONDS = 1.0
"""For looking again at what a finding rests on; the API server waits a few seconds for the whole answer."""

MAX_LOOKED_AT = 64


class Reviewer:
    """Answers from the mirror. What it cannot decide it lets through: the controllers decide again."""

    def __init__(self, mirror: Mirror, rules: Rules) -> None:
        self._mirror = mirror
        self._rules = rules
        self._parser = Parser()

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Add the handlers, one a kind, all on one path."""
        for model in REVIEWED:
            served = model.GROUP, model.VERSION, model.PLURAL
            on_validate = kopf.on.validate(*served, registry=registry, id=HANDLER, operations=["CREATE", "UPDATE"])
            on_validate(self._handler(model.KIND))

    def _handler(self, kind: str) -> Callable[..., Any]:
        async def answer(body: Any, old: Any, dryrun: bool, warnings: list[str], userinfo: Any, **_: Any) -> None:
            new = self._parser.parse(kind, dict(body))
            before = self._parser.parse(kind, dict(old)) if old else None
            if new is None or not self._mirror.synced:
                return
            try:
                verdict = await self._verdict(new, before, dry_run=dryrun)
            except Exception as error:
                log.exception("not reviewed, let through", extra={"key": new.key, "error": repr(error)})
                return
            warnings.extend(verdict.warnings)
            if verdict.refusal is not None:
                who = userinfo.get("username", "")
                log.info("refused", extra={"key": new.key, "user": who, "why": verdict.refusal})
                raise kopf.AdmissionError(verdict.refusal, code=REFUSED)

        return answer

    async def _verdict(self, new: AnyResource, old: AnyResource | None, *, dry_run: bool) -> Verdict:
        """What is found wrong is looked at again, until everything it rests on is as the API server has it now."""
        verdict = self._review(new, old, dry_run=dry_run)
        looked: set[Key] = set()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                while unsure := verdict.rests_on - looked:
                    looked |= await self._look_again(unsure)
                    verdict = self._review(new, old, dry_run=dry_run)
        except (TimeoutError, ApiError, UnansweredError) as error:
            log.warning(
                "what is wrong with it could not be confirmed, let through", extra={"key": new.key, "error": error}
            )
            return Verdict()
        return verdict

    async def _look_again(self, keys: Collection[Key]) -> set[Key]:
        """A watch is always a moment late: most of all for what was made just before. The keys that were looked at."""
        unknown = [key for key in keys if self._mirror.world.find(key) is None]
        chosen = (unknown or list(keys))[:MAX_LOOKED_AT]
        await self._mirror.look_again(chosen)
        return set(chosen)

    def _review(self, new: AnyResource, old: AnyResource | None, *, dry_run: bool) -> Verdict:
        return review(new, old, self._mirror.world, datetime.now(UTC), self._rules, dry_run=dry_run)
