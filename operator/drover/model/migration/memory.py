"""What a migration sends: pages, what each costs on the wire, and how they are dirtied again."""

from __future__ import annotations

from dataclasses import dataclass, field

from drover.model.migration.dirty import Dirtying

PAGE_BYTES = 4096
PAGE_HEADER_BYTES = 8
"""Address and flags before each page on the wire (QEMU `ram_save_page`)."""
ZERO_PAGE_BYTES = 9
"""A zero page on the wire: the header and the fill byte (QEMU `save_zero_page`)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a guest, or the blocks of a disk, in pages.

    Raises ValueError for no pages, more zero pages than pages, working sets that do not fit the rest, or a
    share outside 0..1.
    """

    pages: float
    """All of them."""
    zero_pages: float = 0.0
    """Those that are all zeros: only the first pass meets them."""
    dirty: tuple[Dirtying, ...] = ()
    """Disjoint working sets; the rest is never written again."""
    cpu_bound: float = 1.0
    """Share of the guest's CPU time that its writes take: they slow down once less is left to it. 0 = devices write."""
    page_bytes: float = PAGE_BYTES
    header_bytes: float = PAGE_HEADER_BYTES
    zero_page_bytes: float = ZERO_PAGE_BYTES
    hot_pages: float = field(init=False, repr=False, compare=False)
    """Of all working sets."""
    dirty_rate: float = field(init=False, repr=False, compare=False)
    """Bytes on the wire a second, at the steepest."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hot_pages", sum(part.working_set for part in self.dirty))
        object.__setattr__(self, "dirty_rate", sum(part.rate for part in self.dirty) * self.wire_page)
        if self.pages <= 0 or self.page_bytes <= 0:
            raise ValueError("memory must have at least one page of at least one byte")
        if not 0 <= self.zero_pages <= self.pages:
            raise ValueError(f"zero pages must be within 0..{self.pages:g}, not {self.zero_pages:g}")
        if not 0 <= self.cpu_bound <= 1:
            raise ValueError(f"the CPU-bound share must be within 0..1, not {self.cpu_bound:g}")
        if self.cold_pages < -1e-6 * self.pages:
            raise ValueError(
                f"working sets of {self.hot_pages:g} pages do not fit {self.nonzero_pages:g} non-zero pages"
            )

    @property
    def bytes(self) -> float:
        return self.pages * self.page_bytes

    @property
    def nonzero_pages(self) -> float:
        return self.pages - self.zero_pages

    @property
    def cold_pages(self) -> float:
        return self.nonzero_pages - self.hot_pages

    @property
    def wire_page(self) -> float:
        """Bytes of a page and its header."""
        return self.page_bytes + self.header_bytes

    @property
    def wire_bytes(self) -> float:
        """Bytes of the first pass: of all pages, without compression."""
        return self.nonzero_pages * self.wire_page + self.zero_pages * self.zero_page_bytes
