"""What is given of one migration."""

from __future__ import annotations

from dataclasses import dataclass

from drover.model.migration.link import Link
from drover.model.migration.memory import Memory
from drover.model.migration.stop import StopPolicy


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """Fixed times of a move, in seconds."""

    device_state: float = 0.004
    """Saving and loading device state while paused (measured with QEMU 7.2: about 4 ms)."""
    setup: float = 0.002
    """Before the first pass (measured with QEMU 7.2)."""


QEMU = Hypervisor()


@dataclass(frozen=True, slots=True)
class Setting:
    """Memory to send, the link to send it over, and the rules to end by."""

    memory: Memory
    link: Link
    policy: StopPolicy
    hypervisor: Hypervisor = QEMU
