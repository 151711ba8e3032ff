"""What a VM needs before it can be placed: every reason, with the message a user would want."""

from __future__ import annotations

from typing import Any

import pytest
from worlds import (
    active,
    condition,
    flavor,
    image,
    imported,
    interface,
    network,
    owned_by,
    placed,
    provisioned,
    vm,
    volume,
    world_of,
)

from drover.api.meta import FINALIZER, AnyResource
from drover.api.volume import Volume
from drover.control.virtualmachine.prerequisites import Missing, Ready, gather

IMAGE = image(status=imported())
NIC = {"name": "eth0", "network_ref": {"name": "net"}}
DATA = {"name": "data", "volume_ref": {"name": "data"}}
TEMPLATE = {"name": "data", "template": {"size": "10Gi"}}


def missing(subject: Any, *objects: AnyResource) -> Missing:
    found = gather(subject, world_of(*objects, subject))
    assert isinstance(found, Missing), found
    return found


def ready(subject: Any, *objects: AnyResource) -> Ready:
    found = gather(subject, world_of(*objects, subject))
    assert isinstance(found, Ready), found
    return found


CASES: list[tuple[str, Any, list[AnyResource], str, bool, str]] = [
    ("no flavor", vm(), [IMAGE], "FlavorNotFound", True, "flavor small does not exist: create it, or set"),
    ("flavor going", vm(), [flavor(deleting=True), IMAGE], "FlavorNotFound", True, "flavor small does not exist"),
    (
        "flavor obsolete",
        vm(),
        [flavor(lifecycle={"state": "Obsolete"}), IMAGE],
        "FlavorObsolete",
        True,
        "takes no new VMs: use one of `kubectl get flv`",
    ),
    (
        "flavor replaced",
        vm(),
        [flavor(lifecycle={"state": "Obsolete", "replacementRef": {"name": "m2"}}), IMAGE],
        "FlavorObsolete",
        True,
        "takes no new VMs: use m2",
    ),
    ("no image", vm(), [flavor()], "ImageNotFound", True, "image default/debian does not exist: create it"),
    ("image going", vm(), [flavor(), image(status=imported(), deleting=True)], "ImageNotFound", True, "not exist"),
    ("image new", vm(), [flavor(), image()], "ImageNotReady", False, "image debian is Pending"),
    (
        "image importing",
        vm(),
        [flavor(), image(status={"phase": "Importing", "progress": "25%"})],
        "ImageNotReady",
        False,
        "image debian is Importing",
    ),
    (
        "image failed",
        vm(),
        [
            flavor(),
            image(status={"phase": "Failed", "conditions": [condition("Ready", "False", "SourceNotFound", "404")]}),
        ],
        "ImageNotReady",
        False,
        "image debian is Failed (SourceNotFound: 404)",
    ),
    (
        "image larger than the disk",
        vm(),
        [flavor(), image(status=imported(virtualSizeBytes=30 * 2**30))],
        "ImageTooLarge",
        True,
        "needs a root disk of 30Gi, flavor small has 20Gi: choose a flavor with at least 30Gi",
    ),
    (
        "image wants more disk",
        vm(),
        [flavor(), image(status=imported(), min_disk="25Gi")],
        "ImageTooLarge",
        True,
        "needs a root disk of 25Gi",
    ),
    (
        "image wants more memory",
        vm(),
        [flavor(), image(status=imported(), min_memory="8Gi")],
        "ImageTooLarge",
        True,
        "needs 8Gi of memory, flavor small has 4Gi",
    ),
    (
        "no network",
        vm(networks=[NIC]),
        [flavor(), IMAGE],
        "NetworkNotReady",
        True,
        "network default/net does not exist: create it, or correct spec.networks[eth0].networkRef",
    ),
    (
        "network going",
        vm(networks=[NIC]),
        [flavor(), IMAGE, network(status=active(), deleting=True)],
        "NetworkNotReady",
        True,
        "does not exist",
    ),
    (
        "network of others",
        vm(networks=[{"name": "eth0", "network_ref": {"name": "net", "namespace": "infra"}}]),
        [flavor(), IMAGE, network(namespace="infra", status=active())],
        "NetworkNotReady",
        True,
        "network infra/net is not shared: its owner must set spec.shared",
    ),
    (
        "network new",
        vm(networks=[NIC]),
        [flavor(), IMAGE, network()],
        "NetworkNotReady",
        False,
        "network default/net is Pending",
    ),
    (
        "network down",
        vm(networks=[NIC]),
        [flavor(), IMAGE, network(status=active(phase="Down"))],
        "NetworkNotReady",
        False,
        "network default/net is Down: set its spec.adminStateUp",
    ),
    (
        "no such subnet",
        vm(networks=[NIC | {"subnet": "z"}]),
        [flavor(), IMAGE, network(status=active())],
        "NetworkNotReady",
        True,
        "has no subnet z: choose one of a",
    ),
    (
        "no address left",
        vm(networks=[NIC]),
        [
            flavor(),
            IMAGE,
            network(cidr="10.0.0.0/30", status=active()),
            vm("b", status=placed(interfaces=[interface("10.0.0.2")])),
        ],
        "AddressUnavailable",
        False,
        "network default/net: all 1 addresses are taken",
    ),
    (
        "address taken",
        vm(networks=[NIC | {"ip_address": "10.0.0.9"}]),
        [flavor(), IMAGE, network(status=active()), vm("b", status=placed(interfaces=[interface("10.0.0.9")]))],
        "AddressUnavailable",
        True,
        "address 10.0.0.9 is taken by default/b",
    ),
    (
        "no volume",
        vm(volumes=[DATA]),
        [flavor(), IMAGE],
        "VolumeNotReady",
        True,
        "volume data does not exist: create it, or correct spec.volumes[data].volumeRef",
    ),
    (
        "volume going",
        vm(volumes=[DATA]),
        [flavor(), IMAGE, volume(status=provisioned(), deleting=True)],
        "VolumeNotReady",
        True,
        "volume data is being deleted: create another",
    ),
    (
        "volume that stayed going",
        vm(volumes=[TEMPLATE]),
        [flavor(), IMAGE, volume("a-data", reclaim_policy="Retain", status=provisioned(), deleting=True)],
        "VolumeNotReady",
        False,
        "volume a-data is being deleted: wait until it is gone and made anew, or rename the disk",
    ),
    (
        "volume of a namesake going",
        vm(volumes=[TEMPLATE]),
        [flavor(), IMAGE, volume("a-data", owner_references=[owned_by(vm()) | {"uid": "old"}], deleting=True)],
        "VolumeNotReady",
        False,
        "volume a-data belongs to another VirtualMachine: wait until it is gone, or rename the disk",
    ),
    ("volume new", vm(volumes=[DATA]), [flavor(), IMAGE, volume()], "VolumeNotReady", False, "volume data is Pending"),
    (
        "volume elsewhere",
        vm(volumes=[DATA]),
        [
            flavor(),
            IMAGE,
            volume(access_mode="ReadWriteOnce", status=provisioned(phase="InUse")),
            vm("b", volumes=[DATA], status=placed(volumes=[{"name": "data", "volume": "data"}])),
        ],
        "VolumeNotReady",
        False,
        "volume data is ReadWriteOnce and attached to b: delete that VM, remove the volume from it, or use a "
        "ReadWriteMany volume",
    ),
]


