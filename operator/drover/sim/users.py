"""What tenants and administrators do to a `drover.sim.cloud`, all the time and at the worst moment.

Each function is one request a user could make with kubectl, at random; a table gives its weight. A request that
the API server refuses is over: users do not retry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drover.api.host import Host
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import VirtualMachine
from drover.api.volume import Volume
from drover.sim import cloud, movers, wishes
from drover.sim.cloud import NAMESPACES, manifest
from drover.sim.requests import anything, create, delete, everything, fresh, patch
from drover.sim.simulation import Simulation

MAX_VMS = 28
MAX_VOLUMES = 8
Act = Callable[[Simulation], None]


def create_vm(sim: Simulation) -> None:
    if len(sim.store.objects(VirtualMachine.KIND)) >= MAX_VMS:
        delete_vm(sim)
        return
    random = sim.random
    namespace = random.choice(NAMESPACES)
    spec: dict[str, Any] = {
        "flavorRef": {"name": wishes.flavor(random)},
        "imageRef": {"name": random.choices(cloud.IMAGES, (8, 4, 0.3))[0]},
        "networks": [
            {"name": f"nic{number}", "networkRef": {"name": name}}
            for number, name in enumerate(random.sample(cloud.NETWORKS, random.randint(0, 2)))
        ],
        "evictionStrategy": random.choices(("LiveMigrate", "LiveMigrateIfPossible", "None"), (6, 2, 1))[0],
        "runStrategy": random.choices(("Always", "Manual", "Once"), (12, 1, 1))[0],
        "highAvailability": {
            "enabled": random.random() < 0.85,
            "restartPriority": random.choice(("Highest", "Medium", "Lowest")),
            "maxRestarts": random.choice((0, 1, 5, 5, 5)),
        },
        "placement": wishes.placement(random),
        "preemptible": random.random() < 0.5,
    }
    if random.random() < 0.35:
        spec["model"] = {"hotSet": "700Mi", "dirtyRate": "900M"}  # more than its link carries
    if random.random() < 0.5:
        spec["priorityClassName"] = random.choice((*cloud.PRIORITIES, cloud.PATIENT))
    volumes = [v.name for v in sim.store.objects(Volume.KIND) if v.namespace == namespace]
    if volumes and random.random() < 0.3:
        spec["volumes"] = [{"name": "data", "volumeRef": {"name": random.choice(volumes)}}]
    elif random.random() < 0.1:
        spec["volumes"] = [{"name": "data", "template": {"size": "5Gi"}}]
    create(sim, manifest("VirtualMachine", fresh(sim, "vm"), spec, namespace, labels=wishes.labels(random)))


def delete_vm(sim: Simulation) -> None:
    delete(sim, anything(sim, VirtualMachine))


def stop_vm(sim: Simulation) -> None:
    patch(sim, anything(sim, VirtualMachine), {"spec": {"runStrategy": "Halted"}})


def start_vm(sim: Simulation) -> None:
    """One that is stopped, if there is one."""
    halted = [vm for vm in everything(sim, VirtualMachine) if vm.spec.run_strategy == "Halted"]
    if halted:
        patch(sim, sim.random.choice(halted), {"spec": {"runStrategy": "Always"}})


def pause_vm(sim: Simulation) -> None:
    patch(sim, anything(sim, VirtualMachine), {"spec": {"paused": True}})


def resume_vm(sim: Simulation) -> None:
    paused = [vm for vm in everything(sim, VirtualMachine) if vm.spec.paused]
    if paused:
        patch(sim, sim.random.choice(paused), {"spec": {"paused": False}})


def act_on_vm(sim: Simulation) -> None:
    verb = sim.random.choice(("start", "stop", "restart", "pause", "resume"))
    patch(
        sim,
        anything(sim, VirtualMachine),
        {"metadata": {"annotations": {"drover.dev/action": fresh(sim, f"{verb}@")}}},
    )


def resize_vm(sim: Simulation) -> None:
    patch(sim, anything(sim, VirtualMachine), {"spec": {"flavorRef": {"name": wishes.flavor(sim.random)}}})


def label_vm(sim: Simulation) -> None:
    """The concurrent edit that makes the operator's write meet a conflict; or what selectors look at changes."""
    labels = wishes.labels(sim.random) if sim.random.random() < 0.4 else {"edited": fresh(sim, "e")}
    patch(sim, anything(sim, VirtualMachine), {"metadata": {"labels": labels}})


