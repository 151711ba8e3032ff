"""Work so short that looking for garbage costs more than keeping it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """Within, no cycles are collected: modules and lists of objects make many allocations, and few cycles. Nor is what
    was made looked through afterwards.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
