"""Recording rules and alerts: monitoring/prometheusrule.yaml for the Prometheus operator, rules.yaml without it."""

from typing import Any

import yaml

from mixin.alerts import GROUPS

RECORDED = {
    "resource:drover_host_allocatable:sum": "sum by (resource) (drover_host_allocatable)",
    "resource:drover_host_allocated:sum": "sum by (resource) (drover_host_allocated)",
    # Without a host there is nothing to give, and no share of it.
    "resource:drover_allocated:ratio": (
        "resource:drover_host_allocated:sum / (resource:drover_host_allocatable:sum > 0)"
    ),
    "namespace:drover_vms:sum": "sum by (namespace) (drover_vms)",
    "namespace:drover_usage_vcpu_seconds:rate5m": "sum by (namespace) (rate(drover_usage_vcpu_seconds_total[5m]))",
    "phase:drover_vms:sum": "sum by (phase) (drover_vms)",
}
"""Name to expression, those that others read first."""


def groups() -> list[dict[str, Any]]:
    """The groups of a rule file, which are those of the manifest's spec."""
    recorded = [{"record": name, "expr": expr} for name, expr in RECORDED.items()]
    alerts = [{"name": name, "rules": [alert.rule() for alert in alerts]} for name, alerts in GROUPS.items()]
    return [{"name": "drover-recorded", "rules": recorded}, *alerts]


def manifest() -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "drover", "labels": {"app.kubernetes.io/name": "drover"}},
        "spec": {"groups": groups()},
    }


def render() -> str:
    return _written(manifest())


def render_plain() -> str:
    """A rule file for a Prometheus without its operator."""
    return _written({"groups": groups()})


def _written(document: dict[str, Any]) -> str:
    return "# Generated from hack/mixin by `make dashboards`; do not edit.\n" + yaml.safe_dump(
        document, sort_keys=False, width=110
    )
