"""What a guest is to a migration: memory to send, and how fast it dirties what was sent."""

from __future__ import annotations

from dataclasses import dataclass

PAGE_BYTES = 4096
PAGE_HEADER_BYTES = 8
"""Address and flags before each page on the wire (QEMU `ram_save_page`)."""
ZERO_PAGE_BYTES = 9
"""A zero page on the wire: the header and the fill byte (QEMU `save_zero_page`)."""


def wire_bytes(memory_bytes: float) -> float:
    """Bytes on the wire for `memory_bytes` of non-zero pages: each page and its header."""
    return memory_bytes * (PAGE_BYTES + PAGE_HEADER_BYTES) / PAGE_BYTES


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest's memory and its dirty curve D(t): a hot set, plus pages dirtied at a constant rate.

    Raises ValueError for a size, rate or noise below zero, no memory, or a ratio outside 0..1.
    """

    memory_bytes: float
    zero_page_ratio: float
    """Share of the memory that is zero pages, 0..1."""
    hot_set_bytes: float
    """Memory rewritten faster than one pass can send (the writable working set of Clark et al. 2005)."""
    dirty_rate: float
    """Bytes of further, distinct pages dirtied a second."""
    dirty_noise: float
    """Log-normal sigma of the hot set from pass to pass; 0 = every pass alike."""

    def __post_init__(self) -> None:
        if self.memory_bytes <= 0:
            raise ValueError(f"memory must be above 0 bytes, not {self.memory_bytes}")
        if not 0 <= self.zero_page_ratio <= 1:
            raise ValueError(f"zero page ratio must be within 0..1, not {self.zero_page_ratio}")
        if min(self.hot_set_bytes, self.dirty_rate, self.dirty_noise) < 0:
            raise ValueError("hot set, dirty rate and dirty noise must not be below 0")

    @property
    def nonzero_bytes(self) -> float:
        """Memory that has to be sent page by page, and the most a guest can dirty."""
        return self.memory_bytes * (1 - self.zero_page_ratio)

    @property
    def first_pass_bytes(self) -> float:
        """Bytes on the wire for the whole memory, zero pages included; only the first pass meets those."""
        zero_pages = self.memory_bytes * self.zero_page_ratio / PAGE_BYTES
        return wire_bytes(self.nonzero_bytes) + zero_pages * ZERO_PAGE_BYTES

    def dirtied(self, seconds: float, noise: float = 1.0) -> float:
        """Bytes of distinct pages dirtied in `seconds`: at once the hot set (times `noise`), then the rest.

        Non-decreasing and concave for every seconds > 0, and never above the non-zero memory.
        """
        if seconds <= 0:
            return 0.0
        return min(self.nonzero_bytes, noise * self.hot_set_bytes + self.dirty_rate * seconds)
