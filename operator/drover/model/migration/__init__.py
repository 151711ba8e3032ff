"""Live migration: predict a move, play it pass by pass, and fit many moves into slots.

`Guest`, `Link` and `Policy` go in; `estimate` forecasts with the same steps (`first_pass`, `next_step`,
`send_pass`, `stop_and_copy`) that a driver plays one by one with `pass_noise`. `schedule` plans many moves,
`admit` starts them.
"""

from drover.model.migration.admission import PRIORITIES, Active, Admission, Queued, Waiting, admit
from drover.model.migration.estimate import Estimate, estimate
from drover.model.migration.guest import Guest
from drover.model.migration.link import Link, max_min_fair
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
from drover.model.migration.schedule import Move, Schedule, schedule
from drover.model.migration.slots import BlockedBy, Limits

__all__ = [
    "PRIORITIES",
    "Active",
    "Admission",
    "BlockedBy",
    "Continue",
    "Estimate",
    "GiveUp",
    "GiveUpReason",
    "Guest",
    "Limits",
    "Link",
    "Move",
    "PassState",
    "Played",
    "Policy",
    "Queued",
    "Schedule",
    "StopAndCopy",
    "SwitchOver",
    "Waiting",
    "admit",
    "estimate",
    "first_pass",
    "max_min_fair",
    "next_step",
    "pass_duration",
    "pass_noise",
    "play",
    "quantile_noise",
    "schedule",
    "send_pass",
    "stop_and_copy",
]