@pytest.mark.parametrize(
    ("subject", "objects", "reason", "stalled", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_what_is_missing_is_named_with_what_to_do(
    subject: Any, objects: list[AnyResource], reason: str, stalled: bool, words: str
) -> None:
    found = missing(subject, *objects)
    assert (found.reason, found.stalled) == (reason, stalled)
    assert words in found.message


def test_every_reason_of_the_contract_has_a_case() -> None:
    assert {case[3] for case in CASES} == {
        "FlavorNotFound",
        "FlavorObsolete",
        "ImageNotFound",
        "ImageNotReady",
        "ImageTooLarge",
        "NetworkNotReady",
        "VolumeNotReady",
        "AddressUnavailable",
    }


def test_a_vm_with_all_it_needs_is_given_its_size_addresses_and_volumes() -> None:
    found = ready(
        vm(volumes=[DATA], networks=[NIC]),
        flavor(generation=3, network={"bandwidth": "10M"}),
        IMAGE,
        network(status=active()),
        volume(status=provisioned()),
    )
    assert (found.flavor.name, found.flavor.generation, found.flavor.vcpus) == ("small", 3, 2)
    assert (found.flavor.memory_bytes, found.flavor.root_disk_bytes) == (4 * 2**30, 20 * 2**30)
    assert found.flavor.bandwidth_bytes_per_second == 10_000_000
    assert [nic.ip_address for nic in found.interfaces] == ["10.0.0.2"]
    assert [disk.volume for disk in found.volumes] == ["data"]


def test_the_first_thing_missing_is_told_in_the_order_flavor_image_network_volume() -> None:
    subject = vm(volumes=[DATA], networks=[NIC])
    assert missing(subject).reason == "FlavorNotFound"
    assert missing(subject, flavor()).reason == "ImageNotFound"
    assert missing(subject, flavor(), IMAGE).reason == "NetworkNotReady"
    assert missing(subject, flavor(), IMAGE, network(status=active())).reason == "VolumeNotReady"


def test_a_vm_goes_on_with_the_copy_it_holds_of_a_flavor_that_is_gone_or_obsolete() -> None:
    stopped = {**placed(), "phase": "Stopped", "hostName": None}
    assert ready(vm(status=stopped), IMAGE).flavor.vcpus == 2
    assert ready(vm(status=stopped), flavor(lifecycle={"state": "Obsolete"}), IMAGE).flavor.vcpus == 2


def test_the_image_counts_until_the_first_boot() -> None:
    assert ready(vm(status={"phase": "Stopped", "bootAttempt": 1}), flavor()).flavor.name == "small"


def test_a_shared_network_and_an_image_of_another_namespace_can_be_used() -> None:
    nic = {"name": "eth0", "network_ref": {"name": "net", "namespace": "infra"}}
    subject = vm(networks=[nic], image_ref={"name": "debian", "namespace": "infra"})
    found = ready(
        subject,
        flavor(),
        image(namespace="infra", status=imported()),
        network(namespace="infra", shared=True, status=active()),
    )
    assert found.interfaces[0].network == "infra/net"


def test_a_shared_volume_is_attached_to_several_vms_and_a_single_one_again_to_its_own() -> None:
    held = placed(volumes=[{"name": "data", "volume": "data"}])
    shared = volume(access_mode="ReadWriteMany", status=provisioned(phase="InUse"))
    assert ready(vm(volumes=[DATA]), flavor(), IMAGE, shared, vm("b", volumes=[DATA], status=held)).volumes
    own = volume(access_mode="ReadWriteOnce", status=provisioned(phase="InUse"))
    assert ready(vm(volumes=[DATA], status=held), flavor(), IMAGE, own).volumes


def test_volumes_from_templates_are_asked_for_all_at_once_and_owned_by_the_vm() -> None:
    filled = {"name": "root", "template": {"size": "5Gi", "className": "fast", "imageRef": {"name": "debian"}}}
    found = missing(vm(volumes=[TEMPLATE, filled]), flavor(), IMAGE)
    assert (found.reason, found.stalled) == ("VolumeNotReady", False)
    first, second = (create.resource for create in found.create)
    assert isinstance(first, Volume)
    assert isinstance(second, Volume)
    assert (first.name, second.name) == ("a-data", "a-root")
    assert (first.spec.class_name, first.spec.source.type) == ("standard", "Blank")
    assert (second.spec.class_name, second.spec.source.type) == ("fast", "Image")
    (owner,) = first.metadata.owner_references
    assert (owner.kind, owner.name, owner.uid, owner.controller) == ("VirtualMachine", "a", vm().uid, True)
    assert FINALIZER not in first.metadata.finalizers


def test_a_template_whose_volume_exists_is_not_made_again() -> None:
    subject = vm(volumes=[TEMPLATE])
    assert missing(subject, flavor(), IMAGE, volume("a-data", owner_references=[owned_by(subject)])).create == ()
    made = volume("a-data", status=provisioned(), owner_references=[owned_by(subject)])
    assert ready(subject, flavor(), IMAGE, made).volumes[0].volume == "a-data"


def test_a_template_may_ask_for_a_volume_that_stays_and_takes_one_up_that_stayed() -> None:
    kept = {"name": "data", "template": {"size": "5Gi", "reclaimPolicy": "Retain"}}
    subject = vm(volumes=[kept])
    (create,) = missing(subject, flavor(), IMAGE).create
    assert isinstance(create.resource, Volume)
    assert (create.resource.spec.reclaim_policy, create.resource.metadata.owner_references) == ("Retain", ())
    stayed = volume("a-data", status=provisioned(), reclaim_policy="Retain")
    assert ready(subject, flavor(), IMAGE, stayed).volumes[0].volume == "a-data"
    others = volume("a-data", status=provisioned())
    assert "belongs to another VirtualMachine" in missing(subject, flavor(), IMAGE, others).message


def test_the_disk_of_a_namesake_deleted_just_now_is_not_taken_over() -> None:
    subject = vm(volumes=[TEMPLATE])
    others = volume("a-data", status=provisioned(), owner_references=[owned_by(subject) | {"uid": "another"}])
    found = missing(subject, flavor(), IMAGE, others)
    assert (found.reason, found.create) == ("VolumeNotReady", ())
    assert "belongs to another VirtualMachine" in found.message
