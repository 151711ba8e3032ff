"""kstatus in miniature: how Flux, kapply and cli-utils judge an object of a kind they do not know.

The rules are those of sigs.k8s.io/cli-utils/pkg/kstatus (``Compute``, ``checkGenericProperties``), in its order.
"""

from typing import Any, Literal

Verdict = Literal["Current", "InProgress", "Failed", "Terminating"]


def kstatus(raw: dict[str, Any]) -> Verdict:
    """The verdict on an object in wire form."""
    if raw["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = raw.get("status", {})
    observed = status.get("observedGeneration")
    if observed is not None and observed != raw["metadata"]["generation"]:
        return "InProgress"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    if conditions.get("Ready", "True") != "True":
        return "InProgress"
    return "Current"
