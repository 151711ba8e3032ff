"""The policies that a workload is replayed with, and what each comes to beside the bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from drover.model.placement.lifetimes import Ends
from drover.sim.replay.arrivals import Replayed, replay
from drover.sim.replay.pools import DroverPool, FirstFit, Pool
from drover.sim.replay.workload import Usage, Workload, bound


class Policy(NamedTuple):
    name: str
    pool: Callable[[Workload], Pool]
    drains: bool = False
    """Whether hosts are emptied into others every hour."""


POLICIES: Final = (
    Policy("Pack", lambda workload: DroverPool(workload, "Pack")),
    Policy("Balance", lambda workload: DroverPool(workload, "Balance")),
    Policy("First fit", FirstFit),
    Policy("Pack, lifetimes", lambda workload: DroverPool(workload, "Pack", Ends())),
    Policy("Pack, drained", lambda workload: DroverPool(workload, "Pack"), drains=True),
)


Progress = Callable[[str, float], None]
"""Takes the policy that is replayed, and the share of it that is done."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a policy comes to. "Over" is beyond the bound, in percent of it."""

    policy: str
    host_hours: float
    host_hours_over_percent: float
    peak_hosts: int
    peak_over_percent: float
    migrations: int
    migrated_percent: float
    """Migrations in percent of all virtual machines of the trace."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every policy beside the bound."""

    virtual_machines: int
    bound: Usage
    replays: Mapping[str, Replayed]

    def figures(self) -> Iterator[Figures]:
        for policy, (usage, migrations) in self.replays.items():
            yield Figures(
                policy=policy,
                host_hours=usage.host_hours,
                host_hours_over_percent=100 * (usage.host_hours / self.bound.host_hours - 1),
                peak_hosts=usage.peak,
                peak_over_percent=100 * (usage.peak / self.bound.peak - 1),
                migrations=migrations,
                migrated_percent=100 * migrations / self.virtual_machines,
            )


def compare(workload: Workload, *, drain_budget: float, progress: Progress = lambda _, __: None) -> Comparison:
    """Replays the workload with every policy. The budget is the share of virtual machines that an hour may move."""
    replays = {}
    for policy in POLICIES:
        replays[policy.name] = replay(
            workload,
            policy.pool(workload),
            drain_budget=drain_budget if policy.drains else 0,
            progress=partial(progress, policy.name),
        )
    return Comparison(len(workload), bound(workload), replays)
