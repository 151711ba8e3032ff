"""Single requests of users to the API server. One that is refused is over: users do not retry."""

from __future__ import annotations

from typing import Any, TypeVar

from drover.api.meta import AnyResource
from drover.sim.simulation import Simulation
from drover.sim.store import ApiError

ResourceT = TypeVar("ResourceT", bound=AnyResource)


def fresh(sim: Simulation, prefix: str) -> str:
    return f"{prefix}{sim.random.randrange(10**6):06d}"


def everything(sim: Simulation, kind: type[ResourceT]) -> list[ResourceT]:
    return [resource for resource in sim.store.objects(kind.KIND) if isinstance(resource, kind)]


def anything(sim: Simulation, kind: type[ResourceT]) -> ResourceT | None:
    present = everything(sim, kind)
    return sim.random.choice(present) if present else None


def create(sim: Simulation, raw: dict[str, Any]) -> None:
    try:
        sim.store.create(raw, sim.now)
    except ApiError:
        return


def patch(sim: Simulation, resource: AnyResource | None, body: dict[str, Any]) -> None:
    if resource is None:
        return
    try:
        sim.store.patch(resource.key, body)
    except ApiError:
        return


def delete(sim: Simulation, resource: AnyResource | None) -> None:
    if resource is None:
        return
    try:
        sim.store.delete(resource.key, sim.now, uid=resource.uid)
    except ApiError:
        return
