"""Every controller, in the order their kinds depend on one another."""

from __future__ import annotations

from drover.control import flavor, host, image, network, nodepool, placementgroup, volume
from drover.control.migrationplan import controller as migrationplan
from drover.control.outcome import Controller
from drover.control.virtualmachine import controller as virtualmachine
from drover.control.virtualmachinemigration import controller as virtualmachinemigration

CONTROLLERS: tuple[Controller, ...] = (
    nodepool.CONTROLLER,
    host.CONTROLLER,
    flavor.CONTROLLER,
    image.CONTROLLER,
    volume.CONTROLLER,
    network.CONTROLLER,
    placementgroup.CONTROLLER,
    virtualmachine.CONTROLLER,
    virtualmachinemigration.CONTROLLER,
    migrationplan.CONTROLLER,
)
