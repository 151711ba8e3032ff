"""The table: objects and changes of every kind that the API server accepts or refuses, and its words."""

from typing import Any, NamedTuple

HARDWARE = {
    "cpu": {"coresPerSocket": 16},
    "memory": "256Gi",
    "disk": "2Ti",
    "nics": [
        {"name": "eth0", "bandwidth": "1250M"},
        {"name": "eth1", "bandwidth": "3125M", "role": "Migration"},
    ],
    "labels": {"drover.dev/disk": "ssd"},
}
CHECKSUM = "sha256:" + "0a" * 32
NETWORK = {"name": "eth0", "networkRef": {"name": "front"}}
DISK = {"name": "data", "template": {"size": "10Gi"}}
GPU = {"name": "gpu", "deviceName": "nvidia.com/H100"}
TAINT = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
WEB = {"matchLabels": {"app": "web"}}

BASE: dict[str, dict[str, Any]] = {
    "NodePool": {
        "replicas": 8,
        "template": HARDWARE,
        "failureDomains": [{"name": "z1"}, {"name": "z2", "weight": 2}],
    },
    "Host": {"poolRef": {"name": "p1"}, "failureDomain": "z1", "hardware": HARDWARE},
    "Flavor": {
        "cpu": {"guest": 2},
        "memory": {"guest": "4Gi"},
        "rootDisk": {"size": "20Gi"},
        "gpus": [GPU],
    },
    "Image": {
        "source": {"type": "HTTP", "http": {"url": "https://images.test/debian.qcow2"}},
        "size": "600Mi",
        "virtualSize": "2Gi",
        "minDisk": "2Gi",
        "os": {"distribution": "debian", "version": "13"},
    },
    "Volume": {"size": "10Gi", "source": {"type": "Image", "ref": {"name": "debian"}}},
    "Network": {
        "subnets": [
            {
                "name": "a",
                "cidr": "10.0.0.0/24",
                "gatewayIP": "10.0.0.1",
                "allocationPools": [{"start": "10.0.0.10", "end": "10.0.0.200"}],
            }
        ]
    },
    "PlacementGroup": {"policy": "AntiAffinity", "topologyKey": "Rack"},
    "UsageRecord": {"month": "2026-11"},
    "MigrationPolicy": {
        "selectors": {"namespaceSelector": {"team": "shop"}, "virtualMachineSelector": {"tier": "gold"}},
        "maxDowntimeMs": 500,
    },
    "VirtualMachine": {
        "flavorRef": {"name": "m1.small"},
        "imageRef": {"name": "debian"},
        "networks": [NETWORK],
        "volumes": [DISK],
    },
    "VirtualMachineMigration": {"virtualMachineName": "web-1", "targetHostName": "p1-3", "planName": "drain"},
    "MigrationPlan": {"virtualMachines": [{"name": "web-1"}, {"name": "web-2", "targetHostName": "p1-3"}]},
}


class Case(NamedTuple):
    """A change to the base object of a kind: refused with ``message`` on ``field``, accepted without one."""

    kind: str
    what: str
    change: dict[str, Any]
    field: str = ""
    message: str = ""


def subnet(**changes: Any) -> dict[str, Any]:
    """The base network with its subnet changed."""
    return {"subnets": [{"name": "a", "cidr": "10.0.0.0/24"} | changes]}


def subnets(*cidrs: str) -> dict[str, Any]:
    return {"subnets": [{"name": f"s{index}", "cidr": cidr} for index, cidr in enumerate(cidrs)]}


def pool(start: str, end: str) -> dict[str, Any]:
    return subnet(allocationPools=[{"start": start, "end": end}])


def cpu(**changes: Any) -> dict[str, Any]:
    """The base flavor with its CPU changed."""
    return {"cpu": changes}


def tolerating(**toleration: Any) -> dict[str, Any]:
    return {"placement": {"tolerations": [toleration]}}


def near(**term: Any) -> dict[str, Any]:
    """A VM with one affinity term."""
    return {"placement": {"affinity": [{"type": "AntiAffinity", "labelSelector": WEB} | term]}}


def spread(**constraint: Any) -> dict[str, Any]:
    """A VM with one constraint of topology spread."""
    return {"placement": {"topologySpread": [{"topologyKey": "Rack", "labelSelector": WEB} | constraint]}}


def detecting(**changes: Any) -> dict[str, Any]:
    """The base policy with a stall detector."""
    return {"stallDetector": changes}


NEW_FLAVOR = "create a new flavor and point spec.flavorRef of the VMs at it"
NEW_GROUP = "create a new placement group and point spec.placement.placementGroupName of the VMs at it"
NEW_MIGRATION = "cancel this migration and create another"
NO_BOOT = "nothing to boot from: set imageRef or give one of volumes bootOrder 1"
ONE_SCOPE = "set exactly one of virtualMachines, selector, hostName"
ONE_DISK = "set exactly one of volumeRef (a Volume that exists) and template (a Volume to make)"
A_CIDR = "cidr must be an IPv4 range, such as 10.0.0.0/24"
OVERLAP = "subnets of one network must not overlap: change one cidr"
POOL_IPS = "allocationPools start and end must be IPv4 addresses, such as 10.0.0.10"
SHA = "checksum must be sha256: followed by 64 lower-case hexadecimal digits"
VALUES = "matchExpressions needs values for In and NotIn, and none for Exists and DoesNotExist"
DEDICATED = (
    "dedicated CPUs cannot be overcommitted: remove cpu.allocationRatio, set it to 1, or set"
    " cpu.dedicatedCPUPlacement to false"
)
NO_KEY = (
    "tolerations[].key is empty, which needs operator Exists (every taint is tolerated): set key, the taint's,"
    " or operator Exists"
)
NO_ZSTD = "compression is not modelled together with post-copy: set compression none or allowPostCopy false"
RAMP = (
    "downtimeTuning.initialMs (150 unless set) must not be above maxDowntimeMs, which the ramp rises to: lower"
    " initialMs or raise maxDowntimeMs"
)
BYTES = "bandwidthPerMigration is in bytes a second: set 0 (no limit) or at least 1Mi, such as 64Mi"
EFFECTS = 'supported values: "NoSchedule", "PreferNoSchedule"'
RATIO = r"should match '^[0-9]+(\.[0-9]{1,6})?$'"
QUANTITY = r"should match '^[0-9]+(\.[0-9]+)?([KMGTPE]i|[mkMGTPE])?$'"

