"""Invariant 1: no host is claimed above what it has, in total, by device and in each NUMA cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from fractions import Fraction

from drover.api.host import Host
from drover.sim.picture import Held, Picture


def capacity(before: Picture, now: Picture) -> Iterator[str]:
    """No host is claimed above what is allocatable, unless it shrank under claims that it had already."""
    for name, claims in now.claims.items():
        grown = {uid for uid, held in claims.items() if before.claims.get(name, {}).get(uid) != held}
        if not grown:
            continue
        who = ", ".join(sorted(now.vms[uid].name for uid in grown))
        host = now.hosts.get(name)
        if host is None:
            yield f"capacity: {who} placed on host {name}, which does not exist"
            continue
        for excess in excesses(host, claims.values()):
            yield f"capacity: host {name} has {excess} claimed by {len(claims)} VMs, the last by {who}"


def excesses(host: Host, claims: Collection[Held]) -> Iterator[str]:
    """What is claimed of a host above (total - reserved) x overcommit, each as ``amount resource of limit``.

    Whole threads are taken out before the rest is overcommitted: vCPUs + threads x ratio may not exceed the limit.
    """
    hardware = host.spec.hardware
    reserved, ratio = hardware.reserved, hardware.overcommit
    threads = _threads(host) - reserved.cpu.milli
    memory = (hardware.memory.bytes - reserved.memory.bytes) * ratio.memory.fraction
    limits: dict[str, tuple[Fraction | int, Fraction | int]] = {
        "milli-vCPUs": (_cpu(claims, ratio.cpu.fraction), threads * ratio.cpu.fraction),
        "bytes of memory": (sum(held.memory for held in claims), memory),
        "bytes of disk": (
            sum(held.disk for held in claims),
            (hardware.disk.bytes - reserved.disk.bytes) * ratio.disk.fraction,
        ),
        "bytes a second": (
            sum(held.bandwidth for held in claims),
            sum(nic.bandwidth.bytes for nic in hardware.nics if nic.role in ("Tenant", "Shared")),
        ),
    }
    devices = {gpu.device_name: gpu.count for gpu in hardware.gpus}
    taken: Counter[str] = Counter()
    for held in claims:
        taken.update(dict(held.gpus))
    limits |= {device: (count, devices.get(device, 0)) for device, count in taken.items()}
    for cell in range(hardware.cpu.sockets):
        shares = [_share(held) for held in claims if cell in held.cells]
        most = threads * ratio.cpu.fraction / hardware.cpu.sockets
        limits[f"milli-vCPUs of cell {cell}"] = (_cpu(shares, ratio.cpu.fraction), most)
        limits[f"bytes of cell {cell}"] = (sum(held.memory for held in shares), memory / hardware.cpu.sockets)
    for what, (amount, limit) in limits.items():
        if amount > limit:
            yield f"{float(amount):.0f} {what} of {float(limit):.0f}"


def too_large(host: Host, held: Held, vcpus: int) -> bool:
    """Whether a guest is larger than the physical host, whatever is overcommitted."""
    hardware = host.spec.hardware
    limits = ((vcpus * 1000, _threads(host)), (held.memory, hardware.memory.bytes), (held.disk, hardware.disk.bytes))
    return any(amount > limit for amount, limit in limits)


def _threads(host: Host) -> int:
    cpu = host.spec.hardware.cpu
    return cpu.sockets * cpu.cores_per_socket * cpu.threads_per_core * 1000


def _cpu(claims: Collection[Held], ratio: Fraction) -> Fraction:
    return sum(held.milli_cpu for held in claims) + sum(held.milli_threads for held in claims) * ratio


def _share(held: Held) -> Held:
    """What each of its cells gives, rounded up."""
    parts = len(held.cells)
    cpu, threads, memory = (-(-amount // parts) for amount in held[:3])
    return held._replace(milli_cpu=cpu, milli_threads=threads, memory=memory)
