"""Live migrations step by step, as kubectl sees them, and what makes one stand in a phase for long enough to be hit."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from clouds import PATIENCE, Change, Cloud, Manifest, changes_of
from running import eventually

from controlplane import KubectlError
from drover.api.meta import GROUP

FINAL = ("Succeeded", "Failed", "Cancelled")
GIVES_UP_SOON: Manifest = {"stallDetector": {"stallProgressTimeout": 1, "searchLocalMinima": False}}
"""Settings by which the copy of a guest that writes everywhere fails after a few passes."""
SOON_PAUSED: Manifest = {"allowWorkloadDisruption": True, **GIVES_UP_SOON}
"""Settings by which a guest that writes everywhere is paused for its whole memory as soon as passes do not shrink."""
SOON_POST_COPY: Manifest = {"allowPostCopy": True, **GIVES_UP_SOON}
"""The same with post-copy instead of a pause."""
HELD = "a test holds it"


@dataclass(frozen=True)
class Step:
    """A migration, or a plan, as one write has left it."""

    name: str
    phase: str
    source: str
    target: str
    percent: int
    passes: int
    sent: int

    @classmethod
    def of(cls, raw: Manifest) -> Self:
        status = raw.get("status", {})
        progress = status.get("progress", {})
        return cls(
            raw["metadata"]["name"],
            status.get("phase", ""),
            status.get("sourceHost", ""),
            status.get("targetHost", ""),
            progress.get("percent", 0),
            progress.get("iteration", 0),
            progress.get("processedBytes", 0),
        )


class Steps:
    """Steps in the order of their writes."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes = iter(changes)
        self.seen: list[Step] = []

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        self.seen.append(Step.of(next(self._changes).object))
        return self.seen[-1]

    def until(self, *phases: str, of: str = "", percent: int = 0) -> Step:
        """Go on to the next step that is in one of the phases, at least so far, of a name with ``of`` in it."""
        for step in self:
            if of in step.name and step.phase in phases and step.percent >= percent:
                return step
            assert of not in step.name or step.phase not in FINAL, f"never {phases}: {self.seen}"
        raise AssertionError(f"never {phases}: {self.seen}")


@contextmanager
def steps_of(cloud: Cloud, kind: str = "VirtualMachineMigration") -> Iterator[Steps]:
    """What is written of the migrations (or plans) of the cloud from now on."""
    with changes_of(cloud, kind) as changes:
        yield Steps(changes)


def writer(memory: str) -> Manifest:
    """A guest model that writes to all of its memory all the time."""
    return {"hotSet": memory, "dirtyRate": "0", "dirtyNoise": "0", "zeroPageRatio": "0"}


EASY, HARD = writer("16Mi"), writer("2Gi")
"""Guests of 2 GiB that can be moved, and that cannot without help."""


def up(cloud: Cloud, models: dict[str, Manifest], hosts: int = 3) -> dict[str, str]:
    """Bring up VMs with these guest models; the host of each."""
    vms = [cloud.vm(name, model=model) for name, model in models.items()]
    flavor = cloud.flavor(cpus=1, memory="2Gi")
    cloud.up(cloud.pool(hosts, memory="64Gi"), flavor, cloud.image(), cloud.network(), *vms)
    return hosts_of(cloud)


def one_by_one(cloud: Cloud, names: list[str], **plan: object) -> None:
    """Begin a plan of these VMs in this order, each tried once."""
    vms = [{"name": name} for name in names]
    limits, once = {"maxConcurrent": 1}, {"limit": 0}
    spec = {"order": "AsListed", "overrides": GIVES_UP_SOON, "limits": limits, "retry": once, **plan}
    cloud.apply(cloud.plan(virtualMachines=vms, **spec))


def pair(cloud: Cloud, name: str, **vm: Any) -> tuple[Manifest, Manifest]:
    """A VM of this name, and a pool of two hosts of its own: what happens there does not disturb other pairs."""
    pool = cloud.pool(2)
    pool["metadata"]["name"] = pool_of(cloud, name)
    return pool, cloud.vm(name, placement={"nodePoolName": pool_of(cloud, name)}, **vm)


def pool_of(cloud: Cloud, name: str) -> str:
    return f"{cloud.namespace}-{name}"


def move(cloud: Cloud, name: str, **plan: Any) -> Manifest:
    """A plan that tries once to move a VM, named as the VM is."""
    return cloud.plan(name, virtualMachines=[{"name": name}], **{"retry": {"limit": 0}, **plan})


def migrations_of(cloud: Cloud) -> dict[str, Manifest]:
    """Statuses of the migrations, by VM."""
    return {found["spec"]["virtualMachineName"]: found.get("status", {}) for found in cloud.list("vmm")}


def hosts_of(cloud: Cloud) -> dict[str, str]:
    """Where each VM is."""
    return {vm["metadata"]["name"]: vm["status"]["hostName"] for vm in cloud.list("vm")}


def await_phase(cloud: Cloud, vm: str, *phases: str) -> Manifest:
    """Wait until the one migration of a VM is in one of the phases; its status then."""
    found: dict[str, Manifest] = {}

    def there() -> bool:
        found.update(migrations_of(cloud))
        return found.get(vm, {}).get("phase") in phases

    eventually(there, PATIENCE, lambda: f"the migration of {vm} is not {phases}: {found.get(vm)}")
    return found[vm]


def at_pace(cloud: Cloud, time_scale: float, pool: str = "") -> None:
    """From now on so many modelled seconds pass in one, as the operator knows by then."""
    set_pace(cloud, time_scale, pool)
    cloud.observed("npool", pool or cloud.namespace)


def set_pace(cloud: Cloud, time_scale: float, pool: str = "") -> None:
    """The same for an operator that is down."""
    cloud.patch("npool", pool or cloud.namespace, {"driver": {"timeScale": str(time_scale)}})


@contextmanager
def commitment_held(cloud: Cloud) -> Iterator[None]:
    """Meanwhile the API server refuses that VMs of the cloud take another host, so migrations stand in Commitment."""
    name = f"{cloud.namespace}.{GROUP}"
    resources = [{"apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["UPDATE"]}]
    resources[0]["resources"] = ["virtualmachines/status"]
    same = "!has(oldObject.status.hostName) || object.status.hostName == oldObject.status.hostName"
    selector = {"matchLabels": {"kubernetes.io/metadata.name": cloud.namespace}}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": resources, "namespaceSelector": selector},
        "validations": [{"expression": same, "message": HELD}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    kind = "ValidatingAdmissionPolicy"
    cloud.apply(_admission(kind, name, policy), _admission(f"{kind}Binding", name, binding))
    vm = cloud.list("vm")[0]["metadata"]["name"]
    eventually(lambda: _is_held(cloud, vm), PATIENCE, lambda: f"{vm} may still take another host")
    try:
        yield
    finally:
        cloud.kubectl("delete", f"{kind},{kind}Binding".lower(), name)


def _is_held(cloud: Cloud, vm: str) -> bool:
    elsewhere = '{"status":{"hostName":"elsewhere"}}'
    options = ["-n", cloud.namespace, "--subresource=status", "--dry-run=server", "--type=merge"]
    try:
        cloud.kubectl("patch", "vm", vm, *options, "-p", elsewhere)
    except KubectlError as error:
        return HELD in error.stderr
    return False


def _admission(kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