CREATED = [
    *(Case(kind, "the base object", {}) for kind in BASE),
    # NodePool
    Case("NodePool", "no hosts", {"replicas": 0}),
    Case("NodePool", "weights of its own", {"placement": {"strategy": "Pack", "weights": {"network": 3}}}),
    Case("NodePool", "a fast model", {"driver": {"timeScale": "60", "seed": 7}}),
    Case("NodePool", "zones of several racks", {"failureDomains": [{"name": "z1", "racks": 4}, {"name": "z2"}]}),
    Case(
        "NodePool", "two hosts to spare", {"admissionControl": {"policy": "HostFailures", "hostFailuresToTolerate": 2}}
    ),
    Case("NodePool", "a quarter to spare", {"admissionControl": {"policy": "Percentage", "percent": 25}}),
    Case(
        "NodePool",
        "GPUs, taints and traits",
        {
            "cpuBaseline": "Cascadelake-Server",
            "template": {
                "cpu": {"model": "Icelake-Server"},
                "gpus": [{"deviceName": "nvidia.com/H100", "count": 8}],
                "taints": [TAINT, {"key": "dedicated", "effect": "PreferNoSchedule"}],
                "traits": ["HW_CPU_X86_AVX512F", "CUSTOM_SSD"],
            },
        },
    ),
    Case(
        "NodePool",
        "an untold percentage to spare",
        {"admissionControl": {"policy": "Percentage"}},
        "spec.admissionControl",
        "admissionControl.policy Percentage needs admissionControl.percent: the share to keep free, 1 to 99",
    ),
    Case(
        "NodePool",
        "everything to spare",
        {"admissionControl": {"policy": "Percentage", "percent": 100}},
        "spec.admissionControl.percent",
        "should be less than or equal to 99",
    ),
    Case(
        "NodePool",
        "32 hosts to spare",
        {"admissionControl": {"hostFailuresToTolerate": 32}},
        "spec.admissionControl.hostFailuresToTolerate",
        "should be less than or equal to 31",
    ),
    Case(
        "NodePool",
        "a zone of no racks",
        {"failureDomains": [{"name": "z1", "racks": 0}]},
        "spec.failureDomains[0].racks",
        "should be greater than or equal to 1",
    ),
    Case(
        "NodePool", "a baseline of no name", {"cpuBaseline": ""}, "spec.cpuBaseline", "should be at least 1 chars long"
    ),
    Case(
        "NodePool",
        "the same GPU twice",
        {"template": {"gpus": [{"deviceName": "a", "count": 1}, {"deviceName": "a", "count": 2}]}},
        "spec.template.gpus[1]",
        'Duplicate value: {"deviceName":"a"}',
    ),
    Case(
        "NodePool",
        "GPUs without a number",
        {"template": {"gpus": [{"deviceName": "a"}]}},
        "spec.template.gpus[0].count",
        "Required value",
    ),
    Case(
        "NodePool",
        "a trait twice",
        {"template": {"traits": ["CUSTOM_SSD", "CUSTOM_SSD"]}},
        "spec.template.traits[1]",
        'Duplicate value: "CUSTOM_SSD"',
    ),
    Case(
        "NodePool",
        "a taint that would stop VMs",
        {"template": {"taints": [TAINT | {"effect": "NoExecute"}]}},
        "spec.template.taints[0].effect",
        EFFECTS,
    ),
    Case("NodePool", "no template", {"template": None}, "spec.template", "Required value"),
    Case("NodePool", "10001 hosts", {"replicas": 10001}, "spec.replicas", "should be less than or equal to 10000"),
    Case(
        "NodePool",
        "more reserved than there is",
        {"template": {"memory": "256Mi"}},
        "spec.template",
        "reserved.memory must be below memory: lower reserved.memory (512Mi by default) or raise memory",
    ),
    Case(
        "NodePool",
        "every thread reserved",
        {"template": {"reserved": {"cpu": "64"}}},
        "spec.template",
        "reserved.cpu must be below the host's hardware threads (sockets x cores x threads)",
    ),
    Case(
        "NodePool",
        "more disk reserved than there is",
        {"template": {"reserved": {"disk": "3Ti"}}},
        "spec.template",
        "reserved.disk must not be above disk: lower reserved.disk or raise disk",
    ),
    Case(
        "NodePool",
        "an overcommit of nothing",
        {"template": {"overcommit": {"cpu": "0.05"}}},
        "spec.template.overcommit.cpu",
        "overcommit ratios must be at least 0.1",
    ),
    Case(
        "NodePool",
        "an overcommit that is a float",
        {"template": {"overcommit": {"cpu": 1.5}}},
        "spec.template.overcommit.cpu",
        'must be of type string: "number"',
    ),
    Case(
        "NodePool",
        "two cards of one name",
        {"template": {"nics": [{"name": "e", "bandwidth": "1G"}, {"name": "e", "bandwidth": "2G"}]}},
        "spec.template.nics[1]",
        'Duplicate value: {"name":"e"}',
    ),
    Case(
        "NodePool",
        "a card that carries nothing",
        {"template": {"nics": [{"name": "e", "bandwidth": "0"}]}},
        "spec.template.nics[0].bandwidth",
        "nics[].bandwidth must be above 0",
    ),
    Case(
        "NodePool",
        "no weight at all",
        {"placement": {"weights": {"cpu": 0, "memory": 0}}},
        "spec.placement.weights",
        "placement.weights must not all be 0: raise one of cpu, memory, disk, network",
    ),
    Case(
        "NodePool",
        "more than the whole link",
        {"migration": {"bandwidthShare": "1.1"}},
        "spec.migration.bandwidthShare",
        "migration.bandwidthShare must be above 0, at most 1",
    ),
    Case(
        "NodePool",
        "a model that stands still",
        {"driver": {"timeScale": "0"}},
        "spec.driver.timeScale",
        "driver.timeScale must be above 0; 1 is real time",
    ),
    Case(
        "NodePool",
        "an unknown driver",
        {"driver": {"type": "KVM"}},
        "spec.driver.type",
        'Unsupported value: "KVM": supported values: "Simulated"',
    ),
    Case(
        "NodePool",
        "an unknown strategy",
        {"placement": {"strategy": "Random"}},
        "spec.placement.strategy",
        'supported values: "Balance", "Pack"',
    ),
    # Host
    Case(
        "Host",
        "cordoned and draining",
        {"unschedulable": True, "maintenance": {"mode": "Drain", "reason": "BIOS"}},
    ),
    Case("Host", "crashed", {"fault": {"type": "Crash"}}),
    Case("Host", "out of reach", {"fault": {"type": "NetworkPartition"}}),
    Case("Host", "tainted, in a rack", {"rack": "r1", "taints": [TAINT]}),
    Case(
        "Host",
        "one taint twice",
        {"taints": [TAINT, TAINT | {"value": "web"}]},
        "spec.taints[1]",
        'Duplicate value: {"effect":"NoSchedule","key":"dedicated"}',
    ),
    Case("Host", "a taint without an effect", {"taints": [{"key": "a"}]}, "spec.taints[0].effect", "Required value"),
    Case("Host", "no pool", {"poolRef": None}, "spec.poolRef", "Required value"),
    Case("Host", "no hardware", {"hardware": None}, "spec.hardware", "Required value"),
    Case(
        "Host",
        "a fault that is not modelled",
        {"fault": {"type": "Meltdown"}},
        "spec.fault.type",
        'supported values: "None", "Crash", "NetworkPartition"',
    ),
    # Flavor
    Case("Flavor", "no root disk, for booting from volumes", {"rootDisk": None}),
    Case("Flavor", "a workload of its own", {"model": {"hotSet": "1Gi", "zeroPageRatio": "1"}}),
    Case("Flavor", "a fraction of a gibibyte", {"memory": {"guest": "1.5Gi"}}),
    Case("Flavor", "dedicated CPUs", cpu(dedicatedCPUPlacement=True)),
    Case(
        "Flavor",
        "dedicated CPUs from two cells",
        cpu(model="EPYC-Milan", dedicatedCPUPlacement=True, allocationRatio="1.0", numaNodes=2),
    ),
    Case("Flavor", "an odd number of vCPUs from one cell", cpu(guest=3, numaNodes=1, allocationRatio="2.5")),
    Case("Flavor", "no GPU", {"gpus": None}),
    Case(
        "Flavor", "two GPUs of a kind, one of another", {"gpus": [GPU | {"count": 2}, {"name": "b", "deviceName": "x"}]}
    ),
    Case(
        "Flavor",
        "for some hosts only",
        {
            "traits": {"required": ["HW_CPU_X86_AVX512F"], "forbidden": ["CUSTOM_OLD"]},
            "nodeSelector": {"drover.dev/disk": "ssd"},
            "tolerations": [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}],
        },
    ),
    Case(
        "Flavor",
        "dedicated CPUs shared by two",
        cpu(dedicatedCPUPlacement=True, allocationRatio="2"),
        "spec.cpu",
        DEDICATED,
    ),
    Case(
        "Flavor",
        "a ratio that is a word",
        cpu(dedicatedCPUPlacement=True, allocationRatio="none"),
        "spec.cpu.allocationRatio",
        RATIO,
    ),
    Case(
        "Flavor",
        "next to no sharing",
        cpu(allocationRatio="0.05"),
        "spec.cpu.allocationRatio",
        "cpu.allocationRatio must be at least 0.1: raise it, or remove it for the host's overcommit.cpu",
    ),
    Case(
        "Flavor",
        "an odd number of vCPUs from two cells",
        cpu(guest=3, numaNodes=2),
        "spec.cpu",
        "cpu.numaNodes 2 takes half of cpu.guest from each of two cells: make cpu.guest even or set numaNodes to 1",
    ),
    Case("Flavor", "four cells", cpu(numaNodes=4), "spec.cpu.numaNodes", "should be less than or equal to 2"),
    Case(
        "Flavor", "17 GPUs", {"gpus": [GPU | {"count": 17}]}, "spec.gpus[0].count", "should be less than or equal to 16"
    ),
    Case("Flavor", "two GPUs of one name", {"gpus": [GPU, GPU]}, "spec.gpus[1]", 'Duplicate value: {"name":"gpu"}'),
    Case(
        "Flavor",
        "a trait both required and forbidden",
        {"traits": {"required": ["A", "B"], "forbidden": ["C", "B"]}},
        "spec.traits",
        "the same trait must not be in traits.required and in traits.forbidden: remove it from one of them",
    ),
    Case("Flavor", "no CPU", {"cpu": {"guest": 0}}, "spec.cpu.guest", "should be greater than or equal to 1"),
    Case(
        "Flavor",
        "almost no memory",
        {"memory": {"guest": "1Mi"}},
        "spec.memory.guest",
        "must be at least 16Mi",
    ),
    Case("Flavor", "a size with a B", {"memory": {"guest": "4GB"}}, "spec.memory.guest", QUANTITY),
    Case(
        "Flavor",
        "a size that is a number",
        {"memory": {"guest": 4}},
        "spec.memory.guest",
        "must be of type string",
    ),
    Case(
        "Flavor",
        "an empty disk",
        {"rootDisk": {"size": "0"}},
        "spec.rootDisk.size",
        "rootDisk.size must be above 0",
    ),
    Case(
        "Flavor",
        "more zero pages than pages",
        {"model": {"zeroPageRatio": "1.01"}},
        "spec.model.zeroPageRatio",
        "zeroPageRatio is a share of memory: write a number from 0 to 1",
    ),
    Case(
        "Flavor",
        "wild noise",
        {"model": {"dirtyNoise": "2.5"}},
        "spec.model.dirtyNoise",
        "dirtyNoise must be at most 2 (log-normal sigma)",
    ),
    Case(
        "Flavor",
        "an unknown state",
        {"lifecycle": {"state": "Gone"}},
        "spec.lifecycle.state",
        'supported values: "Active", "Deprecated", "Obsolete"',
    ),
    Case("Flavor", "a field that does nothing", {"extraSpecs": {}}, "", 'unknown field "spec.extraSpecs"'),
    # Image
    Case("Image", "an empty disk", {"source": {"type": "Blank", "http": None, "blank": {}}, "size": None}),
    Case("Image", "a checksum", {"checksum": CHECKSUM}),
    Case("Image", "for some hosts only", {"requiredTraits": ["HW_CPU_X86_AVX512F"]}),
    Case("Image", "a trait twice", {"requiredTraits": ["A", "A"]}, "spec.requiredTraits[1]", 'Duplicate value: "A"'),
    Case("Image", "no source", {"source": None}, "spec.source", "Required value"),
    Case(
        "Image",
        "a type without its member",
        {"source": {"http": None}},
        "spec.source",
        "source.type HTTP needs source.http.url",
    ),
    Case(
        "Image",
        "the member of another type",
        {"source": {"type": "Blank"}},
        "spec.source",
        "source.http is only for source.type HTTP: remove one",
    ),
    Case(
        "Image",
        "two members",
        {"source": {"blank": {}}},
        "spec.source",
        "source.blank is only for source.type Blank: remove one",
    ),
    Case(
        "Image",
        "a file on somebody's disk",
        {"source": {"http": {"url": "file:///etc/passwd"}}},
        "spec.source.http.url",
        "source.http.url must start with http:// or https://",
    ),
    Case(
        "Image",
        "nothing to transfer",
        {"size": None},
        "spec",
        "source.type HTTP needs size: the bytes to transfer, such as 600Mi",
    ),
    Case(
        "Image",
        "a disk too small for it",
        {"minDisk": "1Gi"},
        "spec",
        "minDisk must be at least virtualSize: raise minDisk or leave it out",
    ),
    Case("Image", "a checksum of another kind", {"checksum": "md5:" + "0" * 32}, "spec.checksum", SHA),
    Case("Image", "endless retries", {"retry": 11}, "spec.retry", "should be less than or equal to 10"),
    Case("Image", "an unknown format", {"diskFormat": "vhd"}, "spec.diskFormat", 'Unsupported value: "vhd"'),
    # Volume
    Case("Volume", "blank", {"source": None}),
    Case("Volume", "from an image elsewhere", {"source": {"ref": {"namespace": "images"}}}),
    Case("Volume", "no size", {"size": None}, "spec.size", "Required value"),
    Case("Volume", "empty", {"size": "0Gi"}, "spec.size", "size must be above 0"),
    Case(
        "Volume",
        "an image without a name",
        {"source": {"ref": None}},
        "spec.source",
        "source.type Image needs source.ref.name, the image",
    ),
    Case(
        "Volume",
        "blank from an image",
        {"source": {"type": "Blank"}},
        "spec.source",
        "source.ref is not for source.type Blank: set type Image",
    ),
    Case(
        "Volume",
        "an unknown access mode",
        {"accessMode": "RWX"},
        "spec.accessMode",
        'Unsupported value: "RWX"',
    ),
    # Network
    Case("Network", "several subnets", subnets("10.0.0.0/24", "10.0.1.0/24", "192.168.0.0/16")),
    Case("Network", "a pool of one address", pool("10.0.0.9", "10.0.0.9")),
    Case("Network", "no subnet", {"subnets": []}, "spec.subnets", "should have at least 1 items"),
    Case("Network", "a range that is none", subnets("ten"), "spec.subnets[0].cidr", A_CIDR),
    Case("Network", "IPv6", subnets("fd00::/64"), "spec.subnets[0].cidr", A_CIDR),
    Case(
        "Network",
        "a range too small",
        subnets("10.0.0.0/31"),
        "spec.subnets[0].cidr",
        "cidr must have a prefix length from /8 to /30",
    ),
    Case(
        "Network",
        "an address for a range",
        subnets("10.0.0.5/24"),
        "spec.subnets[0].cidr",
        "cidr must be the network address, without host bits: 10.0.0.0/24, not 10.0.0.5/24",
    ),
    Case("Network", "a subnet in a later one", subnets("10.0.1.0/24", "10.0.0.0/16"), "spec.subnets", OVERLAP),
    Case(
        "Network",
        "a subnet in an earlier one",
        subnets("10.0.0.0/16", "10.0.1.0/24"),
        "spec.subnets",
        OVERLAP,
    ),
    Case("Network", "the same range twice", subnets("10.0.0.0/24", "10.0.0.0/24"), "spec.subnets", OVERLAP),
    Case(
        "Network",
        "two subnets of one name",
        {"subnets": [{"name": "a", "cidr": "10.0.0.0/24"}, {"name": "a", "cidr": "10.0.1.0/24"}]},
        "spec.subnets[1]",
        'Duplicate value: {"name":"a"}',
    ),
    Case(
        "Network",
        "a gateway elsewhere",
        subnet(gatewayIP="10.9.0.1"),
        "spec.subnets[0]",
        "gatewayIP must be an address inside cidr",
    ),
    Case(
        "Network",
        "a pool that leaves the range",
        pool("10.0.0.250", "10.0.1.5"),
        "spec.subnets[0]",
        "allocationPools must lie inside cidr",
    ),
    Case(
        "Network",
        "a pool back to front",
        pool("10.0.0.100", "10.0.0.20"),
        "spec.subnets[0].allocationPools[0]",
        "allocationPools start must not be above end: swap them",
    ),
    Case("Network", "a pool of words", pool("first", "last"), "spec.subnets[0].allocationPools[0]", POOL_IPS),
    Case("Network", "a tiny MTU", {"mtu": 576}, "spec.mtu", "should be greater than or equal to 1280"),
    Case("Network", "a type for later", {"type": "VLAN"}, "spec.type", 'supported values: "Overlay"'),
    # PlacementGroup
    Case("PlacementGroup", "three to a rack", {"maxPerDomain": 3}),
    Case("PlacementGroup", "three to a host, if need be more", {"policy": "SoftAntiAffinity", "maxPerDomain": 3}),
    Case("PlacementGroup", "together", {"policy": "Affinity", "topologyKey": None}),
    Case(
        "PlacementGroup",
        "together, three to a host",
        {"policy": "SoftAffinity", "maxPerDomain": 3},
        "spec",
        "maxPerDomain is for policy AntiAffinity and SoftAntiAffinity only: remove it or create the group with one of"
        " them",
    ),
    Case("PlacementGroup", "no policy", {"policy": None}, "spec.policy", "Required value"),
    Case(
        "PlacementGroup",
        "an unknown policy",
        {"policy": "Spread"},
        "spec.policy",
        'supported values: "Affinity", "AntiAffinity", "SoftAffinity", "SoftAntiAffinity"',
    ),
    Case(
        "PlacementGroup",
        "an unknown topology",
        {"topologyKey": "Pod"},
        "spec.topologyKey",
        'supported values: "Host", "Rack", "FailureDomain"',
    ),
    Case(
        "PlacementGroup",
        "no room for anyone",
        {"maxPerDomain": 0},
        "spec.maxPerDomain",
        "should be greater than or equal to 1",
    ),
    # UsageRecord
    Case("UsageRecord", "an estate", {"namespace": "team-a"}),
    Case("UsageRecord", "a month that is none", {"month": "2026-13"}, "spec.month", "should match"),
    Case("UsageRecord", "no month", {"month": None}, "spec.month", "Required value"),
    # MigrationPolicy
    Case("MigrationPolicy", "for every VM", {"selectors": {"namespaceSelector": None, "virtualMachineSelector": None}}),
    Case(
        "MigrationPolicy",
        "everything said",
        {
            "weight": 1000,
            "bandwidthPerMigration": "64Mi",
            "completionTimeoutPerGiB": 800,
            "progressTimeout": 60,
            "allowAutoConverge": True,
            "allowPostCopy": True,
            "allowWorkloadDisruption": True,
            "compression": "none",
            "downtimeTuning": {"initialMs": 500, "steps": 1, "startAfterIteration": 1, "cooldownSeconds": 1},
            "stallDetector": {"stallMargin": 0, "ewmaAlpha": "1", "searchLocalMinima": False},
        },
    ),
    Case("MigrationPolicy", "ramp and detector as they are", {"downtimeTuning": {}, "stallDetector": {}}),
    Case("MigrationPolicy", "no limit of bandwidth", {"bandwidthPerMigration": "0"}),
    Case("MigrationPolicy", "compressed", {"compression": "zstd", "allowPostCopy": False}),
    Case("MigrationPolicy", "for nobody in particular", {"selectors": None}, "spec.selectors", "Required value"),
    Case("MigrationPolicy", "a weight too high", {"weight": 1001}, "spec.weight", "less than or equal to 1000"),
    Case("MigrationPolicy", "bits", {"bandwidthPerMigration": "1Gbit"}, "spec.bandwidthPerMigration", QUANTITY),
    Case("MigrationPolicy", "mere bytes", {"bandwidthPerMigration": "64"}, "spec.bandwidthPerMigration", BYTES),
    Case(
        "MigrationPolicy",
        "half an hour",
        {"maxDowntimeMs": 2000001},
        "spec.maxDowntimeMs",
        "less than or equal to 2000000",
    ),
    Case(
        "MigrationPolicy", "another compression", {"compression": "lz4"}, "spec.compression", 'values: "none", "zstd"'
    ),
    Case("MigrationPolicy", "compressed post-copy", {"compression": "zstd", "allowPostCopy": True}, "spec", NO_ZSTD),
    Case("MigrationPolicy", "a ramp down", {"downtimeTuning": {"initialMs": 501}}, "spec", RAMP),
    Case("MigrationPolicy", "the default ramp down", {"maxDowntimeMs": 100, "downtimeTuning": {}}, "spec", RAMP),
    Case(
        "MigrationPolicy",
        "a ramp of no steps",
        {"downtimeTuning": {"steps": 0}},
        "spec.downtimeTuning.steps",
        "equal to 1",
    ),
    Case("MigrationPolicy", "a share of words", detecting(ewmaAlpha="often"), "spec.stallDetector.ewmaAlpha", RATIO),
    Case(
        "MigrationPolicy",
        "nothing new heard",
        detecting(ewmaAlpha="0.0"),
        "spec.stallDetector.ewmaAlpha",
        "stallDetector.ewmaAlpha must be above 0 and at most 1, such as 0.4",
    ),
    Case(
        "MigrationPolicy",
        "given up within the limit",
        detecting(precopyPossibleFactor="0.5"),
        "spec.stallDetector.precopyPossibleFactor",
        "stallDetector.precopyPossibleFactor must be at least 1 (1.5: half above the limit)",
    ),
    Case(
        "MigrationPolicy",
        "endless patience",
        detecting(patienceWindowDecayFactor="1"),
        "spec.stallDetector.patienceWindowDecayFactor",
        "stallDetector.patienceWindowDecayFactor must be below 1, or a stalled copy would wait for ever",
    ),
    # VirtualMachine
    Case("VirtualMachine", "booting from a volume", {"imageRef": None, "volumes": [DISK | {"bootOrder": 1}]}),
    Case("VirtualMachine", "halted and protected", {"runStrategy": "Halted", "deletionProtection": True}),
    Case("VirtualMachine", "a workload of its own", {"model": {"dirtyRate": "50Mi"}}),
    Case(
        "VirtualMachine",
        "an address and a MAC asked for",
        {"networks": [NETWORK | {"ipAddress": "10.0.0.20", "macAddress": "52:54:00:12:34:56", "subnet": "a"}]},
    ),
    Case("VirtualMachine", "any taint tolerated", tolerating(operator="Exists")),
    Case("VirtualMachine", "one taint tolerated", tolerating(key="dedicated", value="db", effect="PreferNoSchedule")),
    Case("VirtualMachine", "away from every VM of its namespace", near(enforcement="Required", labelSelector={})),
    Case("VirtualMachine", "in three racks at least", spread(minDomains=3, whenUnsatisfiable="DoNotSchedule")),
    Case("VirtualMachine", "spread as far as possible", spread(maxSkew=2)),
    Case("VirtualMachine", "one of a group", {"placement": {"placementGroupName": "web"}}),
    Case(
        "VirtualMachine", "urgent", {"priorityClassName": "urgent", "highAvailability": {"restartPriority": "Highest"}}
    ),
    Case("VirtualMachine", "first to go", {"preemptible": True, "highAvailability": {"maxRestarts": 0}}),
    Case(
        "VirtualMachine", "a nameless taint tolerated", tolerating(value="db"), "spec.placement.tolerations[0]", NO_KEY
    ),
    Case("VirtualMachine", "an empty name tolerated", tolerating(key=""), "spec.placement.tolerations[0]", NO_KEY),
    Case(
        "VirtualMachine",
        "any value tolerated, and one",
        tolerating(key="dedicated", operator="Exists", value="db"),
        "spec.placement.tolerations[0]",
        "tolerations[].value must be empty with operator Exists: remove value or set operator Equal",
    ),
    Case(
        "VirtualMachine",
        "an eviction tolerated",
        tolerating(key="dedicated", operator="Exists", effect="NoExecute"),
        "spec.placement.tolerations[0].effect",
        EFFECTS,
    ),
    Case(
        "VirtualMachine",
        "away from nobody in particular",
        near(labelSelector=None),
        "spec.placement.affinity[0].labelSelector",
        "Required value",
    ),
    Case(
        "VirtualMachine",
        "away from VMs with a label of no value",
        near(labelSelector={"matchExpressions": [{"key": "tier", "operator": "NotIn"}]}),
        "spec.placement.affinity[0].labelSelector.matchExpressions[0]",
        VALUES,
    ),
    Case(
        "VirtualMachine",
        "a wish that counts double",
        near(weight=101),
        "spec.placement.affinity[0].weight",
        "should be less than or equal to 100",
    ),
    Case(
        "VirtualMachine",
        "spread over nothing in particular",
        spread(topologyKey=None),
        "spec.placement.topologySpread[0].topologyKey",
        "Required value",
    ),
    Case(
        "VirtualMachine",
        "three racks if possible",
        spread(minDomains=3),
        "spec.placement.topologySpread[0]",
        "topologySpread[].minDomains needs whenUnsatisfiable DoNotSchedule: set it or remove minDomains",
    ),
    Case(
        "VirtualMachine",
        "an unknown place in the order of restarts",
        {"highAvailability": {"restartPriority": "Now"}},
        "spec.highAvailability.restartPriority",
        'supported values: "Highest", "High", "Medium", "Low", "Lowest"',
    ),
    Case(
        "VirtualMachine",
        "restarted without end",
        {"highAvailability": {"maxRestarts": 101}},
        "spec.highAvailability.maxRestarts",
        "should be less than or equal to 100",
    ),
    Case("VirtualMachine", "no flavor", {"flavorRef": None}, "spec.flavorRef", "Required value"),
    Case("VirtualMachine", "nothing to boot from", {"imageRef": None}, "spec", NO_BOOT),
    Case(
        "VirtualMachine",
        "only a second boot disk",
        {"imageRef": None, "volumes": [DISK | {"bootOrder": 2}]},
        "spec",
        NO_BOOT,
    ),
    Case("VirtualMachine", "a disk of nothing", {"volumes": [{"name": "d"}]}, "spec.volumes[0]", ONE_DISK),
    Case(
        "VirtualMachine",
        "a disk of two things",
        {"volumes": [DISK | {"volumeRef": {"name": "v"}}]},
        "spec.volumes[0]",
        ONE_DISK,
    ),
    Case(
        "VirtualMachine",
        "an empty disk template",
        {"volumes": [{"name": "d", "template": {"size": "0"}}]},
        "spec.volumes[0].template.size",
        "volumes[].template.size must be above 0",
    ),
    Case(
        "VirtualMachine",
        "two disks of one name",
        {"volumes": [DISK, DISK]},
        "spec.volumes[1]",
        'Duplicate value: {"name":"data"}',
    ),
    Case(
        "VirtualMachine",
        "an address that is none",
        {"networks": [NETWORK | {"ipAddress": "10.0.0.300"}]},
        "spec.networks[0].ipAddress",
        "ipAddress must be an IPv4 address, such as 10.0.0.20",
    ),
    Case(
        "VirtualMachine",
        "a multicast MAC",
        {"networks": [NETWORK | {"macAddress": "01:00:5e:00:00:01"}]},
        "spec.networks[0].macAddress",
        "macAddress must be a unicast address of six lower-case pairs, such as 52:54:00:12:34:56",
    ),
    Case(
        "VirtualMachine",
        "an unknown run strategy",
        {"runStrategy": "Sometimes"},
        "spec.runStrategy",
        'supported values: "Always", "RerunOnFailure", "Once", "Manual", "Halted"',
    ),
    Case(
        "VirtualMachine",
        "an eviction strategy for later",
        {"evictionStrategy": "External"},
        "spec.evictionStrategy",
        'supported values: "LiveMigrate", "LiveMigrateIfPossible", "None"',
    ),
    Case(
        "VirtualMachine",
        "a misspelt field",
        {"runStrategie": "Always"},
        "",
        'unknown field "spec.runStrategie"',
    ),
    Case(
        "VirtualMachine",
        "a hot set that is a word",
        {"model": {"hotSet": "large"}},
        "spec.model.hotSet",
        QUANTITY,
    ),
    # VirtualMachineMigration
    Case("VirtualMachineMigration", "any target", {"targetHostName": None}),
    Case(
        "VirtualMachineMigration", "by a policy, for an hour", {"policyName": "gold", "ttlSecondsAfterFinished": 3600}
    ),
    Case(
        "VirtualMachineMigration",
        "gone before it ended",
        {"ttlSecondsAfterFinished": -1},
        "spec.ttlSecondsAfterFinished",
        "should be greater than or equal to 0",
    ),
    Case(
        "VirtualMachineMigration",
        "two ways to choose a target",
        {"addedNodeSelector": {"zone": "z1"}},
        "spec",
        "targetHostName and addedNodeSelector exclude each other: remove one",
    ),
    Case(
        "VirtualMachineMigration",
        "no VM",
        {"virtualMachineName": None},
        "spec.virtualMachineName",
        "Required value",
    ),
    Case(
        "VirtualMachineMigration",
        "an unknown priority",
        {"priority": "Asap"},
        "spec.priority",
        'supported values: "SystemCritical", "UserTriggered", "SystemMaintenance"',
    ),
    # MigrationPlan
    Case("MigrationPlan", "a drain", {"virtualMachines": None, "hostName": "p1-3"}),
    Case(
        "MigrationPlan",
        "a selection",
        {
            "virtualMachines": None,
            "selector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["web"]}]},
        },
    ),
    Case("MigrationPlan", "a careful dry run", {"mode": "DryRun", "limits": {"maxConcurrent": 1}}),
    Case("MigrationPlan", "nothing to move", {"virtualMachines": None}, "spec", ONE_SCOPE),
    Case("MigrationPlan", "two things to move", {"hostName": "p1-3"}, "spec", ONE_SCOPE),
    Case(
        "MigrationPlan",
        "an empty list",
        {"virtualMachines": []},
        "spec.virtualMachines",
        "should have at least 1 items",
    ),
    Case(
        "MigrationPlan",
        "one VM twice",
        {"virtualMachines": [{"name": "web-1"}, {"name": "web-1"}]},
        "spec.virtualMachines[1]",
        'Duplicate value: {"name":"web-1"}',
    ),
    Case(
        "MigrationPlan",
        "In without values",
        {"virtualMachines": None, "selector": {"matchExpressions": [{"key": "tier", "operator": "In"}]}},
        "spec.selector.matchExpressions[0]",
        VALUES,
    ),
    Case(
        "MigrationPlan",
        "no patience",
        {"retry": {"backoff": "10ms"}},
        "spec.retry.backoff",
        "retry.backoff must be at least 1s, such as 20s",
    ),
    Case(
        "MigrationPlan",
        "a bare number of seconds",
        {"retry": {"backoff": "20"}},
        "spec.retry.backoff",
        "should match",
    ),
    Case(
        "MigrationPlan",
        "no concurrency",
        {"limits": {"maxConcurrent": 0}},
        "spec.limits.maxConcurrent",
        "should be greater than or equal to 1",
    ),
    Case("MigrationPlan", "waits for somebody's approval", {"approval": "Manual"}),
    Case("MigrationPlan", "approved at once", {"approval": "Manual", "approved": True}),
    Case(
        "MigrationPlan",
        "everything a user may ask for",
        {
            "order": "SmallestFirst",
            "window": {"notBefore": "2026-11-21T22:00:00Z", "notAfter": "2026-11-22T04:00:00.5Z"},
            "limits": {"maxTotalDowntime": "30s", "maxDuration": "1h30m"},
            "failurePolicy": "Rollback",
            "policyName": "post-copy",
            "overrides": {"maxDowntimeMs": 500, "allowPostCopy": True},
            "ttlSecondsAfterFinished": 0,
        },
    ),
    Case("MigrationPlan", "a window that never closes", {"window": {"notBefore": "2026-11-21T22:00:00Z"}}),
    Case(
        "MigrationPlan",
        "approved without being asked",
        {"approved": True},
        "spec",
        "approved is only meaningful with approval Manual: set approval: Manual or remove approved",
    ),
    Case(
        "MigrationPlan",
        "a window without edges",
        {"window": {}},
        "spec.window",
        "set window.notBefore, window.notAfter or both",
    ),
    Case(
        "MigrationPlan",
        "a window that closes before it opens",
        {"window": {"notBefore": "2026-11-21T22:00:00Z", "notAfter": "2026-11-21T22:00:00Z"}},
        "spec.window",
        "window.notBefore must precede window.notAfter",
    ),
    Case(
        "MigrationPlan",
        "no pause at all",
        {"limits": {"maxTotalDowntime": "0s"}},
        "spec.limits.maxTotalDowntime",
        "limits.maxTotalDowntime must be above 0, such as 30s",
    ),
    Case(
        "MigrationPlan",
        "no time at all",
        {"limits": {"maxDuration": "0h0m"}},
        "spec.limits.maxDuration",
        "limits.maxDuration must be above 0, such as 30m",
    ),
    Case(
        "MigrationPlan",
        "an unknown order",
        {"order": "Random"},
        "spec.order",
        'supported values: "SmallestFirst", "LargestFirst", "ShortestDowntimeFirst", "PriorityFirst", "AsListed"',
    ),
    Case(
        "MigrationPlan",
        "an unknown answer to failure",
        {"failurePolicy": "Retry"},
        "spec.failurePolicy",
        'supported values: "Continue", "Stop", "Rollback"',
    ),
    Case(
        "MigrationPlan",
        "gone before it has ended",
        {"ttlSecondsAfterFinished": -1},
        "spec.ttlSecondsAfterFinished",
        "should be greater than or equal to 0",
    ),
    Case(
        "MigrationPlan",
        "overrides that exclude each other",
        {"overrides": {"allowPostCopy": True, "compression": "zstd"}},
        "spec.overrides",
        "compression is not modelled together with post-copy",
    ),
]

