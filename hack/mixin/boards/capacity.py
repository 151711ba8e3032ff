"""Drover / Capacity and hosts: what there is, what is given, what would happen."""

from mixin.boards.board import Board, panel

SUMS = tuple(
    panel(
        "timeseries",
        f"{resource.capitalize()}: allocatable and allocated",
        unit,
        f"All hosts' {resource}, as it may be given (with overcommit) and as VMs hold it.",
        (f'sum(drover_host_allocatable{{<S>, resource="{resource}"}})', "allocatable"),
        (f'sum(drover_host_allocated{{<S>, resource="{resource}"}})', "allocated"),
    ).wide(8)
    for resource, unit in (("cpu", "short"), ("memory", "bytes"), ("storage", "bytes"))
)
RISK = (
    panel(
        "timeseries",
        "Left after the loss of the largest host",
        "percentunit",
        "What the other hosts could still give, as a share of what they have. Below 0 somebody would be left out.",
        (
            "1 - sum by (resource) (drover_host_allocated{<S>}) / (sum by (resource) (drover_host_allocatable{<S>})"
            " - max by (resource) (drover_host_allocatable{<S>}) > 0)",
            "{{resource}}",
        ),
    ),
    panel(
        "timeseries",
        "Forecast for three days from now",
        "percentunit",
        "The allocated share at the pace of the time shown, between 0 and 200 %. Above 100 % it will have run out.",
        ("clamp(predict_linear(resource:drover_allocated:ratio[$__range], 3 * 86400), 0, 2)", "{{resource}}"),
    ),
    panel(
        "timeseries",
        "Largest gap on one host: memory",
        "bytes",
        "The most memory that any one host of the pool has free. Far below the sum: it is fragmented.",
        ('max by (pool) (drover_pool_largest_free_slot{<S>, resource="memory"})', "{{pool}}"),
    ),
    panel(
        "timeseries",
        "Placeable VMs by pool and flavor",
        "short",
        "How many more VMs of each flavor fit into each pool.",
        ("drover_pool_placeable_vms{<S>}", "{{pool}} {{flavor}}"),
    ),
)
HOSTS = (
    panel(
        "heatmap",
        "Hosts by allocated share of memory",
        "percentunit",
        "How many hosts are how full: balanced or packed. Each cell counts hosts.",
        (
            'count_values("share", round(drover_host_allocated{<S>, resource="memory"}'
            ' / (drover_host_allocatable{<S>, resource="memory"} > 0), 0.1))',
            "{{share}}",
        ),
    ),
    panel(
        "timeline",
        "Hosts Ready",
        "short",
        "1 while the host is Ready, 0 while it is not; the twenty that are not, first.",
        (
            'bottomk(20, drover_host_status_condition{<S>, condition="Ready", status="true"})',
            "{{host}}",
        ),
    ),
    panel(
        "table",
        "Memory left by host",
        "bytes",
        "What each host may still give, the fullest first.",
        (
            'bottomk(50, drover_host_allocatable{<S>, resource="memory"}'
            ' - drover_host_allocated{<S>, resource="memory"})',
            "{{host}}",
        ),
    ),
    panel(
        "table",
        "VMs by host",
        "short",
        "The hosts with most VMs.",
        ("topk(50, drover_host_vms{<S>})", "{{host}}"),
    ),
    panel(
        "timeseries",
        "Overcommit ratio",
        "short",
        "The highest and lowest allocation ratio of any host, by resource.",
        ("max by (resource) (drover_host_overcommit_ratio{<S>})", "{{resource}} max"),
        ("min by (resource) (drover_host_overcommit_ratio{<S>})", "{{resource}} min"),
    ),
    panel(
        "timeseries",
        "Hosts by zone",
        "short",
        "Hosts in each failure domain.",
        ("count by (zone) (drover_host_info{<S>})", "{{zone}}"),
    ),
)
BOARD = Board(
    "drover-capacity",
    "Drover / Capacity and hosts",
    "What there is, what is given, and what the loss of a host would mean.",
    (("All hosts", SUMS), ("Risk", RISK), ("Hosts", HOSTS)),
    since="now-24h",
)
