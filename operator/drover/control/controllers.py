"""Every controller, in the order their kinds depend on one another."""

from __future__ import annotations

from drover.control import (
    flavor,
    host,
    image,
    migrationplan,
    network,
    nodepool,
    virtualmachine,
    virtualmachinemigration,
    volume,
)
from drover.control.outcome import Controller

CONTROLLERS: tuple[Controller, ...] = (
    nodepool.CONTROLLER,
    host.CONTROLLER,
    flavor.CONTROLLER,
    image.CONTROLLER,
    volume.CONTROLLER,
    network.CONTROLLER,
    virtualmachine.CONTROLLER,
    virtualmachinemigration.CONTROLLER,
    migrationplan.CONTROLLER,
)
