"""One alert."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[3]


def runbooks(mkdocs: str) -> str:
    """Where the site has the runbooks, without a slash at the end: below `site_url` of the text of mkdocs.yml.

    It is found by its line, since the file has tags that only mkdocs resolves. Raises ValueError without one.
    """
    found = re.search(r"^site_url: *(\S+?)/?$", mkdocs, re.MULTILINE)
    if found is None:
        raise ValueError("mkdocs.yml has no site_url: the alerts' runbook_url begins with it")
    return f"{found[1]}/runbooks"


RUNBOOKS = runbooks((ROOT / "mkdocs.yml").read_text())
PROCESS = 'job="drover"'
"""The scrape job of /metrics; that of /metrics/state is drover-state, whose series need no selector."""


@dataclass(frozen=True)
class Alert:
    name: str
    expr: str
    severity: Literal["critical", "warning", "info"]
    impact: Literal["critical", "warning", "none"]
    """On the health of the operator itself (KubeVirt's label)."""
    summary: str
    description: str
    hold: str = "0m"
    """For how long the expression must hold."""

    def rule(self) -> dict[str, Any]:
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.hold,
            "labels": {
                "severity": self.severity,
                "operator_health_impact": self.impact,
                "kubernetes_operator_part_of": "drover",
                "kubernetes_operator_component": "drover",
            },
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{RUNBOOKS}/{self.name.lower()}",
            },
        }
