"""The hosts of a migration, the cards it crosses, and what others leave it of them."""

from __future__ import annotations

from datetime import datetime

from drover.api.host import Host
from drover.api.migrationsettings import MigrationSettings
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.driver import Pace
from drover.control.policies import bandwidth_cap
from drover.control.virtualmachinemigration.inputs import copying, route_of, setting_of, workload_of
from drover.control.virtualmachinemigration.status import End
from drover.control.world import World
from drover.model import migration as model


def no_link(source: Host, target: Host) -> End:
    message = f"no Migration or Shared NIC joins {source.name} and {target.name}: give their pool one"
    return End("Failed", "LinkFailed", message)


def hosts_of(migration: VirtualMachineMigration, world: World) -> tuple[Host, Host]:
    source, target = world.host(migration.status.source_host), world.host(migration.status.target_host)
    assert source is not None
    assert target is not None
    return source, target


def given_route(migration: VirtualMachineMigration, world: World) -> model.Route:
    """The cards of a migration that has a target."""
    return route_of(*hosts_of(migration, world), world, bandwidth_cap(settings_of(migration)))


def given_setting(migration: VirtualMachineMigration, vm: VirtualMachine, world: World) -> model.Setting:
    """What a migration that has begun is played with; noise is drawn by its name, so that a restart draws the same."""
    workload, seed = workload_of(vm, world), pace_of(migration, world).seed
    noise = model.Drawn(seed, migration.uid, migration.status.attempts, workload.dirty_noise)
    return setting_of(workload, settings_of(migration), given_route(migration, world), noise)


def settings_of(migration: VirtualMachineMigration) -> MigrationSettings:
    """What it is done by, as it was when it began."""
    return migration.status.settings or MigrationSettings()


def present_share(route: model.Route, world: World) -> model.Route:
    """As much of the cards as the migrations under way leave to one more."""
    flows = [route]
    for other in copying(world):
        source, target = world.host(other.status.source_host), world.host(other.status.target_host)
        if source is not None and target is not None:
            flows.append(route_of(source, target, world, bandwidth_cap(settings_of(other))))
    return model.Route((model.Card("share", route.line, model.passes_share(flows)),), route.cap, route.rtt)


def pace_of(migration: VirtualMachineMigration, world: World) -> Pace:
    source = world.host(migration.status.source_host)
    return world.pace(source.spec.pool_ref.name if source is not None else None)


def began(migration: VirtualMachineMigration, now: datetime) -> datetime:
    return migration.status.transition_started_at or now
