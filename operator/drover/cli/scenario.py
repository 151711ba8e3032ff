"""A migration to estimate, as a file or as options say it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from drover.api.invalid import fault_of
from drover.api.quantity import Quantity
from drover.model.migration import (
    PRESETS,
    AutoConverge,
    Cyclic,
    Dirtying,
    Hypervisor,
    Link,
    Measured,
    Memory,
    Setting,
    Uniform,
)

Preset = Literal[
    "textbook", "xen-legacy", "xen", "qemu", "vmotion", "hyperv", "clark", "nova", "kubevirt-vep248", "kubevirt"
]  # fmt: skip
Pattern = Literal["uniform", "cyclic"]
_BITS = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kMGT]?)bit(?:/s)?")


class ScenarioError(Exception):
    """What cannot be estimated as it is; names the field and the mend."""


class _Fields(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", allow_inf_nan=False)


class WorkingSet(_Fields):
    """Memory that is written again; `points` are [seconds, distinct pages] of a measured curve."""

    kind: Literal["uniform", "cyclic", "points"]
    working_set_bytes: Annotated[float, Field(ge=0)] | None = None
    pages_per_second: Annotated[float, Field(ge=0)] = 0.0
    points: tuple[tuple[float, float], ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> WorkingSet:
        if self.kind == "points" and len(self.points) < 2:
            raise ValueError("kind points needs points: at least two [seconds, pages]")
        if self.kind != "points" and (self.working_set_bytes is None or self.points):
            raise ValueError(f"kind {self.kind} needs workingSetBytes and pagesPerSecond, and takes no points")
        return self


class Scenario(_Fields):
    """Sizes in bytes, rates in bytes a second. Without a cap the passes go at line rate, which is the goodput."""

    memory_bytes: Annotated[float, Field(gt=0)]
    zero_bytes: Annotated[float, Field(ge=0)] = 0.0
    page_bytes: Annotated[float, Field(gt=0)] = 4096.0
    dirty: tuple[WorkingSet, ...] = ()
    cap_bytes_per_second: Annotated[float, Field(ge=0)] | None = None
    line_bytes_per_second: Annotated[float, Field(ge=0)]
    max_downtime_ms: Annotated[float, Field(ge=0)] | None = None
    device_state_ms: Annotated[float, Field(ge=0)] = 4.0
    dirty_noise: Annotated[float, Field(ge=0, le=2)] = 0.0
    auto_converge: bool = False
    post_copy: bool = False
    preset: Preset = "qemu"


def from_file(path: Path) -> Scenario:
    """The scenario of a JSON file. Raises ScenarioError."""
    try:
        return Scenario.model_validate(json.loads(path.read_text()))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}: name a readable JSON file") from error
    except ValidationError as error:
        raise ScenarioError(f"{path}: {fault_of(error)}") from error
    except ValueError as error:
        raise ScenarioError(f"{path}: not JSON: {error}") from error


def setting(scenario: Scenario) -> Setting:
    """The scenario in the model's terms. Raises ScenarioError for figures that contradict each other."""
    if scenario.zero_bytes > scenario.memory_bytes:
        raise ScenarioError(
            f"zeroBytes {scenario.zero_bytes:.0f} is above memoryBytes {scenario.memory_bytes:.0f}: lower it"
        )
    hot = sum(part.working_set_bytes or 0.0 for part in scenario.dirty)
    free = scenario.memory_bytes - scenario.zero_bytes - hot
    if free < 0:
        raise ScenarioError(
            f"workingSetBytes {hot:.0f} in all do not fit memoryBytes - zeroBytes = "
            f"{scenario.memory_bytes - scenario.zero_bytes:.0f}: lower them"
        )
    try:
        parts = _parts(scenario.dirty, free / scenario.page_bytes, scenario.page_bytes)
    except ValueError as error:
        raise ScenarioError(f"dirty: {error}") from error
    pages, zero_pages = scenario.memory_bytes / scenario.page_bytes, scenario.zero_bytes / scenario.page_bytes
    line, policy = scenario.line_bytes_per_second, PRESETS[scenario.preset]
    if scenario.max_downtime_ms is not None:
        policy = replace(policy, max_downtime=scenario.max_downtime_ms / 1000)
    if scenario.auto_converge:
        policy = replace(policy, aids=replace(policy.aids, auto_converge=AutoConverge()))
    if scenario.post_copy:
        policy = replace(policy, on_exhausted=("postCopy", *policy.on_exhausted))
    return Setting(
        Memory(pages, zero_pages, parts, page_bytes=scenario.page_bytes),
        Link(min(scenario.cap_bytes_per_second or line, line), line, rtt=0.0),
        policy,
        Hypervisor(device_state=scenario.device_state_ms / 1000),
    )


def _parts(dirty: Sequence[WorkingSet], free_pages: float, page_bytes: float) -> tuple[Dirtying, ...]:
    """Measured curves that name no working set may reach all memory that no other part names."""
    parts: list[Dirtying] = []
    for part in dirty:
        pages = free_pages if part.working_set_bytes is None else part.working_set_bytes / page_bytes
        match part.kind:
            case "uniform":
                parts.append(Uniform(pages, part.pages_per_second))
            case "cyclic":
                parts.append(Cyclic(pages, part.pages_per_second))
            case "points":
                parts.append(Measured(part.points, pages))
    return tuple(parts)


def size(option: str, text: str) -> float:
    """Bytes of a quantity such as 8Gi. Raises ScenarioError."""
    try:
        return float(Quantity(text).value)
    except ValueError as error:
        raise ScenarioError(f"{option} {text}: write bytes as 8Gi, 512Mi or 100M") from error


def bandwidth(option: str, text: str) -> float:
    """Bytes a second of 1Gbit, 500Mbit or a quantity of bytes such as 125M. Raises ScenarioError."""
    bits = _BITS.fullmatch(text)
    if bits:
        return float(bits[1]) * 1000.0 ** " kMGT".index(bits[2] or " ") / 8
    try:
        return float(Quantity(text).value)
    except ValueError as error:
        raise ScenarioError(f"{option} {text}: write a rate as 1Gbit, 500Mbit or, in bytes a second, 125M") from error
