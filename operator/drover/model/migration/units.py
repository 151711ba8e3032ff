"""Figures in messages: sizes in binary units, as memory is ordered; rates in decimal ones, as links are."""

from __future__ import annotations


def size(count: float) -> str:
    """Bytes as "2.0 GiB"."""
    return _scaled(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def rate(bytes_per_second: float) -> str:
    """Bytes a second as "7.2 GB/s"."""
    return _scaled(bytes_per_second, 1000, ("B/s", "kB/s", "MB/s", "GB/s", "TB/s"))


def span(seconds: float) -> str:
    """Seconds as "300 ms", "4.3 s" or "1200 s"."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def _scaled(value: float, base: int, names: tuple[str, ...]) -> str:
    power = 0
    while value >= base and power < len(names) - 1:
        value /= base
        power += 1
    return f"{value:.0f} {names[power]}" if value >= 100 or power == 0 else f"{value:.1f} {names[power]}"