WIDER = subnet(cidr="10.0.0.0/16", gatewayIP="10.0.0.1")

CHANGED = [
    Case(
        "UsageRecord",
        "another month",
        {"month": "2026-12"},
        "spec.month",
        "month is immutable: the operator creates a record for each month",
    ),
    Case(
        "UsageRecord",
        "another's",
        {"namespace": "team-a"},
        "spec",
        "namespace cannot be added or removed: the operator creates a record for each month",
    ),
    Case("NodePool", "scaled", {"replicas": 12}),
    Case("NodePool", "another template", {"template": {"memory": "512Gi"}}),
    Case("Host", "drained", {"maintenance": {"mode": "Drain"}}),
    Case("Host", "tainted", {"taints": [TAINT]}),
    Case(
        "Host",
        "moved to another pool",
        {"poolRef": {"name": "p2"}},
        "spec.poolRef",
        "poolRef is immutable: delete the host; its pool makes another",
    ),
    Case("Flavor", "deprecated", {"lifecycle": {"state": "Deprecated", "replacementRef": {"name": "m2"}}}),
    Case("Flavor", "another toleration", {"tolerations": [{"operator": "Exists"}]}),
    Case("Flavor", "CPUs of its own", cpu(dedicatedCPUPlacement=True), "spec.cpu", f"cpu is immutable: {NEW_FLAVOR}"),
    Case(
        "Flavor",
        "more GPUs",
        {"gpus": [GPU | {"count": 2}]},
        "spec.gpus",
        f"gpus is immutable: {NEW_FLAVOR}",
    ),
    Case("Flavor", "no GPU any more", {"gpus": None}, "spec", f"gpus cannot be added or removed: {NEW_FLAVOR}"),
    Case("Flavor", "more CPU", cpu(guest=4), "spec.cpu", f"cpu is immutable: {NEW_FLAVOR}"),
    Case(
        "Flavor",
        "more memory",
        {"memory": {"guest": "8Gi"}},
        "spec.memory",
        f"memory is immutable: {NEW_FLAVOR}",
    ),
    Case(
        "Flavor",
        "more disk",
        {"rootDisk": {"size": "1Ti"}},
        "spec.rootDisk",
        f"rootDisk is immutable: {NEW_FLAVOR}",
    ),
    Case(
        "Flavor",
        "no disk any more",
        {"rootDisk": None},
        "spec",
        f"rootDisk cannot be added or removed: {NEW_FLAVOR}",
    ),
    Case("Image", "deactivated", {"state": "Deactivated"}),
    Case(
        "Image",
        "another URL",
        {"source": {"http": {"url": "https://images.test/other.qcow2"}}},
        "spec.source",
        "source is immutable: create a new image",
    ),
    Case("Volume", "grown", {"size": "20Gi"}),
    Case("Volume", "the same size in other words", {"size": "10240Mi"}),
    Case(
        "Volume",
        "shrunk",
        {"size": "9.9Gi"},
        "spec.size",
        "size can grow but not shrink: create a smaller volume and copy to it",
    ),
    Case(
        "Volume",
        "another class",
        {"className": "fast"},
        "spec.className",
        "className is immutable: create a new volume",
    ),
    Case(
        "Volume",
        "another access mode",
        {"accessMode": "ReadWriteOnce"},
        "spec.accessMode",
        "accessMode is immutable: create a new volume",
    ),
    Case(
        "Volume",
        "another source",
        {"source": {"ref": {"name": "fedora"}}},
        "spec.source",
        "source is immutable: create a new volume",
    ),
    Case("Network", "a subnet more", subnets("10.0.0.0/24", "10.0.1.0/24")),
    Case("Network", "another range", WIDER, "spec.subnets[0].cidr", "cidr is immutable: add another subnet"),
    Case(
        "Network",
        "another gateway",
        subnet(gatewayIP="10.0.0.2"),
        "spec.subnets[0]",
        "gatewayIP is immutable: guests use it; add another subnet",
    ),
    Case("PlacementGroup", "more to a rack", {"maxPerDomain": 2}),
    Case(
        "PlacementGroup", "softened", {"policy": "SoftAntiAffinity"}, "spec.policy", f"policy is immutable: {NEW_GROUP}"
    ),
    Case(
        "PlacementGroup",
        "apart by host",
        {"topologyKey": "Host"},
        "spec.topologyKey",
        f"topologyKey is immutable: {NEW_GROUP}",
    ),
    Case(
        "MigrationPolicy",
        "for other VMs, more gently",
        {"selectors": {"namespaceSelector": None}, "maxDowntimeMs": 300},
    ),
    Case("MigrationPolicy", "a ramp from above", {"downtimeTuning": {"initialMs": 900}}, "spec", RAMP),
    Case("VirtualMachine", "placed anew at its next start", near(topologyKey="FailureDomain")),
    Case("VirtualMachine", "resized and halted", {"flavorRef": {"name": "m1.large"}, "runStrategy": "Halted"}),
    Case("VirtualMachine", "a disk more", {"volumes": [DISK, {"name": "log", "volumeRef": {"name": "log"}}]}),
    Case(
        "VirtualMachine",
        "another image",
        {"imageRef": {"name": "fedora"}},
        "spec.imageRef",
        "imageRef is immutable: create a new VirtualMachine",
    ),
    Case(
        "VirtualMachine",
        "no image any more",
        {"imageRef": None, "volumes": [DISK | {"bootOrder": 1}]},
        "spec",
        "imageRef cannot be added or removed: create a new VirtualMachine",
    ),
    Case(
        "VirtualMachine",
        "a larger template",
        {"volumes": [{"name": "data", "template": {"size": "20Gi"}}]},
        "spec.volumes[0].template",
        "volumes[].template is immutable: to grow the disk, raise spec.size of the Volume made from it",
    ),
    Case("VirtualMachineMigration", "cancelled", {"cancel": True}),
    Case("VirtualMachineMigration", "another policy", {"policyName": "gold", "ttlSecondsAfterFinished": 60}),
    Case(
        "VirtualMachineMigration",
        "another VM",
        {"virtualMachineName": "web-2"},
        "spec.virtualMachineName",
        f"virtualMachineName is immutable: {NEW_MIGRATION}",
    ),
    Case(
        "VirtualMachineMigration",
        "another target",
        {"targetHostName": "p1-4"},
        "spec.targetHostName",
        f"targetHostName is immutable: {NEW_MIGRATION}",
    ),
    Case(
        "VirtualMachineMigration",
        "no target any more",
        {"targetHostName": None},
        "spec",
        f"targetHostName cannot be added or removed: {NEW_MIGRATION}",
    ),
    Case(
        "VirtualMachineMigration",
        "cast off by its plan",
        {"planName": None},
        "spec",
        "planName cannot be added or removed: the plan sets it when it creates the migration",
    ),
    Case("MigrationPlan", "other VMs before work has begun", {"virtualMachines": [{"name": "web-9"}]}),
]


