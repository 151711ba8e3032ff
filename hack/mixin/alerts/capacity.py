"""Alerts about hosts, and the room there is."""

from mixin.alerts.alert import Alert

CAPACITY = (
    Alert(
        "DroverCapacityLow",
        "resource:drover_allocated:ratio > 0.85",
        "warning",
        "none",
        "The hosts are filling up: {{ $labels.resource }}.",
        "{{ $value | humanizePercentage }} of all {{ $labels.resource }} is allocated.",
        "30m",
    ),
    Alert(
        "DroverCapacityCritical",
        "resource:drover_allocated:ratio > 0.95",
        "critical",
        "none",
        "The hosts are nearly full: {{ $labels.resource }}.",
        "{{ $value | humanizePercentage }} of all {{ $labels.resource }} is allocated: new VMs will not fit.",
        "5m",
    ),
    Alert(
        "DroverCapacityExhaustedForecast",
        "predict_linear(resource:drover_allocated:ratio[6h], 3 * 86400) > 1 and resource:drover_allocated:ratio > 0.6",
        "warning",
        "none",
        "In three days {{ $labels.resource }} will have run out.",
        "At the pace of the last 6 hours {{ $value | humanizePercentage }} of all {{ $labels.resource }}"
        " would be allocated in three days.",
        "1h",
    ),
    Alert(
        "DroverCannotLoseOneHost",
        "resource:drover_host_allocated:sum > on (resource) (resource:drover_host_allocatable:sum"
        " - on (resource) max by (resource) (drover_host_allocatable))",
        "warning",
        "none",
        "The loss of one host would leave VMs without a place.",
        "{{ $labels.resource }}: {{ $value | humanize }} are allocated, more than all hosts but the largest have.",
        "15m",
    ),
    Alert(
        "DroverHostDown",
        'drover_host_status_condition{condition="Ready",status="true"} == 0'
        ' and on (host) drover_host_status_condition{condition="Stalled",status="true"} == 1',
        "critical",
        "none",
        "Host {{ $labels.host }} has failed.",
        "Host {{ $labels.host }} is not Ready and will not be by itself; its VMs restart elsewhere where"
        " highAvailability is enabled.",
        "1m",
    ),
    Alert(
        "DroverHostFlapping",
        'changes(drover_host_status_condition{condition="Ready",status="true"}[1h]) > 5',
        "warning",
        "none",
        "Host {{ $labels.host }} comes and goes.",
        "Host {{ $labels.host }} has become Ready or not Ready {{ $value }} times in an hour.",
    ),
    Alert(
        "DroverFragmented",
        "max by (resource) (drover_pool_largest_free_slot) < 0.25 * max by (resource) (drover_host_allocatable)"
        " and on (resource) resource:drover_allocated:ratio < 0.8",
        "info",
        "none",
        "Room is there, but in pieces: {{ $labels.resource }}.",
        "The largest gap on any host is {{ $value | humanize }} {{ $labels.resource }}, less than a quarter of a host,"
        " while a fifth of all is free.",
        "1h",
    ),
)
