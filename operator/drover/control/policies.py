"""Which MigrationPolicy a VM is migrated by, and what policy and plan together say.

Of the policies whose selectors match, the most specific holds: more labels, then the higher weight, then the name that
sorts first. A policy under deletion matches nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from drover.api.migrationpolicy import MigrationPolicy, PolicySelectors
from drover.api.migrationsettings import DowntimeTuning, MigrationSettings, StallDetector
from drover.api.namespace import Namespace
from drover.api.virtualmachine import VirtualMachine
from drover.control.world import World
from drover.model import migration as model

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The label by which Kubernetes names each namespace."""


class Rank(NamedTuple):
    """How specific a policy is: of two that match, the one of the lower rank holds."""

    labels: int
    """Labels in its selectors, negated."""
    weight: int
    """Its weight, negated."""
    name: str

    @property
    def stated(self) -> tuple[int, int]:
        """What the user said of it: with this equal, only the name decides."""
        return self.labels, self.weight


def rank(policy: MigrationPolicy) -> Rank:
    selectors = policy.spec.selectors
    labels = len(selectors.namespace_selector) + len(selectors.virtual_machine_selector)
    return Rank(-labels, -policy.spec.weight, policy.name)


class Policies:
    """The policies in force as they are now, for questions about many VMs."""

    def __init__(self, world: World) -> None:
        self._world = world
        in_force = [policy for policy in world.all(MigrationPolicy) if not policy.deleting]
        self._ranked = sorted(in_force, key=rank)
        self._labels: dict[str, Mapping[str, str]] = {}

    def matching(self, vm: VirtualMachine) -> list[MigrationPolicy]:
        """Those that match the VM; the first is the one it is migrated by."""
        own, namespace = vm.metadata.labels, self._labels_of(vm.namespace)
        return [policy for policy in self._ranked if _selects(policy.spec.selectors, own, namespace)]

    def match(self, policy: MigrationPolicy, vm: VirtualMachine) -> bool:
        return _selects(policy.spec.selectors, vm.metadata.labels, self._labels_of(vm.namespace))

    def _labels_of(self, namespace: str) -> Mapping[str, str]:
        """Its labels; its name alone where nothing is known of it, as in a rehearsal."""
        if namespace not in self._labels:
            found = self._world.get(Namespace, "", namespace)
            labels = found.metadata.labels if found is not None else {}
            self._labels[namespace] = {NAMESPACE_NAME: namespace} | labels
        return self._labels[namespace]


def _selects(selectors: PolicySelectors, vm: Mapping[str, str], namespace: Mapping[str, str]) -> bool:
    return (
        selectors.virtual_machine_selector.items() <= vm.items()
        and selectors.namespace_selector.items() <= namespace.items()
    )


class Chosen(NamedTuple):
    """What a VM is migrated by."""

    name: str | None
    """The policy; None where none matches, and the defaults of the cluster hold."""
    settings: MigrationSettings


class PolicyNotFound(NamedTuple):
    """A migration or plan names a policy that does not exist, or that is being deleted."""

    name: str

    @property
    def message(self) -> str:
        return f"MigrationPolicy {self.name} does not exist: create it or remove spec.policyName"


def policy_of(
    vm: VirtualMachine, world: World, name: str | None = None, overrides: MigrationSettings | None = None
) -> Chosen | PolicyNotFound:
    """The policy that is named, or else the most specific that matches; a plan's overrides go before its fields."""
    policy: MigrationPolicy | PolicyNotFound | None
    if name is not None:
        policy = policy_named(name, world)
        if isinstance(policy, PolicyNotFound):
            return policy
    else:
        policy = next(iter(Policies(world).matching(vm)), None)
    settings = settings_of(policy) if policy is not None else MigrationSettings()
    return Chosen(policy.name if policy is not None else None, merged(settings, overrides))


def policy_named(name: str, world: World) -> MigrationPolicy | PolicyNotFound:
    """One under deletion is none any more."""
    policy = world.get(MigrationPolicy, "", name)
    return PolicyNotFound(name) if policy is None or policy.deleting else policy


