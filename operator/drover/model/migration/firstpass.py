"""The order in which the first pass meets the pages of a guest, which decides what it leaves when it ends early.

It goes by address, and so meets a Linux guest's pages in this order: those in use, of all kinds alike; free ones, which
are zero if they have never been used; and at the top the kernel's map of all pages, which it makes as it boots. QEMU
counts a zero page as a whole one when it asks whether the rest fits, though it is sent in no time.
"""

from __future__ import annotations

from typing import NamedTuple

from drover.model.migration.setting import Setting
from drover.model.migration.state import Left, State

PAGE_MAP_SHARE = 64 / 4096
"""Of memory, in the kernel's map of its pages: 64 bytes (struct page) for each 4 KiB."""


class _Order(NamedTuple):
    """Pages, as they are met."""

    used: float
    zero: float
    page_map: float


def first_fits(state: State, enough: float, given: Setting) -> float:
    """Bytes after which what is left fits `enough` bytes."""
    order, memory = _order(state, given), given.memory
    if given.policy.switchover_bandwidth != "measured":
        return max(0.0, state.whole - enough)
    page = memory.wire_page * given.policy.aids.compression
    room = enough / memory.page_bytes
    page_map = min(room, order.page_map)
    zero = min(room - page_map, order.zero)
    used = min(room - page_map - zero, order.used)
    nonzero = order.used - used + (order.page_map - page_map if not zero else 0.0)
    return nonzero * page + (order.zero - zero) * memory.zero_page_bytes


def first_left(state: State, sent: float, given: Setting) -> Left:
    """What is left of everything after `sent` bytes."""
    order, left, memory = _order(state, given), state.left, given.memory
    page = memory.wire_page * given.policy.aids.compression
    used = max(0.0, 1 - sent / (order.used * page)) if order.used else 0.0
    past_used = max(0.0, sent - order.used * page)
    zero = max(0.0, order.zero - past_used / memory.zero_page_bytes)
    past_zero = max(0.0, past_used - order.zero * memory.zero_page_bytes)
    page_map = max(0.0, order.page_map - past_zero / page)
    cold = (left.cold - order.page_map) * used + page_map
    return Left(tuple(pages * used for pages in left.hot), cold, zero)


def _order(state: State, given: Setting) -> _Order:
    left = state.left
    page_map = min(left.cold, given.memory.pages * PAGE_MAP_SHARE)
    return _Order(left.nonzero - page_map, left.zero, page_map)
