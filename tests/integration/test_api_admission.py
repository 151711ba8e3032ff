"""What the real API server accepts and refuses of every kind, and what it tells the user when it refuses.

Every case is one dry run with strict field validation, so the table is the contract as users meet it: the
field at fault, and the words. Accepted objects must come back with the defaults the models have.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from admission_cases import BASE, CHANGED, CHANGED_WHILE_CANCELLING, CHANGED_WHILE_MIGRATING, CREATED, Case
from kubernetes import client, config

from controlplane import ControlPlane, Kubectl, KubectlError
from drover.api.kinds import KINDS, parse
from drover.api.meta import API_VERSION, GROUP, VERSION

ADMISSION = Path(__file__).parents[2] / "config" / "admission"
UNCHECKED = "some validation rules were not checked"
MERGE_PATCH = "application/merge-patch+json"
STRICT = {"field_validation": "Strict"}


def merged(target: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """RFC 7386: what a merge patch makes of ``target``."""
    result = {name: value for name, value in target.items() if change.get(name, value) is not None}
    for name, value in change.items():
        if isinstance(value, dict):
            result[name] = merged(result.get(name, {}), value)
        elif value is not None:
            result[name] = value
    return result


class RefusedError(Exception):
    """The API server said no: ``(field, message)`` for each cause."""

    def __init__(self, causes: list[tuple[str, str]]) -> None:
        super().__init__(causes)
        self.causes = causes


@dataclass(frozen=True)
class Server:
    """The API server as one tenant's client."""

    objects: client.CustomObjectsApi
    namespace: str

    def create(self, kind: str, name: str, spec: dict[str, Any], *, dry: bool = True) -> dict[str, Any]:
        body = {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {"name": self.named(kind, name)},
            "spec": spec,
        }
        return self._call("create", kind, body, STRICT | ({"dry_run": "All"} if dry else {}))

    def change(self, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        options = STRICT | {"dry_run": "All", "_content_type": MERGE_PATCH}
        return self._call("patch", kind, {"spec": spec}, options, self.named(kind, name))

    def set_status(self, kind: str, name: str, status: dict[str, Any]) -> dict[str, Any]:
        options = STRICT | {"_content_type": MERGE_PATCH}
        return self._call("patch", kind, {"status": status}, options, self.named(kind, name), "_status")

    def delete(self, kind: str, name: str) -> None:
        self._call("delete", kind, None, {}, self.named(kind, name))

    def named(self, kind: str, name: str) -> str:
        """Cluster-scoped objects share their names with every other test's."""
        return name if KINDS[kind].NAMESPACED else f"{self.namespace}-{name}"

    def _call(
        self, verb: str, kind: str, body: Any, options: dict[str, Any], name: str = "", subresource: str = ""
    ) -> dict[str, Any]:
        scope = "namespaced" if KINDS[kind].NAMESPACED else "cluster"
        method = getattr(self.objects, f"{verb}_{scope}_custom_object{subresource}")
        where = {"namespace": self.namespace} if KINDS[kind].NAMESPACED else {}
        what = {"body": body} if body else {}
        try:
            answer: dict[str, Any] = method(
                group=GROUP,
                version=VERSION,
                plural=KINDS[kind].PLURAL,
                **where,
                **({"name": name} if name else {}),
                **what,
                **options,
            )
        except client.ApiException as error:
            raise RefusedError(causes(json.loads(error.body))) from None
        return answer


def causes(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Each cause of a refusal, without the note that later rules were not looked at."""
    listed = (status.get("details") or {}).get("causes") or [{"message": status["message"]}]
    return [
        (cause.get("field", "").replace("<nil>", ""), cause["message"])
        for cause in listed
        if UNCHECKED not in cause["message"]
    ]


@pytest.fixture(scope="module")
def server(cluster: ControlPlane, kubectl: Kubectl) -> Iterator[Server]:
    """A tenant with the base object of every kind, a plan at work, and a plan and a migration cancelled."""
    api = client.CustomObjectsApi(config.new_client_from_config(str(cluster.kubeconfig)))
    namespace = f"admission-{time.time_ns():x}"
    kubectl("create", "namespace", namespace)
    tenant = Server(api, namespace)
    for kind, spec in BASE.items():
        tenant.create(kind, "base", spec, dry=False)
    tenant.create("MigrationPlan", "migrating", BASE["MigrationPlan"], dry=False)
    tenant.set_status("MigrationPlan", "migrating", {"phase": "Migrating"})
    for kind in ("MigrationPlan", "VirtualMachineMigration"):
        tenant.create(kind, "cancelling", BASE[kind] | {"cancel": True}, dry=False)
    try:
        yield tenant
    finally:
        for kind in BASE:
            if not KINDS[kind].NAMESPACED:
                tenant.delete(kind, "base")
        kubectl("delete", "namespace", namespace, "--wait=false")


def judge(case: Case, refusal: pytest.ExceptionInfo[RefusedError]) -> None:
    """One cause, on the field named, with the message named."""
    [(field, message)] = refusal.value.causes
    assert field == case.field
    assert case.message in message


def named(cases: list[Case], *, refused: bool) -> list[Any]:
    chosen = [case for case in cases if bool(case.message) is refused]
    return [pytest.param(case, id=f"{case.kind}: {case.what}") for case in chosen]


@pytest.mark.parametrize("case", named(CREATED, refused=False))
def test_accepted_with_the_defaults_of_the_models(server: Server, case: Case) -> None:
    spec = merged(BASE[case.kind], case.change)
    served = server.create(case.kind, "new", spec)
    assert parse(served).spec == KINDS[case.kind].model_validate(served | {"spec": spec}).spec
    assert served["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("case", named(CREATED, refused=True))
def test_refused_by_field_and_message(server: Server, case: Case) -> None:
    with pytest.raises(RefusedError) as refusal:
        server.create(case.kind, "new", merged(BASE[case.kind], case.change))
    judge(case, refusal)


@pytest.mark.parametrize("case", named(CHANGED, refused=False))
def test_a_change_is_accepted(server: Server, case: Case) -> None:
    changed = server.change(case.kind, "base", case.change)
    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize("case", named(CHANGED, refused=True))
def test_a_change_is_refused(server: Server, case: Case) -> None:
    with pytest.raises(RefusedError) as refusal:
        server.change(case.kind, "base", case.change)
    judge(case, refusal)


@pytest.mark.parametrize("case", named(CHANGED_WHILE_MIGRATING, refused=False))
def test_a_plan_at_work_can_still_be_steered(server: Server, case: Case) -> None:
    server.change(case.kind, "migrating", case.change)


@pytest.mark.parametrize("case", named(CHANGED_WHILE_MIGRATING, refused=True))
def test_a_plan_at_work_is_frozen_in_what_it_moves(server: Server, case: Case) -> None:
    with pytest.raises(RefusedError) as refusal:
        server.change(case.kind, "migrating", case.change)
    judge(case, refusal)


@pytest.mark.parametrize("case", named(CHANGED_WHILE_CANCELLING, refused=True))
def test_a_cancel_is_one_way(server: Server, case: Case) -> None:
    with pytest.raises(RefusedError) as refusal:
        server.change(case.kind, "cancelling", case.change)
    judge(case, refusal)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("NodePool", "p" * 58, "at most 57 characters: its hosts are named after it, and labels hold 63"),
        ("VirtualMachine", "v" * 64, "metadata.name must be at most 63 characters: labels hold it"),
        (
            "MigrationPlan",
            "m" * 64,
            "metadata.name must be at most 63 characters: labels of its migrations hold it",
        ),
    ],
)
def test_a_name_too_long_for_what_is_derived_from_it_is_refused(
    server: Server, kind: str, name: str, message: str
) -> None:
    with pytest.raises(RefusedError) as refusal:
        server.create(kind, name, BASE[kind])
    judge(Case(kind, "", {}, "", message), refusal)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_phase_outside_its_kind_is_refused(server: Server, kind: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        server.set_status(kind, "base", {"phase": "Dancing"})
    judge(Case(kind, "", {}, "status.phase", ""), refusal)


def test_there_are_at_least_sixty_cases_and_some_of_both_sorts_for_every_kind() -> None:
    cases = CREATED + CHANGED + CHANGED_WHILE_MIGRATING + CHANGED_WHILE_CANCELLING
    assert len(cases) >= 60
    assert {case.kind for case in cases if case.message} == KINDS.keys()
    assert {case.kind for case in cases if not case.message} == KINDS.keys()


def test_every_kind_is_established_under_its_short_names_and_category(kubectl: Kubectl) -> None:
    for kind in KINDS.values():
        crd = json.loads(kubectl("get", "crd", f"{kind.PLURAL}.{GROUP}", "-o", "json"))
        conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}, kind.KIND
        assert crd["status"]["acceptedNames"]["shortNames"] == list(kind.SHORT_NAMES)
        assert crd["status"]["acceptedNames"]["categories"] == ["drover"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("virtualmachines", "A virtual machine: a flavor, something to boot from"),
        ("virtualmachines.spec.deletionProtection", "True: the API server refuses to delete the VM."),
        ("images.spec.source.http.url", "A path with /missing/ answers 404"),
        ("nodepools.spec.template.overcommit", "Allocation ratios"),
        ("nodepools.spec.template.cpu.sockets", "Each socket is one NUMA cell"),
        ("placementgroups.spec.policy", "AntiAffinity: at most maxPerDomain in each."),
        ("virtualmachines.spec.placement.affinity.labelSelector", "of this namespace only"),
        ("migrationplans.status.migrations.verdict", "Whether its copy ends."),
        ("migrationpolicies.spec.maxDowntimeMs", "Milliseconds the guest may pause (default 900)."),
    ],
)
def test_kubectl_explain_says_what_the_docstrings_say(kubectl: Kubectl, path: str, said: str) -> None:
    explained = kubectl("explain", path, f"--api-version={API_VERSION}")
    assert said in " ".join(explained.split())


def test_objects_are_selected_by_the_fields_declared(server: Server, kubectl: Kubectl) -> None:
    server.set_status("VirtualMachine", "base", {"hostName": "p1-3", "phase": "Running"})
    found = "virtualmachines.drover.dev", "-n", server.namespace, "-o", "name", "--field-selector"
    assert kubectl("get", *found, "status.hostName=p1-3").split() == ["virtualmachine.drover.dev/base"]
    assert kubectl("get", *found, "status.hostName=p1-4").split() == []


def test_a_pool_is_scaled_through_its_scale_subresource(server: Server, kubectl: Kubectl) -> None:
    name = server.named("NodePool", "scaled")
    server.create("NodePool", "scaled", BASE["NodePool"], dry=False)
    try:
        kubectl("scale", f"nodepools.drover.dev/{name}", "--replicas=12")
        assert kubectl("get", "nodepools.drover.dev", name, "-o", "jsonpath={.spec.replicas}") == "12"
    finally:
        server.delete("NodePool", "scaled")


@pytest.fixture
def policies(kubectl: Kubectl) -> Iterator[None]:
    kubectl("apply", "-f", str(ADMISSION))
    yield
    kubectl("delete", "-f", str(ADMISSION), "--wait=true")


@pytest.mark.usefixtures("policies")
def test_a_protected_vm_is_deleted_only_after_protection_is_taken_off(server: Server, kubectl: Kubectl) -> None:
    vm = "virtualmachines.drover.dev", "protected", "-n", server.namespace
    server.create("VirtualMachine", "protected", BASE["VirtualMachine"] | {"deletionProtection": True}, dry=False)
    said = (
        f"spec.deletionProtection of VirtualMachine {server.namespace}/protected is true:"
        " set it to false, then delete it"
    )
    refusal = ""
    deadline = time.monotonic() + 30
    while not refusal and time.monotonic() < deadline:  # a new policy is obeyed once it is compiled
        try:
            kubectl("delete", *vm, "--dry-run=server")
        except KubectlError as error:
            refusal = error.stderr
    assert said in refusal
    kubectl("patch", *vm, "--type=merge", "-p", '{"spec": {"deletionProtection": false}}')
    kubectl("delete", *vm)
