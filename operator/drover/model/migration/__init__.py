"""Live migration: predict a move, play it pass by pass, and fit many moves into slots and links.

`Memory` with its dirty curves, `Link`, a `StopPolicy` (one of `PRESETS`, or a MigrationPolicy's) and `Noise` make a
`Setting`; `begin`, `advance` and `decide` step through its passes, `ending` is what follows them. The same steps are
behind a `Course` (one move alone), the `Network` (moves that share cards, as the simulated driver plays them) and the
`forecast` of a plan. `wait_of` and `may_start` say whose turn it is.
"""

from drover.model.migration.admission import PRIORITIES, Queued, Waiting, may_start, rank, wait_of
from drover.model.migration.advice import advise
from drover.model.migration.course import Course, Pass, run
from drover.model.migration.dirty import Cyclic, Dirtying, Measured, Uniform
from drover.model.migration.ending import Ending, ending
from drover.model.migration.estimate import Estimate, LimitedBy, estimate
from drover.model.migration.forecast import Band, Forecast, forecast, is_better_alone
from drover.model.migration.legs import Card, Passes, Rest, Route, passes_share
from drover.model.migration.limits import downtime_limit
from drover.model.migration.link import Link, max_min_fair
from drover.model.migration.memory import Memory
from drover.model.migration.modes import Mode, StorageMove, WanLimits, cold, in_mode, path_bandwidth, with_storage
from drover.model.migration.network import Ended, Network
from drover.model.migration.noise import NONE, Constant, Drawn, Noise, Quiet, pass_noise, quantile_noise
from drover.model.migration.play import Conduct, Move, Played, hand_over
from drover.model.migration.presets import PRESETS
from drover.model.migration.rounds import advance, begin, pass_left, resumed, send_rate, send_round
from drover.model.migration.rules import Decision, decide
from drover.model.migration.setting import MODELLED, Hypervisor, Setting
from drover.model.migration.slots import BlockedBy, Limits, Slots
from drover.model.migration.state import State
from drover.model.migration.stop import Aids, AutoConverge, DowntimeTuning, Exhausted, Reason, Stall, StopPolicy
from drover.model.migration.verdict import Verdict, implied_downtime, judge
from drover.model.migration.workload import guest_memory

__all__ = [
    "MODELLED",
    "NONE",
    "PRESETS",
    "PRIORITIES",
    "Aids",
    "AutoConverge",
    "Band",
    "BlockedBy",
    "Card",
    "Conduct",
    "Constant",
    "Course",
    "Cyclic",
    "Decision",
    "Dirtying",
    "DowntimeTuning",
    "Drawn",
    "Ended",
    "Ending",
    "Estimate",
    "Exhausted",
    "Forecast",
    "Hypervisor",
    "LimitedBy",
    "Limits",
    "Link",
    "Measured",
    "Memory",
    "Mode",
    "Move",
    "Network",
    "Noise",
    "Pass",
    "Passes",
    "Played",
    "Queued",
    "Quiet",
    "Reason",
    "Rest",
    "Route",
    "Setting",
    "Slots",
    "Stall",
    "State",
    "StopPolicy",
    "StorageMove",
    "Uniform",
    "Verdict",
    "Waiting",
    "WanLimits",
    "advance",
    "advise",
    "begin",
    "cold",
    "decide",
    "downtime_limit",
    "ending",
    "estimate",
    "forecast",
    "guest_memory",
    "hand_over",
    "implied_downtime",
    "in_mode",
    "is_better_alone",
    "judge",
    "max_min_fair",
    "may_start",
    "pass_left",
    "pass_noise",
    "passes_share",
    "path_bandwidth",
    "quantile_noise",
    "rank",
    "resumed",
    "run",
    "send_rate",
    "send_round",
    "wait_of",
    "with_storage",
]