def settings_of(policy: MigrationPolicy) -> MigrationSettings:
    """How it migrates VMs, without whom it means."""
    return MigrationSettings().model_copy(update=_told(policy.spec))


def _told(settings: MigrationSettings) -> dict[str, object]:
    fields = {name: getattr(settings, name) for name in MigrationSettings.model_fields}
    return {name: value for name, value in fields.items() if value is not None}


def merged(settings: MigrationSettings, overrides: MigrationSettings | None) -> MigrationSettings:
    """``settings`` where ``overrides`` say nothing; where they contradict each other the overrides hold.

    The result keeps the rules of the schema, which each of the two keeps alone. Of a ramp that would begin above the
    pause allowed, the beginning gives way whoever said it.
    """
    if overrides is None:
        return settings
    both = settings.model_copy(update=_told(overrides))
    if both.allow_post_copy and both.compression == "zstd":
        yielding = {"allow_post_copy": False} if overrides.compression == "zstd" else {"compression": "none"}
        both = both.model_copy(update=yielding)
    ramp, most = both.downtime_tuning, both.max_downtime_ms
    if ramp is None or most is None or ramp.initial_ms <= most:
        return both
    return both.model_copy(update={"downtime_tuning": ramp.model_copy(update={"initial_ms": most})})


ZSTD_RATIO = 0.4
"""Bytes sent for each byte of memory (QEMU docs/multi-thread-compression.txt: about 60 % less)."""


def stop_policy(settings: MigrationSettings) -> model.StopPolicy:
    """The settings as rules of the migration model; what they do not say is KubeVirt's default."""
    default = model.PRESETS["kubevirt"]
    most, progress = settings.max_downtime_ms, settings.progress_timeout
    per_gib = settings.completion_timeout_per_gib
    return replace(
        default,
        max_downtime=most / 1000 if most is not None else default.max_downtime,
        progress_timeout=float(progress) if progress is not None else default.progress_timeout,
        completion_timeout_per_gib=float(per_gib) if per_gib is not None else default.completion_timeout_per_gib,
        downtime_tuning=_ramp(settings.downtime_tuning or DowntimeTuning()),
        stall=_stall(settings.stall_detector or StallDetector()),
        on_exhausted=_last_resorts(settings),
        aids=model.Aids(
            auto_converge=model.AutoConverge() if settings.allow_auto_converge else None,
            compression=ZSTD_RATIO if settings.compression == "zstd" else 1.0,
        ),
    )


def _ramp(tuning: DowntimeTuning) -> model.DowntimeTuning:
    """It never allows more than the pause allowed, and so may begin at once with that."""
    return model.DowntimeTuning(
        initial=tuning.initial_ms / 1000,
        steps=tuning.steps,
        start_after_pass=tuning.start_after_iteration,
        cooldown=float(tuning.cooldown_seconds),
    )


def _stall(detector: StallDetector) -> model.Stall:
    return model.Stall(
        progress_timeout=float(detector.stall_progress_timeout),
        margin=detector.stall_margin / 100,
        switchover_timeout=float(detector.switchover_timeout),
        ewma_alpha=float(detector.ewma_alpha.fraction),
        hopeless_factor=float(detector.precopy_possible_factor.fraction),
        relax_decay=float(detector.patience_window_decay_factor.fraction),
        search_local_minima=detector.search_local_minima,
    )


def _last_resorts(settings: MigrationSettings) -> tuple[model.Exhausted, ...]:
    """What ends a copy that does not end by itself, in order."""
    post_copy: tuple[model.Exhausted, ...] = ("postCopy",) if settings.allow_post_copy else ()
    pause: tuple[model.Exhausted, ...] = ("stopAndCopy",) if settings.allow_workload_disruption else ()
    return (*post_copy, *pause, "abort")


def bandwidth_cap(settings: MigrationSettings) -> float:
    """Bytes a second a copy may take, beside what its links leave it; infinite where it has no limit."""
    given = settings.bandwidth_per_migration
    return float(given.bytes) if given is not None and given.bytes else math.inf
