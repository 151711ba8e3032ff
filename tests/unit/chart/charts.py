"""The chart as Helm renders it."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chart.helm import Helm
from chart.shared import CHART

Manifest = dict[str, Any]
HELM = Helm()
VALUES = Path(__file__).parent / "values"


@cache
def template(*options: str, release: str = "drover") -> str:
    """What `helm template` prints."""
    return HELM("template", release, str(CHART), "--namespace=drover-system", *options)


def rendered(*options: str, release: str = "drover") -> list[Manifest]:
    """Its objects, by kind and name."""
    objects = [one for one in yaml.load_all(template(*options, release=release), yaml.CSafeLoader) if one]
    return sorted(objects, key=lambda one: (one["kind"], one["metadata"]["name"]))


def only(objects: list[Manifest], kind: str, name: str = "drover") -> Manifest:
    """The one object of this kind and name."""
    (found,) = (one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def arguments(container: Manifest) -> list[str]:
    """The arguments of a container as a kubelet gives them, in the namespace of ``template``."""
    return [argument.replace("$(POD_NAMESPACE)", "drover-system") for argument in container["args"]]


def of_kind(objects: list[Manifest], *kinds: str) -> list[Manifest]:
    return [one for one in objects if one["kind"] in kinds]
