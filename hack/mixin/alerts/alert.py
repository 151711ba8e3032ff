"""One alert."""

from dataclasses import dataclass
from typing import Any, Literal

RUNBOOKS = "https://drover.dev/runbooks/{}"
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
                "runbook_url": RUNBOOKS.format(self.name.lower()),
            },
        }
