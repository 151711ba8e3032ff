"""Label selectors as values that can be compared, and what they match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from drover.api.scheduling import LabelSelector


class Requirement(NamedTuple):
    """One expression over labels."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        present = self.key in labels
        match self.operator:
            case "Exists":
                return present
            case "DoesNotExist":
                return not present
            case "In":
                return present and labels[self.key] in self.values
            case _:
                return not present or labels[self.key] not in self.values

    def __str__(self) -> str:
        match self.operator:
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
            case "In" if len(self.values) == 1:
                return f"{self.key}={self.values[0]}"
            case _:
                return f"{self.key} {self.operator.lower()} ({','.join(self.values)})"


class Selector(NamedTuple):
    """A Kubernetes label selector; all of it must match, and an empty one matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements)) or "every VM"


def selector_of(given: LabelSelector) -> Selector:
    """The selector in one order, so that equal ones are equal values."""
    equal = [Requirement(name, "In", (value,)) for name, value in given.match_labels.items()]
    other = [Requirement(e.key, e.operator, tuple(sorted(e.values))) for e in given.match_expressions]
    return Selector(tuple(sorted({*equal, *other})))
