"""Named CPU models and which can stand in for which.

A guest that was given model M runs on every host whose own model is M or a later one of the same line: each model of a
line has all features of those before it. Names and order are QEMU's (docs/system/cpu-models-x86). ``x86-64-v2`` and
the like are the baselines of the x86-64 psABI. A model that is in no line stands for itself alone.
"""

from __future__ import annotations

from typing import Final

_INTEL: Final = (
    "Nehalem",
    "Westmere",
    "SandyBridge",
    "IvyBridge",
    "Haswell",
    "Broadwell",
    "Skylake-Server",
    "Cascadelake-Server",
    "Icelake-Server",
    "SapphireRapids",
    "GraniteRapids",
)
_AMD: Final = ("EPYC", "EPYC-Rome", "EPYC-Milan", "EPYC-Genoa", "EPYC-Turin")
_BASELINES: Final = ("x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4")
_BASELINE_FROM: Final = {
    "x86-64-v1": ("Nehalem", "EPYC"),
    "x86-64-v2": ("Nehalem", "EPYC"),
    "x86-64-v3": ("Haswell", "EPYC"),
    "x86-64-v4": ("Skylake-Server", "EPYC-Genoa"),
}
"""The first Intel and the first AMD model with all features of the baseline."""


def provides(host_model: str | None, wanted: str | None) -> bool:
    """Whether a host of one model can give its guests the other. Nothing wanted is always there."""
    if wanted is None or host_model == wanted:
        return True
    if host_model is None:
        return False
    if wanted in _BASELINE_FROM and host_model not in _BASELINES:
        return any(_follows(host_model, first) for first in _BASELINE_FROM[wanted])
    return _follows(host_model, wanted)


def _follows(model: str, earlier: str) -> bool:
    for line in (_INTEL, _AMD, _BASELINES):
        if model in line and earlier in line:
            return line.index(model) >= line.index(earlier)
    return False
