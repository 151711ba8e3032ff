"""NUMA cells: which of them a guest is given, and whether it fits there.

A guest without a NUMA policy floats over all cells and is charged to the host alone (as Nova does).
"""

from __future__ import annotations

from drover.model.placement.claims import CellLoad, CellLoads, share
from drover.model.placement.hosts import Shape
from drover.model.placement.resources import Resources


def choose(shape: Shape, loads: CellLoads, resources: Resources, numa_nodes: int) -> tuple[int, ...] | None:
    """The fullest cells that fit, in ascending order; () without a policy and None where there are not enough."""
    if not numa_nodes:
        return ()
    part = share(resources, numa_nodes)
    loads = (*loads, *[CellLoad()] * shape.cells)[: shape.cells]
    fitting = [
        (_free_cpu(shape, load), -load.memory, cell) for cell, load in enumerate(loads) if _fits(shape, load + part)
    ]
    if len(fitting) < numa_nodes:
        return None
    return tuple(sorted(cell for _, _, cell in sorted(fitting)[:numa_nodes]))


def _fits(shape: Shape, after: CellLoad) -> bool:
    return _free_cpu(shape, after) >= 0 and after.memory <= shape.cell_memory


def _free_cpu(shape: Shape, load: CellLoad) -> int:
    threads = shape.threads // shape.cells - load.milli_threads
    return threads * shape.cpu_ratio.numerator // shape.cpu_ratio.denominator - load.milli_cpu


def times(shape: Shape, loads: CellLoads, resources: Resources, numa_nodes: int) -> int:
    """How many such guests the cells hold one after another."""
    part, count = share(resources, numa_nodes), 0
    taken = list(loads + (CellLoad(),) * (shape.cells - len(loads)))
    while (part.memory or part.milli_cpu or part.milli_threads) and (
        chosen := choose(shape, tuple(taken), resources, numa_nodes)
    ):
        for cell in chosen:
            taken[cell] += part
        count += 1
    return count
