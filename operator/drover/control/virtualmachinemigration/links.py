"""The hosts of a migration and the link between them, as shared now and as it was when a pass began."""

from __future__ import annotations

from datetime import datetime

from drover.api.host import Host
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.driver import Pace
from drover.control.virtualmachinemigration.inputs import copying, link_of
from drover.control.virtualmachinemigration.status import End, progress_of
from drover.control.world import World
from drover.model import migration as model


def no_link(source: Host, target: Host) -> End:
    message = f"no Migration or Shared NIC joins {source.name} and {target.name}: give their pool one"
    return End("Failed", "LinkFailed", message)


def present_link(migration: VirtualMachineMigration, source: Host, target: Host, world: World) -> model.Link:
    others = [
        (m.status.source_host or "", m.status.target_host or "") for m in copying(world) if m.key != migration.key
    ]
    return link_of(source, target, world, others)


def hosts_of(migration: VirtualMachineMigration, world: World) -> tuple[Host, Host]:
    source, target = world.host(migration.status.source_host), world.host(migration.status.target_host)
    assert source is not None
    assert target is not None
    return source, target


def stored_link(migration: VirtualMachineMigration, world: World) -> model.Link:
    """The link as it was shared when the present pass began, so that a restart plays the same pass."""
    source, target = hosts_of(migration, world)
    alone = link_of(source, target, world, ())
    share = min(float(progress_of(migration).bandwidth_bytes_per_second), alone.line)
    return model.Link(bandwidth=share, line=alone.line, rtt=alone.rtt)


def pace_of(migration: VirtualMachineMigration, world: World) -> Pace:
    source = world.host(migration.status.source_host)
    return world.pace(source.spec.pool_ref.name if source is not None else None)


def began(migration: VirtualMachineMigration, now: datetime) -> datetime:
    return migration.status.transition_started_at or now
