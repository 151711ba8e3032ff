"""Leader election on a ``coordination.k8s.io`` Lease, with client-go's semantics.

No two clocks are compared: a holder is taken for dead when its record has not changed for a whole lease duration of
the *own* monotonic clock. A holder gives up two thirds into the lease, so it stops before anybody else may start.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from drover.kube import rights
from drover.kube.api import Api, ApiError, FatalError, UnansweredError

log = logging.getLogger(__name__)

LEASE_NAME = "drover"
"""Of the operator's Lease."""
RENEW_DEADLINE = 2 / 3
"""Share of the lease after which a holder that could not renew gives up."""
RETRY_PERIOD = 2 / 15
"""Share of the lease between two attempts to acquire or renew."""
RELEASE_SECONDS = 3.0


class LeaseLostError(FatalError):
    """The Lease could not be renewed in time, or somebody else holds it."""


@dataclass(frozen=True)
class Record:
    """What the Lease says. ``transitions`` grows by one with each acquisition: the epoch of its holder."""

    holder: str
    duration: float
    transitions: int
    resource_version: str

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Record:
        spec = raw.get("spec", {})
        return cls(
            spec.get("holderIdentity") or "",
            float(spec.get("leaseDurationSeconds") or 1),
            int(spec.get("leaseTransitions") or 0),
            raw["metadata"]["resourceVersion"],
        )


class Lease:
    """One contender for one Lease. ``identity`` must be its own alone."""

    def __init__(self, api: Api, namespace: str, name: str, identity: str, duration: int) -> None:
        """``duration`` in whole seconds."""
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._identity = identity
        self._duration = duration
        self._record: Record | None = None
        self._changed_at = 0.0
        self._acquired_at = datetime.now(UTC)
        self._renewed_at = float("-inf")
        self._taking = False
        self.epoch = 0

    def held(self) -> bool:
        """Whether this instance may still write."""
        return _now() < self._renewed_at + self._duration * RENEW_DEADLINE

    async def acquire(self) -> int:
        """Wait until this instance holds the Lease; returns its epoch."""
        told = ""
        while True:
            try:
                await self._read()
                self._taking = self._may_take()
                if self._taking:
                    await self._take()
                    return self.epoch
                holder = self._record.holder if self._record else ""
                if holder != told:
                    log.info("standing by", extra={"leader": holder})
                told = holder
            except UnansweredError as error:
                log.warning("lease not read or written, trying again", extra={"error": error})
            except ApiError as error:
                self._taking = False
                if error.code != 409:  # a conflict is somebody who was quicker
                    mend = f": {rights.MEND}" if rights.lacked(error) else ""
                    raise FatalError(f"lease {self._name} cannot be acquired: {error}{mend}") from error
            await asyncio.sleep(self._duration * RETRY_PERIOD)

    async def hold(self) -> NoReturn:
        """Renew for ever. Raises LeaseLostError."""
        while True:
            await asyncio.sleep(self._duration * RETRY_PERIOD)
            try:
                async with asyncio.timeout_at(self._renewed_at + self._duration * RENEW_DEADLINE):
                    await self._renew()
            except TimeoutError as error:
                self._renewed_at = float("-inf")
                limit = self._duration * RENEW_DEADLINE
                raise LeaseLostError(f"lease {self._name} lost: not renewed for {limit:.1f} s") from error

    async def release(self) -> None:
        """Clear the holder, so that the next one need not wait. Does nothing where the Lease is not held or taken."""
        if not self.held() and not self._taking:
            return
        self._renewed_at, self._taking = float("-inf"), False
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._clear()
        except (TimeoutError, UnansweredError, ApiError) as error:
            log.warning("lease not released", extra={"error": error})

    async def _clear(self) -> None:
        """From what was read last: what was cut off and is still under way then conflicts. Where that was quicker, from
        what it has left.
        """
        while True:
            try:
                await self._write("", 1, self.epoch)
                return
            except ApiError as error:
                if error.code != 409:
                    raise
            await self._read()
            if not self._ours():
                return

    def _ours(self) -> bool:
        """Whether the Lease, as last read, is held by this instance since it last acquired it."""
        record = self._record
        return record is not None and (record.holder, record.transitions) == (self._identity, self.epoch)

    def _may_take(self) -> bool:
        record = self._record
        if record is None or record.holder in ("", self._identity):
            return True
        return _now() >= self._changed_at + record.duration

    async def _take(self) -> None:
        begun = _now()
        self.epoch = (self._record.transitions if self._record else 0) + 1
        self._acquired_at = datetime.now(UTC)
        await self._write(self._identity, self._duration, self.epoch)
        self._renewed_at, self._taking = begun, False

    async def _renew(self) -> None:
        while True:
            begun = _now()
            try:
                await self._write(self._identity, self._duration, self.epoch)
                self._renewed_at = begun
                return
            except UnansweredError as error:
                log.warning("lease not renewed, trying again", extra={"error": error})
            except ApiError as error:
                await self._check_ours(error)
            await asyncio.sleep(min(self._duration * RETRY_PERIOD, 1.0))

    async def _check_ours(self, refusal: ApiError) -> None:
        """After a refusal: whether somebody else holds the Lease, or an earlier renewal had gone through."""
        try:
            await self._read()
        except (UnansweredError, ApiError):  # an API server that starts again refuses for a while what it grants
            log.warning("lease not renewed, trying again", extra={"error": refusal})
            return
        if not self._ours():
            self._renewed_at = float("-inf")
            holder = self._record.holder if self._record else "nobody"
            raise LeaseLostError(f"lease {self._name} lost: held by {holder}")
        if refusal.code != 409:
            log.warning("lease not renewed, trying again", extra={"error": refusal})

    async def _read(self) -> None:
        try:
            raw = await self._api.request("get", "leases", f"{self._path}/{self._name}", timeout=self._patience)
        except ApiError as error:
            if error.code != 404:
                raise
            self._record = None
            return
        self._observe(Record.of(raw))

    async def _write(self, holder: str, duration: int, transitions: int) -> None:
        """Create or replace the Lease as last read; a change in between is a conflict."""
        now = _micro_time(datetime.now(UTC))
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration,
            "acquireTime": _micro_time(self._acquired_at),
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        metadata = {"name": self._name}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        if self._record is None:
            raw = await self._api.request("create", "leases", self._path, body=body, timeout=self._patience)
        else:
            metadata["resourceVersion"] = self._record.resource_version
            path = f"{self._path}/{self._name}"
            raw = await self._api.request("update", "leases", path, body=body, timeout=self._patience)
        self._observe(Record.of(raw))

    def _observe(self, record: Record) -> None:
        if record != self._record:
            self._record = record
            self._changed_at = _now()

    @property
    def _patience(self) -> float:
        """Seconds for one request: several must fit into the time to renew."""
        return self._duration * RENEW_DEADLINE / 2


def _now() -> float:
    return asyncio.get_running_loop().time()


def _micro_time(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
