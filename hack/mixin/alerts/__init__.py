"""The alerts. Each has a runbook, docs/runbooks/<name in lower case>.md, and a case in tests/unit/monitoring."""

from mixin.alerts.alert import Alert
from mixin.alerts.capacity import CAPACITY
from mixin.alerts.guests import MIGRATIONS, VMS
from mixin.alerts.metering import METERING
from mixin.alerts.operator import OPERATOR

GROUPS: dict[str, tuple[Alert, ...]] = {
    "drover-operator": OPERATOR,
    "drover-capacity": CAPACITY,
    "drover-vms": VMS,
    "drover-migrations": MIGRATIONS,
    "drover-metering": METERING,
}
ALERTS = tuple(alert for alerts in GROUPS.values() for alert in alerts)

__all__ = ["ALERTS", "GROUPS", "Alert"]