def change_wishes(sim: Simulation) -> None:
    """What a VM asks of placement, and whether it may be preempted, changes under way."""
    vm = anything(sim, VirtualMachine)
    if vm is not None:
        wanted = dict.fromkeys(vm.spec.placement.model_dump(by_alias=True)) | wishes.placement(sim.random)
        patch(sim, vm, {"spec": {"placement": wanted, "preemptible": sim.random.random() < 0.5}})


def cordon_or_uncordon_host(sim: Simulation) -> None:
    host = anything(sim, Host)
    if host is not None:
        patch(sim, host, {"spec": {"unschedulable": not host.spec.unschedulable}})


def taint_or_untaint_host(sim: Simulation) -> None:
    host = anything(sim, Host)
    if host is not None:
        taints = [] if host.spec.taints else [sim.random.choice(wishes.TAINTS)]
        patch(sim, host, {"spec": {"taints": taints}})


def drain_host(sim: Simulation) -> None:
    hosts = everything(sim, Host)
    draining = [host for host in hosts if host.spec.maintenance.mode == "Drain"]
    if len(draining) >= 2:
        patch(sim, sim.random.choice(draining), {"spec": {"maintenance": {"mode": "None"}}})
    elif hosts:
        patch(sim, sim.random.choice(hosts), {"spec": {"maintenance": {"mode": "Drain"}}})


def scale_pool(sim: Simulation) -> None:
    pool = anything(sim, NodePool)
    if pool is not None:
        patch(sim, pool, {"spec": {"replicas": cloud.REPLICAS[pool.name] + sim.random.choice((-1, 0, 0, 1))}})


def create_volume(sim: Simulation) -> None:
    if len(sim.store.objects(Volume.KIND)) >= MAX_VOLUMES:
        delete_volume(sim)
        return
    spec = {
        "size": "10Gi",
        "accessMode": sim.random.choice(("ReadWriteOnce", "ReadWriteOnce", "ReadWriteMany")),
        "bindingMode": sim.random.choice(("Immediate", "WaitForFirstConsumer")),
    }
    create(sim, manifest("Volume", fresh(sim, "disk"), spec, sim.random.choice(NAMESPACES)))


def grow_volume(sim: Simulation) -> None:
    volume = anything(sim, Volume)
    if volume is not None:
        size = volume.spec.size.bytes // 2**30 + 1
        patch(sim, volume, {"spec": {"size": f"{size}Gi"}})


def delete_volume(sim: Simulation) -> None:
    delete(sim, anything(sim, Volume))


def delete_what_is_shared(sim: Simulation) -> None:
    """Try to delete what VMs name, which may be in use; whatever is gone is made anew."""
    kind = sim.random.choice(("Image", "Network", "Flavor", "PriorityClass", "PlacementGroup", "PlacementGroup"))
    present = sim.store.objects(kind)
    if present:
        delete(sim, sim.random.choice(present))
    sim.timeline.after(sim.random.uniform(5.0, 30.0), "catalogue restored", lambda: restore_catalogue(sim))


def restore_catalogue(sim: Simulation) -> None:
    for raw in cloud.base(sim.seed):
        create(sim, raw)


def switch_network(sim: Simulation) -> None:
    networks = sim.store.objects("Network")
    if networks:
        network = sim.random.choice(networks)
        patch(sim, network, {"spec": {"adminStateUp": False}})
        sim.timeline.after(
            sim.random.uniform(1.0, 20.0),
            "network up",
            lambda: patch(sim, network, {"spec": {"adminStateUp": True}}),
        )


PASSING_ACTS: tuple[tuple[float, Act], ...] = (
    (8, create_vm),
    (2, delete_vm),
    (2.5, stop_vm),
    (4, start_vm),
    (1, pause_vm),
    (1.5, resume_vm),
    (1.5, act_on_vm),
    (1.5, resize_vm),
    (3, label_vm),
    (1, change_wishes),
    (6, movers.migrate_vm),
    (1, movers.cancel_migration),
    (0.7, movers.delete_migration),
    (0.5, movers.hurry_migration),
    (2.5, movers.plan_migrations),
    (1, movers.steer_plan),
    (0.7, movers.cancel_plan),
    (0.7, movers.delete_plan),
    (1.5, cordon_or_uncordon_host),
    (1.5, taint_or_untaint_host),
    (1.5, create_volume),
    (1, grow_volume),
    (0.7, delete_volume),
    (0.4, movers.change_policy),
    (0.4, delete_what_is_shared),
    (0.3, switch_network),
)
"""After these everything comes to rest by itself."""
ACTS: tuple[tuple[float, Act], ...] = (*PASSING_ACTS, (1.5, drain_host), (0.5, scale_pool))
"""All of them. A drain without room is tried for ever."""
