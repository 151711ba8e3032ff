"""The models and the schema made from them say the same, for every kind."""

import ast
import inspect
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from samples import SPECS, raw

from drover.api import crd
from drover.api.flavor import Flavor
from drover.api.kinds import BY_PLURAL, KINDS, manifest, parse
from drover.api.meta import AnyResource, dump
from drover.api.migrationplanstatus import WORK_BEGUN, PlanPhase
from drover.api.quantity import Quantity
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration

KIND_NAMES = sorted(KINDS)


def defaulted(value: Any, schema: dict[str, Any]) -> Any:
    """``value`` as the API server fills it in from a structural schema."""
    if isinstance(value, list):
        return [defaulted(item, schema["items"]) for item in value]
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties", {})
    missing = {name: child["default"] for name, child in properties.items() if "default" in child and name not in value}
    return {
        name: defaulted(child, properties.get(name, schema.get("additionalProperties", {})))
        for name, child in (value | missing).items()
    }


def without_empties(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: without_empties(child) for name, child in value.items()}
        return {name: child for name, child in kept.items() if child not in ({}, [])}
    return [without_empties(item) for item in value] if isinstance(value, list) else value


def test_there_is_a_sample_of_every_kind() -> None:
    assert SPECS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_minimal_object_reads_as_the_server_would_have_defaulted_it(kind: str) -> None:
    served = defaulted(raw(kind), crd.open_api(KINDS[kind]))
    assert parse(raw(kind)) == parse(served)
    assert without_empties(dump(parse(raw(kind)).spec)) == served["spec"]
    assert served["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_an_object_survives_being_written_and_read(kind: str) -> None:
    resource = parse(raw(kind))
    assert parse(manifest(resource)) == resource
    assert manifest(resource)["kind"] == kind


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="ConfigMap"):
        parse({"kind": "ConfigMap", "metadata": {"name": "a"}})


def test_every_kind_is_found_by_its_plural() -> None:
    assert {kind.KIND for kind in BY_PLURAL.values()} == KINDS.keys()
    assert all(plural == kind.PLURAL for plural, kind in BY_PLURAL.items())


def test_short_names_and_plurals_are_told_apart() -> None:
    words = [word for kind in KINDS.values() for word in (kind.PLURAL, kind.SINGULAR, *kind.SHORT_NAMES)]
    assert len(words) == len(set(words))


def test_unknown_fields_are_ignored_as_an_older_client_must() -> None:
    assert parse(raw("Volume", colour="red")) == parse(raw("Volume"))


def test_acronyms_are_spelt_as_kubernetes_spells_them() -> None:
    status = {
        "primaryIP": "10.0.0.5",
        "interfaces": [
            {
                "name": "a",
                "ipAddress": "10.0.0.5",
                "mac": "52:54:00:00:00:01",
                "network": "n/a",
                "subnet": "s",
            }
        ],
    }
    vm = VirtualMachine.model_validate(raw("VirtualMachine") | {"status": status})
    assert vm.status.primary_ip == "10.0.0.5"
    assert dump(vm.status)["interfaces"] == status["interfaces"]
    migration = VirtualMachineMigration.model_validate(raw("VirtualMachineMigration") | {"status": {"vmUID": "u-1"}})
    assert dump(migration)["status"]["vmUID"] == "u-1"
    flavor = Flavor.model_validate(raw("Flavor", cpu={"guest": 2, "dedicatedCPUPlacement": True}))
    assert flavor.spec.cpu.dedicated_cpu_placement
    assert dump(flavor)["spec"]["cpu"] == {"guest": 2, "dedicatedCPUPlacement": True}


def test_an_absent_workload_model_stays_absent_so_that_the_flavors_counts() -> None:
    vm = VirtualMachine.model_validate(raw("VirtualMachine", model={"hotSet": "1Gi"}))
    assert vm.spec.model is not None
    assert vm.spec.model.hot_set == Quantity("1Gi")
    assert vm.spec.model.dirty_rate is None


def test_instants_keep_their_microseconds_on_the_wire() -> None:
    at = datetime(2026, 11, 21, 5, 16, 5, 123456, tzinfo=UTC)
    vm = VirtualMachine.model_validate(raw("VirtualMachine"))
    moved = vm.model_copy(update={"status": vm.status.model_copy(update={"last_start_time": at})})
    assert dump(moved)["status"]["lastStartTime"] == "2026-11-21T05:16:05.123456Z"
    assert parse(manifest(moved)) == moved


def test_a_plan_is_frozen_in_every_phase_but_those_before_work() -> None:
    phases = set(get_args(PlanPhase))
    assert phases - set(WORK_BEGUN) == {"Pending", "Planned", "AwaitingApproval", "Queued"}


def fields(schema: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Every field of a schema by its JSON path, ``[*]`` for items."""
    found = {path: schema} if path else {}
    for name, child in schema.get("properties", {}).items():
        found |= fields(child, f"{path}.{name}")
    if "items" in schema:
        found |= fields(schema["items"], f"{path}[*]")
    return found


def resolved(path: str) -> str:
    """A column's JSON path with its indices and filters written as ``[*]``."""
    head, bracket, rest = path.partition("[")
    return f"{head}[*]{resolved(rest.partition(']')[2])}" if bracket else head


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_columns_selectors_and_scale_name_fields_that_exist_with_their_type(kind: str) -> None:
    known = fields(crd.open_api(KINDS[kind]))
    types = {"date": "string"}
    for column in KINDS[kind].COLUMNS:
        assert known[resolved(column.path)]["type"] == types.get(column.type, column.type), column.name
    for path in KINDS[kind].SELECTABLE:
        assert known[path]["type"] == "string", path
    scale = KINDS[kind].SCALE
    for path in (scale.spec_replicas, scale.status_replicas, scale.label_selector) if scale else ():
        assert path in known


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_field_explains_itself(kind: str) -> None:
    known = fields(crd.open_api(KINDS[kind]))
    ours = {path for path in known if path.startswith((".spec", ".status"))}
    assert sorted(path for path in ours if not known[path].get("description") and not path.endswith("[*]")) == []


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_rule_tells_the_user_what_to_do_in_a_sentence_of_its_own(kind: str) -> None:
    schema = crd.open_api(KINDS[kind])
    nodes = [schema, *fields(schema).values()]
    messages = [rule["message"] for node in nodes for rule in node.get("x-kubernetes-validations", [])]
    assert messages
    assert all(len(message.split()) >= 4 for message in messages), messages


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_the_keys_of_a_map_list_are_required_of_its_items(kind: str) -> None:
    for path, node in fields(crd.open_api(KINDS[kind])).items():
        for key in node.get("x-kubernetes-list-map-keys", []):
            assert key in node["items"]["required"], path


@pytest.mark.parametrize("kind", KINDS.values(), ids=KIND_NAMES)
def test_a_kind_lives_in_the_module_named_after_it(kind: type[AnyResource]) -> None:
    assert kind.__module__ == f"drover.api.{kind.SINGULAR}"
    module = inspect.getmodule(kind)
    assert module is not None
    assert ast.get_docstring(ast.parse(inspect.getsource(module)))
