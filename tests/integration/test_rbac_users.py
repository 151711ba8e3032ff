"""What people may do: the aggregated roles, the right to move VMs, and the words for whoever lacks it."""

from collections.abc import Iterator

import pytest
import yaml
from clouds import Cloud, Manifest
from rights import ROOT

from controlplane import Kubectl, KubectlError
from drover.api.kinds import BY_PLURAL, CURRENT, WATCHED
from drover.api.meta import GROUP

ROLES = {
    "viewer": "view",
    "editor": "edit",
    "owner": "admin",
    "mover": "drover-migrate",
    "keeper": "drover-datacenter-admin",
}
"""Users, and the ClusterRole each is bound to in the namespace; the keeper in the cluster."""


_AGGREGATED = "{.rules[?(@.resources[0]=='images')].apiGroups[0]}"


@pytest.fixture
def tenants(kubectl: Kubectl, namespace: str) -> Iterator[Cloud]:
    """A namespace with a user for each role. No operator runs: rights and policies are the API server's."""
    kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "config" / "overlays" / "laptop"))
    manifests = [_binding(user, role, namespace) for user, role in ROLES.items()]
    kubectl("apply", "-f", "-", input=yaml.safe_dump_all(manifests))
    kubectl("wait", "clusterrole/edit", f"--for=jsonpath={_AGGREGATED}={GROUP}", "--timeout=20s")
    yield Cloud(kubectl, namespace)
    kubectl("delete", "clusterrolebinding", f"keeper-{namespace}")


def _binding(user: str, role: str, namespace: str) -> Manifest:
    everywhere = user == "keeper"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding" if everywhere else "RoleBinding",
        "metadata": {"name": f"keeper-{namespace}"} if everywhere else {"name": user, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


def _who_may(tenants: Cloud, asked: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """For each verb and resource the users that the API server would let do it."""
    reviews = [_review(user, verb, plural, tenants.namespace) for verb, plural in asked for user in ROLES]
    told = tenants.kubectl("create", "-f", "-", "-o", "yaml", input=yaml.safe_dump_all(reviews))
    allowed: dict[tuple[str, str], list[str]] = {one: [] for one in asked}
    for review in yaml.safe_load_all(told):
        about = review["spec"]["resourceAttributes"]
        if review["status"]["allowed"]:
            allowed[about["verb"], about["resource"]].append(review["spec"]["user"])
    return {one: " ".join(users) for one, users in allowed.items()}


def _review(user: str, verb: str, plural: str, namespace: str) -> Manifest:
    where = {"namespace": namespace} if BY_PLURAL[plural].NAMESPACED else {}
    about = {"group": GROUP, "resource": plural, "verb": verb, **where}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": ["system:authenticated"], "resourceAttributes": about},
    }


def test_each_role_allows_what_it_says_and_no_more(tenants: Cloud) -> None:
    table = {
        ("get", "virtualmachines"): "viewer editor owner",
        ("watch", "virtualmachinemigrations"): "viewer editor owner mover",
        ("list", "usagerecords"): "viewer editor owner",
        ("watch", "usagerecords"): "",
        ("patch", "usagerecords"): "",
        ("delete", "usagerecords"): "",
        ("create", "virtualmachines"): "editor owner",
        ("patch", "volumes"): "editor owner",
        ("delete", "networks"): "editor owner",
        ("create", "placementgroups"): "editor owner",
        ("create", "migrationplans"): "editor owner mover",
        ("execute", "migrationplans"): "mover",
        ("create", "virtualmachinemigrations"): "mover",
        ("deletecollection", "virtualmachines"): "owner",
        ("get", "flavors"): "viewer editor owner mover keeper",
        ("create", "flavors"): "keeper",
        ("patch", "hosts"): "keeper",
        ("get", "hosts"): "keeper",
        ("create", "migrationpolicies"): "keeper",
    }
    assert _who_may(tenants, list(table)) == table


def test_who_may_view_the_cluster_may_read_all_that_the_commands_for_planning_read(tenants: Cloud) -> None:
    auditor = f"auditor-{tenants.namespace}"
    tenants.kubectl("create", "clusterrolebinding", auditor, "--clusterrole=view", f"--user={auditor}")
    try:
        for kind in CURRENT:
            model = WATCHED[kind]
            resource = f"{model.PLURAL}.{model.GROUP}".rstrip(".")
            tenants.kubectl("get", resource, "-A", "--as", auditor, "--as-group=system:authenticated")
    finally:
        tenants.kubectl("delete", "clusterrolebinding", auditor)


def test_moving_vms_needs_the_right_to_execute(tenants: Cloud) -> None:
    plan = tenants.plan(virtualMachines=[{"name": "vm"}])
    with pytest.raises(KubectlError) as refused:
        _apply(tenants, "editor", plan)
    assert (
        "spec.mode Execute moves VMs, and editor may not execute migrationplans.drover.dev in namespace"
        f" {tenants.namespace}: set spec.mode to DryRun to see what it would take, or ask for ClusterRole"
        " drover-migrate there"
    ) in refused.value.stderr
    rehearsal = tenants.plan("rehearsal", virtualMachines=[{"name": "vm"}], mode="DryRun")
    assert "created" in _apply(tenants, "editor", rehearsal)
    assert "created" in _apply(tenants, "mover", plan)


def test_a_plan_of_others_is_neither_approved_nor_turned_into_one_that_moves(tenants: Cloud) -> None:
    held = tenants.plan(virtualMachines=[{"name": "vm"}], approval="Manual")
    rehearsal = tenants.plan("rehearsal", virtualMachines=[{"name": "vm"}], mode="DryRun")
    _apply(tenants, "mover", held, rehearsal)
    for change in (("plan", '{"approved":true}'), ("plan", '{"mode":"DryRun"}'), ("rehearsal", '{"mode":"Execute"}')):
        with pytest.raises(KubectlError, match="editor may not execute migrationplans"):
            _patch(tenants, "editor", *change)
    tenants.kubectl("label", "mplan", "plan", "team=a", "-n", tenants.namespace, "--as=editor")
    _patch(tenants, "mover", "plan", '{"approved":true}')


def _apply(tenants: Cloud, user: str, *manifests: Manifest) -> str:
    return tenants.kubectl("apply", "-f", "-", f"--as={user}", input=yaml.safe_dump_all(manifests))


def _patch(tenants: Cloud, user: str, plan: str, spec: str) -> str:
    patch = ("--type=merge", "-p", f'{{"spec":{spec}}}')
    return tenants.kubectl("patch", "mplan", plan, "-n", tenants.namespace, f"--as={user}", *patch)