def frozen(field: str) -> str:
    return f"spec.{field} is frozen once execution has begun: set spec.cancel and create a new plan"


CHANGED_WHILE_MIGRATING = [
    Case("MigrationPlan", "paused", {"paused": True}),
    Case(
        "MigrationPlan",
        "slowed down, made urgent",
        {"limits": {"maxConcurrent": 1}, "priority": "SystemCritical"},
    ),
    Case("MigrationPlan", "other VMs", {"virtualMachines": [{"name": "x"}]}, "", frozen("virtualMachines")),
    Case("MigrationPlan", "another target", {"target": {"hostNames": ["p1-5"]}}, "", frozen("target")),
    Case("MigrationPlan", "a dry run after all", {"mode": "DryRun"}, "", frozen("mode")),
    Case("MigrationPlan", "other settings", {"overrides": {"maxDowntimeMs": 100}}, "", frozen("overrides")),
    Case("MigrationPlan", "a larger budget", {"limits": {"maxTotalDowntime": "5m"}, "failurePolicy": "Stop"}),
    Case("MigrationPlan", "a longer window", {"window": {"notAfter": "2027-01-01T00:00:00Z"}}),
    Case(
        "MigrationPlan",
        "approval asked for too late",
        {"approval": "Manual"},
        "",
        "approved cannot be withdrawn once execution has begun: set spec.paused, or spec.cancel",
    ),
]

CHANGED_WHILE_CANCELLING = [
    Case(
        "MigrationPlan",
        "taken back",
        {"cancel": False},
        "spec.cancel",
        "cancel cannot be withdrawn: create a new MigrationPlan",
    ),
    Case(
        "VirtualMachineMigration",
        "taken back",
        {"cancel": False},
        "spec.cancel",
        "cancel cannot be withdrawn: create a new VirtualMachineMigration",
    ),
]
