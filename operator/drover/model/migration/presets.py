"""What the hypervisors and their managers do, as data.

Sources: QEMU 7.2 migration/migration.c; Xen xc_domain_save.c and xg_sr_save.c; Clark et al., NSDI 2005, section 5;
nova/conf/libvirt.py; KubeVirt VEP 248 and VEP 291. What vMotion and Hyper-V do is not published in full: their presets
are modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from drover.model.migration.stop import AdaptiveRate, Aids, DowntimeSteps, DowntimeTuning, Stall, StopPolicy

_MBIT = 1e6 / 8
_QEMU = StopPolicy(end_pass_at="threshold", switchover_bandwidth="measured", window=0.1, burst=0.05)
"""BUFFER_DELAY and MAX_WAIT: a rate cap counts in windows of 100 ms, a pass looks up after each burst of 50 ms."""

PRESETS: Mapping[str, StopPolicy] = MappingProxyType(
    {
        "textbook": StopPolicy(),
        "xen-legacy": StopPolicy(
            max_downtime=None,
            min_dirty_pages=50,
            non_shrinking=True,
            max_passes=29,
            max_transfer_factor=3.0,
            on_exhausted=("stopAndCopy",),
        ),
        "xen": StopPolicy(max_downtime=None, min_dirty_pages=50, max_passes=5, on_exhausted=("stopAndCopy",)),
        "qemu": _QEMU,
        "vmotion": StopPolicy(max_downtime=0.5, aids=Aids(stun=0.9)),
        "hyperv": StopPolicy(max_downtime=None, min_dirty_pages=50, max_passes=10, on_exhausted=("stopAndCopy",)),
        "clark": StopPolicy(
            max_downtime=None,
            min_remaining_bytes=256 << 10,
            rate=AdaptiveRate(start=100 * _MBIT, step=50 * _MBIT, most=500 * _MBIT),
            on_exhausted=("stopAndCopy",),
        ),
        "nova": replace(
            _QEMU,
            max_downtime=0.5,
            completion_timeout_per_gib=800.0,
            downtime_steps=DowntimeSteps(steps=10, delay_per_gib=75.0),
        ),
        "kubevirt-vep248": replace(
            _QEMU, max_downtime=0.9, stall=Stall(progress_timeout=60.0), completion_timeout_per_gib=150.0
        ),
        "kubevirt": replace(
            _QEMU,
            max_downtime=0.9,
            downtime_tuning=DowntimeTuning(),
            stall=Stall(),
            progress_timeout=150.0,
            completion_timeout_per_gib=150.0,
        ),
    }
)
