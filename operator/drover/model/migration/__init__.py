"""Live migration: predict a move, play it pass by pass, and fit many moves into slots.

`Guest`, `Link` and `Policy` go in; `estimate` forecasts with the same steps (`first_pass`, `next_step`,
`send_pass`, `stop_and_copy`) that a driver plays one by one with `pass_noise`. `schedule` plans many moves,
`admit` starts them.

`Memory` with its dirty curves, `Link` and a `StopPolicy` (one of `PRESETS`) make a `Course`: the finer model, with the
stop rules of the hypervisors, behind `drover estimate`.
"""

from drover.model.migration.admission import PRIORITIES, Active, Admission, Queued, Waiting, admit
from drover.model.migration.course import Course, Pass, run
from drover.model.migration.dirty import Cyclic, Dirtying, Measured, Uniform
from drover.model.migration.estimate import Estimate, estimate
from drover.model.migration.guest import Guest
from drover.model.migration.link import Link, max_min_fair
from drover.model.migration.memory import Memory
from drover.model.migration.modes import Mode, StorageMove, WanLimits, cold, in_mode, path_bandwidth, with_storage
from drover.model.migration.noise import pass_noise, quantile_noise
from drover.model.migration.precopy import (
    Continue,
    GiveUp,
    GiveUpReason,
    PassState,
    Played,
    Policy,
    StopAndCopy,
    SwitchOver,
    first_pass,
    next_step,
    pass_duration,
    play,
    send_pass,
    stop_and_copy,
)
from drover.model.migration.rules import Verdict, implied_downtime
from drover.model.migration.schedule import Move, Schedule, schedule
from drover.model.migration.setting import Hypervisor, Setting
from drover.model.migration.slots import BlockedBy, Limits
from drover.model.migration.stop import PRESETS, Aids, AutoConverge, Reason, Stall, StopPolicy

__all__ = [
    "PRESETS",
    "PRIORITIES",
    "Active",
    "Admission",
    "Aids",
    "AutoConverge",
    "BlockedBy",
    "Continue",
    "Course",
    "Cyclic",
    "Dirtying",
    "Estimate",
    "GiveUp",
    "GiveUpReason",
    "Guest",
    "Hypervisor",
    "Limits",
    "Link",
    "Measured",
    "Memory",
    "Mode",
    "Move",
    "Pass",
    "PassState",
    "Played",
    "Policy",
    "Queued",
    "Reason",
    "Schedule",
    "Setting",
    "Stall",
    "StopAndCopy",
    "StopPolicy",
    "StorageMove",
    "SwitchOver",
    "Uniform",
    "Verdict",
    "Waiting",
    "WanLimits",
    "admit",
    "cold",
    "estimate",
    "first_pass",
    "implied_downtime",
    "in_mode",
    "max_min_fair",
    "next_step",
    "pass_duration",
    "pass_noise",
    "path_bandwidth",
    "play",
    "quantile_noise",
    "run",
    "schedule",
    "send_pass",
    "stop_and_copy",
    "with_storage",
]
