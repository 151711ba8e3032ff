"""Every controller, in the order their kinds depend on one another."""

from __future__ import annotations

from drover.control import flavor, host, image, migrationpolicy, network, nodepool, placementgroup, volume
from drover.control.metering.metered import metered
from drover.control.migrationplan import controller as migrationplan
from drover.control.outcome import Controller
from drover.control.usagerecord import controller as usagerecord
from drover.control.virtualmachine import controller as virtualmachine
from drover.control.virtualmachinemigration import controller as virtualmachinemigration

CONTROLLERS: tuple[Controller, ...] = (
    nodepool.CONTROLLER,
    host.CONTROLLER,
    flavor.CONTROLLER,
    image.CONTROLLER,
    metered(volume.CONTROLLER),
    metered(network.CONTROLLER),
    placementgroup.CONTROLLER,
    migrationpolicy.CONTROLLER,
    metered(virtualmachine.CONTROLLER),
    virtualmachinemigration.CONTROLLER,
    migrationplan.CONTROLLER,
    usagerecord.CONTROLLER,
)
