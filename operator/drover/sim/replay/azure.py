"""The Azure trace of 2017 (AzurePublicDataset, CC-BY-4.0), as huaweicloud/trace_generation_rnn (MIT) gives it.

One row a virtual machine: ``arrive_s`` and ``batch`` (a burst of one tenant), ``vcpu`` and ``mem_gib``, its lifetime to
within a bin, ``life_lo_s`` to ``life_hi_s``, and ``censored`` where it outlived the trace. The reading: a lifetime is
drawn evenly from its bin, a censored virtual machine stays, and the trace ends with the last arrival's five minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from drover.sim.replay.reading import TraceError, records
from drover.sim.replay.workload import CAPACITY, FloatArray, IntArray, Workload

COLUMNS: Final = ("arrive_s", "vcpu", "mem_gib", "life_lo_s", "life_hi_s", "censored")
PERIOD_SECONDS: Final = 300
"""Arrivals are told to five minutes."""
_UNITS: Final = (1000, 2**30)


def read(lines: Iterable[str], seed: int = 0) -> Workload:
    """The trace, its rows in the order of arrival. Lifetimes are drawn with the seed."""
    try:
        table = np.array([[float(value) for value in row] for row in records(lines, COLUMNS, "azure2017")])
    except ValueError as error:
        raise TraceError(f"azure2017: {error}: all of {', '.join(COLUMNS)} must be numbers") from error
    if not len(table):
        raise TraceError("azure2017: the trace has no rows")
    comes, shortest, longest, censored = table[:, 0], table[:, 3], table[:, 4], table[:, 5] != 0
    lifetimes = shortest + np.random.default_rng(seed).random(len(table)) * (longest - shortest)
    sizes = np.rint(table[:, 1:3] * _UNITS).astype(np.int64)
    _check(comes, sizes)
    goes = np.where(censored, np.inf, comes + lifetimes)
    return Workload(comes, goes, sizes, float(comes.max()) + PERIOD_SECONDS)


def _check(comes: FloatArray, sizes: IntArray) -> None:
    early = np.flatnonzero(np.diff(comes) < 0)
    if len(early):
        raise TraceError(f"azure2017: line {early[0] + 3} arrives before line {early[0] + 2}: sort by arrive_s")
    odd = np.flatnonzero(((sizes < 1) | (sizes > CAPACITY)).any(axis=1))
    if len(odd):
        vcpus, gib = sizes[odd[0]] / _UNITS
        most = " and ".join(f"{amount:g}" for amount in CAPACITY / _UNITS)
        raise TraceError(f"azure2017: line {odd[0] + 2} wants {vcpus:g} vCPU and {gib:g} GiB; a host has {most}")
