"""How a live migration is done: the block that a MigrationPolicy gives and a MigrationPlan may override."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model
from drover.api.quantity import Quantity, Ratio
from drover.api.schema import Rule, quantity_rule, ratio_rule

Compression = Literal["none", "zstd"]

Milliseconds = Annotated[int, Field(ge=1, le=2_000_000)]
"""A pause of the guest; at most QEMU's largest downtime limit."""


class DowntimeTuning(Model):
    """The ramp of the downtime limit (KubeVirt VEP 291): it begins low and rises in even steps to maxDowntimeMs."""

    initial_ms: Milliseconds = 150
    """The limit at first, in milliseconds."""
    steps: Annotated[int, Field(ge=1, le=100)] = 7
    """Steps from initialMs to maxDowntimeMs."""
    start_after_iteration: Annotated[int, Field(ge=1, le=1000)] = 3
    """The pass after which the limit rises for the first time."""
    cooldown_seconds: Annotated[int, Field(ge=1, le=3600)] = 10
    """Seconds between two steps."""


class StallDetector(Model):
    """When passes no longer help, and what then (KubeVirt VEP 248)."""

    stall_margin: Annotated[int, Field(ge=0, le=100)] = 4
    """Percent: a pass helps if it leaves so much less than every pass older than stallProgressTimeout; and it is as
    good as the best one if it leaves no more than so much above that."""
    stall_progress_timeout: Annotated[int, Field(ge=0, le=86400)] = 40
    """Seconds without a pass that helps, after which the copy is stalled."""
    switchover_timeout: Annotated[int, Field(ge=0, le=86400)] = 60
    """Seconds within which the guest must be paused once that is decided, or the copy is given up."""
    ewma_alpha: Annotated[
        Ratio,
        ratio_rule(
            "double(self) > 0.0 && double(self) <= 1.0",
            "stallDetector.ewmaAlpha must be above 0 and at most 1, such as 0.4",
        ),
    ] = Ratio("0.4")
    """Weight of the newest sample in the smoothed bandwidth, above 0 to 1."""
    precopy_possible_factor: Annotated[
        Ratio,
        ratio_rule(
            "double(self) >= 1.0", "stallDetector.precopyPossibleFactor must be at least 1 (1.5: half above the limit)"
        ),
    ] = Ratio("1.5")
    """A stalled copy that implies a pause above maxDowntimeMs times this is given up, at least 1."""
    patience_window_decay_factor: Annotated[
        Ratio,
        ratio_rule(
            "double(self) < 1.0",
            "stallDetector.patienceWindowDecayFactor must be below 1, or a stalled copy would wait for ever",
        ),
    ] = Ratio("0.5")
    """A stalled copy waits for a pass as good as the best; each time in vain it asks for less, and waits for this share
    of the last wait, below 1."""
    search_local_minima: bool = True
    """Whether a stalled copy waits for a pass as good as the best before anything is done about it."""


class MigrationSettings(Model):
    """How a copy ends and what may help it. What is not set is the cluster's default, given at each field.

    downtimeTuning and stallDetector are taken whole: what one of them does not say is its own default.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.allowPostCopy) || !self.allowPostCopy || !has(self.compression) || self.compression == 'none'",
            "compression is not modelled together with post-copy: set compression none or allowPostCopy false",
        ),
        Rule(
            "!has(self.maxDowntimeMs) || !has(self.downtimeTuning)"
            " || self.downtimeTuning.initialMs <= self.maxDowntimeMs",
            "downtimeTuning.initialMs (150 unless set) must not be above maxDowntimeMs, which the ramp rises to:"
            " lower initialMs or raise maxDowntimeMs",
        ),
    )

    bandwidth_per_migration: (
        Annotated[
            Quantity,
            quantity_rule(
                "quantity(self).compareTo(quantity('0')) == 0 || quantity(self).compareTo(quantity('1Mi')) >= 0",
                "bandwidthPerMigration is in bytes a second: set 0 (no limit) or at least 1Mi, such as 64Mi",
            ),
        ]
        | None
    ) = None
    """Bytes a second that a copy may take; 0 = no limit beside its links (default)."""
    completion_timeout_per_gib: Annotated[int | None, Field(ge=1, le=86400, alias="completionTimeoutPerGiB")] = None
    """Seconds for each GiB of memory within which a copy must end (default 150)."""
    progress_timeout: Annotated[int, Field(ge=1, le=86400)] | None = None
    """Seconds without net progress after which a copy is given up (default 150)."""
    max_downtime_ms: Milliseconds | None = None
    """Milliseconds the guest may pause (default 900)."""
    allow_auto_converge: bool | None = None
    """Whether the guest's CPUs may be slowed so that it dirties less memory (default false)."""
    allow_post_copy: bool | None = None
    """Whether the guest may go on at the target while pages are still at the source (default false): the pause is
    short whatever the guest does, but a failure until all pages are there loses the guest's memory."""
    allow_workload_disruption: bool | None = None
    """Whether the guest may be paused for longer than maxDowntimeMs where nothing else ends the copy (default
    false)."""
    compression: Compression | None = None
    """How pages are compressed on the way (default none)."""
    downtime_tuning: DowntimeTuning | None = None
    """How the downtime limit rises (default: the defaults of its fields)."""
    stall_detector: StallDetector | None = None
    """How a stalled copy is recognised (default: the defaults of its fields)."""
