"""What is given of one migration."""

from __future__ import annotations

import math
from dataclasses import dataclass

from drover.model.migration.link import Link
from drover.model.migration.memory import Memory
from drover.model.migration.noise import NONE, Noise
from drover.model.migration.stop import StopPolicy

CORE_RATE = 1.4e9
"""Bytes a second that one core sends (measured with QEMU 7.2 over loopback; 0.3 to 1.95e9 are seen)."""


PATIENCE = 32
"""Passes without a better one after which none will come, where noise is small."""


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """Fixed times of a move, in seconds, and what its sender can do."""

    device_state: float = 0.004
    """Saving and loading device state while paused (measured with QEMU 7.2: about 4 ms)."""
    setup: float = 0.002
    """Before the first pass (measured with QEMU 7.2)."""
    activation: float = 0.0
    """Announcing the guest's addresses on the target, before which nobody reaches it."""
    sender_cores: float = math.inf
    """Cores that are free to send with."""

    @property
    def ceiling(self) -> float:
        """Bytes a second that can be sent whatever the link carries."""
        return CORE_RATE * self.sender_cores


QEMU = Hypervisor()
MODELLED = Hypervisor(setup=2.0, activation=0.05)
"""Drover's hosts: their set-up of a target is modelled, QEMU announces after 50 ms (announce-initial)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Memory to send, the link to send it over, the rules to end by, and how the guest's writes vary."""

    memory: Memory
    link: Link
    policy: StopPolicy
    hypervisor: Hypervisor = QEMU
    noise: Noise = NONE
    patience: int = PATIENCE
    """Passes without a better one after which none will come. Where noise decides it takes many more to be sure."""
