"""Kopf's settings: it watches, and keeps no books of its own in the objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kopf

from drover.api.meta import GROUP


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last-handled copy: nothing here asks what changed, and copying each body costs most of an event."""

    def build(
        self,
        *,
        body: kopf.Body,  # noqa: ARG002
        extra_fields: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> kopf.BodyEssence:
        return {}

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:  # noqa: ARG002
        return {}

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        pass


def kopf_settings() -> kopf.OperatorSettings:
    """Settings for one ``on.event`` handler a kind over very many objects."""
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = f"{GROUP}/kopf"  # never added: only change handlers and daemons need it
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = kopf.StatusProgressStorage(field="status.kopf")
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.watching.connect_timeout = 10.0
    # A worker that idles costs a task; a worker limit would be held while idling, and so throttle everything.
    settings.queueing.idle_timeout = 0.5
    settings.queueing.worker_limit = None
    settings.queueing.exit_timeout = 0.2
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 5.0
    settings.networking.error_backoffs = (1, 1, 2, 3, 5)
    settings.process.ultimate_exiting_timeout = None  # it would kill the process, which outlives Kopf's tasks
    return settings
