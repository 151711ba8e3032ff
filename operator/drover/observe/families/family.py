"""A metric family: what it is called, what it tells, and how a line of it is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal


@dataclass(frozen=True, eq=False)  # there is one of each
class Family:
    """One family of Prometheus' text format."""

    name: str
    type: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds, of a histogram."""

    @cached_property
    def head(self) -> bytes:
        """The lines above its samples."""
        return f"# HELP {self.name} {self.help}\n# TYPE {self.name} {self.type}\n".encode()

    def line(self, value: float, *labels: str) -> str:
        """One sample. Raises TypeError where there are not as many label values as labels."""
        text = "".join(labels)  # names hardly ever need escaping; to look once is cheaper than to escape each
        if "\\" in text or '"' in text or "\n" in text:
            labels = tuple(map(escaped, labels))
        return self._template % (*labels, value)

    def prefix(self, *labels: str) -> str:
        """A sample without its value and the end of the line, for those that are told again and again."""
        return self.line(0, *labels)[: -len("0\n")]

    @cached_property
    def _template(self) -> str:
        named = ",".join(f'{label}="%s"' for label in self.labels)
        return f"{self.name}{{{named}}} %s\n" if named else f"{self.name} %s\n"


def escaped(text: str) -> str:
    """A label value between its quotes."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, "gauge", text, labels)


def counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, "counter", text, labels)


def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Family:
    return Family(name, "histogram", text, labels, buckets)
