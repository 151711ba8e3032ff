"""The monitoring mixin: rules, alerts and dashboards over the operator's metrics, as code."""
