"""How the API describes a guest's writes, in the model's terms: a hot set, and pages dirtied beside it."""

from __future__ import annotations

from drover.model.migration.dirty import Cyclic, Dirtying
from drover.model.migration.memory import PAGE_BYTES, Memory

HOT_PERIOD = 0.05
"""Seconds in which a hot set is written once: less than any pass that is not the last (QEMU looks each 50 ms)."""
HOT_RATE = 1e6
"""Pages a second, at most: the first write to a page after each sync of the bitmap traps, for about 1 us."""


def guest_memory(
    memory_bytes: float,
    zero_page_ratio: float,
    hot_set_bytes: float,
    dirty_rate: float,
    cpu_bound: float = 1.0,
) -> Memory:
    """Memory with a hot set in bytes, and `dirty_rate` bytes a second of further, distinct pages.

    Both are written in turn: the hot set all in each pass, but not at once, so that slowing the guest down helps;
    the others are distinct by definition, as only cyclic writes are. A hot set larger than the non-zero memory is
    all of it. Raises ValueError for no memory, a ratio outside 0..1 or figures below 0.
    """
    if not 0 <= zero_page_ratio <= 1:
        raise ValueError(f"zero page ratio must be within 0..1, not {zero_page_ratio:g}")
    pages = memory_bytes / PAGE_BYTES
    nonzero = pages * (1 - zero_page_ratio)
    hot = min(nonzero, hot_set_bytes / PAGE_BYTES)
    parts: tuple[Dirtying, ...] = (
        Cyclic(hot, min(hot / HOT_PERIOD, HOT_RATE)),
        Cyclic(nonzero - hot, dirty_rate / PAGE_BYTES),
    )
    used = tuple(part for part in parts if part.working_set and part.rate)
    return Memory(pages, pages - nonzero, used, cpu_bound)
