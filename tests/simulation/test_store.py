"""The in-memory API server answers as the real one does."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from drover.api.meta import FINALIZER, Key
from drover.control.ports import Refused, Verb, Write, Written
from drover.sim.clock import START
from drover.sim.cloud import flavor, manifest, network, priority_class
from drover.sim.store import ApiError, Store
from drover.sim.watchlog import ExpiredError

FLAVOR = Key("Flavor", "", "small")
NETWORK = Key("Network", "team-a", "front")
LATER = START + timedelta(seconds=90, milliseconds=500)


@pytest.fixture
def store() -> Store:
    made = Store()
    made.create(flavor("small"), START)
    made.create(network("front", "team-a"), START)
    return made


def write(verb: Verb, key: Key, body: dict[str, Any], version: str | None = None, uid: str = "") -> Write:
    return Write(1, verb, key, body, version, uid)


def test_a_new_object_has_the_schemas_defaults_and_what_the_server_sets(store: Store) -> None:
    made = store.get(FLAVOR)
    assert made is not None
    assert made.spec.lifecycle.state == "Active"
    assert made.status.observed_generation == -1
    assert made.uid
    assert made.metadata.generation == 1
    assert made.metadata.creation_timestamp == START


def test_a_status_given_at_creation_is_ignored() -> None:
    made = Store().create({**flavor("small"), "status": {"instances": 7}}, START)
    assert made.status.instances == 0


@dataclass
class Case:
    """One write to a store that holds a flavor at version 1 and a network at version 2."""

    name: str
    write: Write
    code: int = 0
    generation: int = 1
    bumped: bool = True


CASES = [
    Case("a status patch changes the status", write("status", FLAVOR, {"status": {"instances": 3}}, "1")),
    Case("a stale version meets a conflict", write("status", FLAVOR, {"status": {"instances": 3}}, "0"), 409),
    Case("no version writes whatever the version", write("status", FLAVOR, {"status": {"instances": 3}})),
    Case(
        "a status patch leaves the spec alone",
        write("status", FLAVOR, {"spec": {"network": {"bandwidth": "1M"}}}, "1"),
        bumped=False,
    ),
    Case(
        "a main patch leaves the status alone",
        write("spec", FLAVOR, {"status": {"instances": 3}}, "1"),
        bumped=False,
    ),
    Case(
        "a changed spec raises the generation",
        write("spec", FLAVOR, {"spec": {"network": {"bandwidth": "1M"}}}, "1"),
        generation=2,
    ),
    Case("a changed label does not", write("metadata", FLAVOR, {"metadata": {"labels": {"a": "b"}}}, "1")),
    Case(
        "a patch that changes nothing keeps the version",
        write("spec", FLAVOR, {"spec": {"lifecycle": {"state": "Active"}}}, "1"),
        bumped=False,
    ),
    Case(
        "what the server sets cannot be patched",
        write("metadata", FLAVOR, {"metadata": {"uid": "x", "generation": 9, "creationTimestamp": None}}, "1"),
        bumped=False,
    ),
    Case("a value the schema refuses is refused", write("status", FLAVOR, {"status": {"instances": -1}}), 422),
    Case("an absent object is not found", write("status", Key("Flavor", "", "none"), {"status": {}}), 404),
    Case("a name that is taken already exists", write("create", FLAVOR, flavor("small")), 409),
    Case("a deletion of another uid meets a conflict", write("delete", FLAVOR, {}, uid="other"), 409),
    Case("a deletion at a stale version meets a conflict", write("delete", FLAVOR, {}, "0"), 409),
    Case("a deletion of an absent object is not found", write("delete", Key("Flavor", "", "none"), {}), 404),
    Case("an unknown kind is not found", write("create", Key("Pod", "x", "y"), {"kind": "Pod"}), 404),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_write_is_answered_as_the_api_server_answers(store: Store, case: Case) -> None:
    before = store.version
    answer = store.execute(case.write, LATER)
    if case.code:
        assert isinstance(answer, Refused)
        assert answer.code == case.code
        assert store.version == before
        current = answer.current.uid if answer.current else None
        there = store.get(case.write.key)
        assert current == (there.uid if there else None) or case.code == 422
        return
    assert isinstance(answer, Written)
    assert answer.resource is not None
    assert answer.resource.metadata.generation == case.generation
    assert (store.version > before) == case.bumped
    assert store.get(case.write.key) == answer.resource


def test_a_priority_class_is_kept_and_patched_in_its_flat_form(store: Store) -> None:
    made = store.create(priority_class("urgent", 1000), START)
    assert (made.spec.value, made.spec.global_default, made.metadata.generation) == (1000, False, 1)
    patched = store.patch(made.key, {"globalDefault": True})
    assert (patched.spec.value, patched.spec.global_default) == (1000, True)
    told = store.changes("PriorityClass", int(made.metadata.resource_version))
    assert [change.resource for change in told] == [patched]
    assert store.patch(made.key, {"globalDefault": True}) == patched, "nothing has changed"
    assert store.delete(made.key, LATER) is None
    with pytest.raises(ApiError, match=r"422.*spec\.value"):
        store.create(priority_class("absurd", 2**31), START)


def test_a_namespace_is_its_metadata(store: Store) -> None:
    made = store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}}, START)
    labelled = store.patch(made.key, {"metadata": {"labels": {"team": "shop"}}})
    assert labelled.metadata.labels == {"team": "shop"}
    told = store.changes("Namespace", int(made.metadata.resource_version))
    assert [change.resource for change in told] == [labelled]
    assert store.patch(made.key, {"spec": {"finalizers": []}}) == labelled, "nothing that is read has changed"
    assert store.delete(made.key, LATER) is None


def test_null_in_a_merge_patch_removes(store: Store) -> None:
    store.patch(FLAVOR, {"metadata": {"labels": {"a": "b", "c": "d"}}})
    store.patch(FLAVOR, {"metadata": {"labels": {"a": None}}})
    made = store.get(FLAVOR)
    assert made is not None
    assert made.metadata.labels == {"c": "d"}


def test_an_object_without_finalizers_is_deleted_at_once(store: Store) -> None:
    assert store.execute(write("delete", FLAVOR, {}), LATER) == Written(1, None)
    assert store.get(FLAVOR) is None


def test_a_finalizer_holds_a_deleted_object_until_it_is_removed(store: Store) -> None:
    store.patch(FLAVOR, {"metadata": {"finalizers": [FINALIZER]}})
    held = store.delete(FLAVOR, LATER)
    assert held is not None
    assert held.metadata.deletion_timestamp == LATER.replace(microsecond=0)
    assert held.metadata.generation == 2
    again = store.delete(FLAVOR, LATER + timedelta(hours=1))
    assert again == held, "the first deletion counts"
    last = store.patch(FLAVOR, {"metadata": {"finalizers": []}})
    assert last.deleting
    assert store.get(FLAVOR) is None
    assert last.uid not in store


def test_a_finalizer_cannot_be_added_to_an_object_that_is_being_deleted(store: Store) -> None:
    store.patch(FLAVOR, {"metadata": {"finalizers": [FINALIZER]}})
    store.delete(FLAVOR, LATER)
    with pytest.raises(ApiError, match="no new finalizers") as refusal:
        store.patch(FLAVOR, {"metadata": {"finalizers": [FINALIZER, "example.org/other"]}})
    assert refusal.value.code == 422


def owned(store: Store, name: str, *owners: Key) -> Key:
    references = []
    for key in owners:
        owner = store.get(key)
        assert owner is not None
        references.append({"apiVersion": "drover.dev/v1alpha1", "kind": key.kind, "name": key.name, "uid": owner.uid})
    made = manifest("Volume", name, {"size": "1Gi"}, "team-a", ownerReferences=references)
    return store.create(made, START).key


def test_garbage_is_what_has_lost_all_its_owners(store: Store) -> None:
    one, both = owned(store, "one", NETWORK), owned(store, "both", NETWORK, FLAVOR)
    free = store.create(manifest("Volume", "free", {"size": "1Gi"}, "team-a"), START).key
    store.delete(NETWORK, LATER)
    assert store.collect_garbage(LATER) == 1
    assert store.get(one) is None
    assert store.get(both) is not None
    store.delete(FLAVOR, LATER)
    store.collect_garbage(LATER)
    assert store.get(both) is None
    assert store.get(free) is not None


def test_an_owner_made_anew_under_the_same_name_does_not_keep_garbage(store: Store) -> None:
    one = owned(store, "one", NETWORK)
    store.delete(NETWORK, LATER)
    store.create(network("front", "team-a"), LATER)
    store.collect_garbage(LATER)
    assert store.get(one) is None


def test_a_watch_is_told_every_change_after_its_version_in_order(store: Store) -> None:
    start = store.version
    store.patch(FLAVOR, {"metadata": {"labels": {"a": "b"}}})
    store.patch(NETWORK, {"metadata": {"labels": {"a": "b"}}})
    store.delete(FLAVOR, LATER)
    told = store.changes("Flavor", start)
    assert [(change.version, change.deleted) for change in told] == [(start + 1, False), (start + 3, True)]
    assert store.changes("Flavor", start + 3) == []


def test_a_watch_behind_the_compaction_must_list_anew(store: Store) -> None:
    start = store.version
    store.patch(FLAVOR, {"metadata": {"labels": {"a": "b"}}})
    store.compact("Flavor")
    with pytest.raises(ExpiredError):
        store.changes("Flavor", start)
    assert store.changes("Flavor", store.version) == []
    assert [resource.key for resource in store.objects("Flavor")] == [FLAVOR]
