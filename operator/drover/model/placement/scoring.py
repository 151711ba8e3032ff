"""The score of a host for a request, as a sum of parts that each follow from one or two resources.

With u the fraction of a resource in use once the request is placed and w its weight, the weights summing to 1::

    cpu + memory:  (goal_cpu + goal_memory + 0.25 x (1 - |u_cpu - u_memory|)) / 1.25
    disk:           goal_disk / 1.25
    network:        goal_network / 1.25
    goal            w x u where the strategy is Pack, w x (1 - u) where it is Balance

The sum is from 0 to 1: mean use, or its contrary, less a quarter of the imbalance. The last term keeps CPU from being
stranded beside full memory, or memory beside full CPU (kube-scheduler's NodeResourcesBalancedAllocation). Where the
request does not fit, a part is minus infinity, and so is the sum.

Every function takes one host with many needs, or one need with many hosts: the fields of its arguments are numbers or
arrays that broadcast. Both ways give the same bits, because the same operations run in the same order.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from drover.model.placement.hosts import Shape
from drover.model.placement.resources import Resources

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.floating[Any]]
Scores = npt.NDArray[np.float32]
Int = int | IntArray
Float = float | FloatArray

IMBALANCE_WEIGHT: Final = 0.25
"""What using CPU and memory unevenly costs, beside 1 for the mean use of the weighted resources."""
INFEASIBLE: Final = np.float32(-np.inf)
LARGEST: Final = 2**60
"""Amounts are capped here, so that sums and differences of a few stay inside int64."""
_SCALE: Final = 1 / (1 + IMBALANCE_WEIGHT)


class Amounts(NamedTuple):
    """What is in use on hosts, or needed by requests; the fields of ``Resources`` but GPUs."""

    milli_cpu: Int
    memory: Int
    disk: Int
    bandwidth: Int
    milli_threads: Int


class Limits(NamedTuple):
    """What follows from a host's shape."""

    cpu: Int
    memory: Int
    disk: Int
    bandwidth: Int
    total_cpu: Int
    total_memory: Int
    total_disk: Int
    threads: Int
    ratio_numerator: Int
    ratio_denominator: Int
    cpu_weight: Float
    memory_weight: Float
    disk_weight: Float
    network_weight: Float
    cpu_share: Float
    """1 / allocatable, and 0 where nothing is; so on for each resource."""
    memory_share: Float
    disk_share: Float
    network_share: Float
    packs: Float
    """1 where the strategy is Pack, 0 where it is Balance."""


def limits_of(shape: Shape) -> Limits:
    limit, total = capped(shape.allocatable), capped(shape.total)
    weights = [weight / (sum(shape.weights) or 1) for weight in shape.weights]
    shares = [1 / amount if amount else 0.0 for amount in limit[:4]]
    ratio, packs = (shape.cpu_ratio.numerator, shape.cpu_ratio.denominator), float(shape.strategy == "Pack")
    return Limits._make((*limit[:4], *total[:3], min(shape.threads, LARGEST), *ratio, *weights, *shares, packs))


def capped(amounts: Resources) -> tuple[int, ...]:
    """The numbers of an amount, GPUs apart, kept inside what int64 can add."""
    numbers = amounts[:5]
    if min(numbers) >= -LARGEST and max(numbers) <= LARGEST:
        return numbers
    return tuple(max(-LARGEST, min(number, LARGEST)) for number in numbers)


def cpu_memory_part(used: Amounts, limits: Limits, need: Amounts, guest_milli_cpu: Int) -> Scores:
    cpu = cpu_in_use(used, limits, need)
    memory = used.memory + need.memory
    fits = fits_cpu(cpu, limits, need, guest_milli_cpu) & _fits(memory, limits.memory, need.memory, limits.total_memory)
    u_cpu, u_memory = cpu * limits.cpu_share, memory * limits.memory_share
    goal = _goal(limits.cpu_weight, u_cpu, limits.packs) + _goal(limits.memory_weight, u_memory, limits.packs)
    return _where(fits, (goal + IMBALANCE_WEIGHT * (1 - np.abs(u_cpu - u_memory))) * _SCALE)


def disk_part(used: Amounts, limits: Limits, need: Amounts) -> Scores:
    disk = used.disk + need.disk
    fits = _fits(disk, limits.disk, need.disk, limits.total_disk)
    return _where(fits, _goal(limits.disk_weight, disk * limits.disk_share, limits.packs) * _SCALE)


def network_part(used: Amounts, limits: Limits, need: Amounts) -> Scores:
    bandwidth = used.bandwidth + need.bandwidth
    fits = _fits(bandwidth, limits.bandwidth, need.bandwidth, LARGEST)
    return _where(fits, _goal(limits.network_weight, bandwidth * limits.network_share, limits.packs) * _SCALE)


def parts(used: Resources, shape: Shape, need: Resources) -> dict[str, float]:
    """What the score of one host that fits is the sum of, for people."""
    taken, wanted, limits = Amounts(*capped(used)), Amounts(*capped(need)), limits_of(shape)
    u_cpu = float(cpu_in_use(taken, limits, wanted) * limits.cpu_share)
    u_memory = float((taken.memory + wanted.memory) * limits.memory_share)
    u_disk = float((taken.disk + wanted.disk) * limits.disk_share)
    u_network = float((taken.bandwidth + wanted.bandwidth) * limits.network_share)
    return {
        "cpu": float(_goal(limits.cpu_weight, u_cpu, limits.packs)) * _SCALE,
        "memory": float(_goal(limits.memory_weight, u_memory, limits.packs)) * _SCALE,
        "balance": IMBALANCE_WEIGHT * (1 - abs(u_cpu - u_memory)) * _SCALE,
        "disk": float(_goal(limits.disk_weight, u_disk, limits.packs)) * _SCALE,
        "network": float(_goal(limits.network_weight, u_network, limits.packs)) * _SCALE,
    }


def cpu_in_use(used: Amounts, limits: Limits, need: Amounts) -> Int:
    """vCPUs claimed once the request is placed: shared ones, and those that can no longer be promised because whole
    threads are taken."""
    left = limits.threads - used.milli_threads - need.milli_threads
    return used.milli_cpu + need.milli_cpu + limits.cpu - left * limits.ratio_numerator // limits.ratio_denominator


def fits_cpu(cpu: Int, limits: Limits, need: Amounts, guest_milli_cpu: Int) -> npt.NDArray[np.bool_]:
    nothing = np.equal(need.milli_cpu + need.milli_threads, 0)
    fits: npt.NDArray[np.bool_] = (nothing | (cpu <= limits.cpu)) & (guest_milli_cpu <= np.asarray(limits.total_cpu))
    return fits


def _fits(amount: Int, limit: Int, need: Int, total: Int) -> npt.NDArray[np.bool_]:
    """Nothing fits everywhere, even where too much is charged already."""
    fits: npt.NDArray[np.bool_] = np.equal(need, 0) | ((amount <= np.asarray(limit)) & (need <= np.asarray(total)))
    return fits


def _goal(weight: Float, used: Float, packs: Float) -> Float:
    """``weight x used`` where the host packs, ``weight x (1 - used)`` where it balances."""
    return weight * ((1 - packs) + (2 * packs - 1) * used)


def _where(fits: npt.NDArray[np.bool_], part: Float) -> Scores:
    scores: Scores = np.where(fits, part, -np.inf).astype(np.float32)
    return scores
