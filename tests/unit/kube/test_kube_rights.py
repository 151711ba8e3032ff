"""Which rights the operator asks for, and how they are found in what an API server says of them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from drover.kube.api import ApiError
from drover.kube.rights import Right, grants, lacked, missing, needed

ROLES = Path(__file__).parents[3] / "config" / "rbac" / "operator.yaml"
LIST = Right("drover.dev", "virtualmachines", "list")
STATUS = Right("drover.dev", "virtualmachines/status", "patch")
LEASE = Right("coordination.k8s.io", "leases", "update", "drover-system", "drover")


def rule(group: str, resource: str, verb: str, *names: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": [verb], "resourceNames": list(names)}


def test_it_asks_for_what_its_roles_grant_but_the_rights_that_only_the_api_server_asks_for() -> None:
    rules = [one for role in yaml.safe_load_all(ROLES.read_text()) for one in role.get("rules", [])]
    granted = {
        (group, resource, verb)
        for one in rules
        for group in one["apiGroups"]
        for resource in one["resources"]
        for verb in one["verbs"]
    }
    asked = {(right.group, right.resource, right.verb) for right in needed("drover-system", "drover")}
    unasked = {(g, r, v) for g, r, v in granted if r.endswith("/finalizers") or (r, v) == ("namespaces", "get")}
    assert asked == granted - unasked


@pytest.mark.parametrize(
    ("right", "rule", "granted"),
    [
        (LIST, rule("drover.dev", "virtualmachines", "list"), True),
        (LIST, rule("*", "*", "*"), True),
        (LIST, rule("drover.dev", "virtualmachines", "watch"), False),
        (LIST, rule("", "virtualmachines", "list"), False),
        (LIST, rule("drover.dev", "virtualmachines", "list", "web"), False),
        (LIST, {"verbs": ["list"]}, False),
        (STATUS, rule("drover.dev", "virtualmachines", "patch"), False),
        (STATUS, rule("drover.dev", "*/status", "patch"), True),
        (STATUS, rule("drover.dev", "virtualmachines/status", "patch"), True),
        (LEASE, rule("coordination.k8s.io", "leases", "update", "drover"), True),
        (LEASE, rule("coordination.k8s.io", "leases", "update", "other"), False),
    ],
)
def test_a_rule_grants_a_right_as_rbac_does(right: Right, rule: dict[str, Any], granted: bool) -> None:
    assert grants(rule, right) is granted


class Authorizer:
    """The API server as far as reviews go: rules it shows, and rights it grants beside them."""

    def __init__(self, rules: list[dict[str, Any]], granted: set[str], code: int = 0) -> None:
        self._rules, self._granted, self._code = rules, granted, code

    async def request(self, verb: str, resource: str, path: str, *, body: dict[str, Any]) -> dict[str, Any]:
        assert (verb, path) == ("create", f"/apis/authorization.k8s.io/v1/{resource}")
        if self._code:
            raise ApiError(self._code, "no")
        if resource == "selfsubjectrulesreviews":
            return {"status": {"resourceRules": self._rules, "incomplete": True}}
        return {"status": {"allowed": body["spec"]["resourceAttributes"]["verb"] in self._granted}}


async def test_only_what_neither_the_rules_nor_the_authorizer_grant_is_missing() -> None:
    api: Any = Authorizer([rule("drover.dev", "virtualmachines", "list")], {"update"})
    assert await missing(api, [LIST, STATUS, LEASE], "drover-system") == [STATUS]


async def test_an_api_server_that_does_not_say_is_taken_to_grant_everything() -> None:
    api: Any = Authorizer([], set(), code=403)
    assert await missing(api, [LIST], "drover-system") == []


async def test_credentials_that_are_refused_are_no_missing_rights() -> None:
    api: Any = Authorizer([], set(), code=401)
    with pytest.raises(ApiError):
        await missing(api, [LIST], "drover-system")


@pytest.mark.parametrize(
    ("error", "want"),
    [
        (ApiError(403, 'x is forbidden: User "a" cannot patch resource "b" in API group "c"'), True),
        (ApiError(403, 'x is forbidden: ValidatingAdmissionPolicy "p" denied request'), False),
        (ApiError(422, "cannot patch resource"), False),
    ],
)
def test_a_missing_right_is_told_from_other_refusals(error: ApiError, want: bool) -> None:
    assert lacked(error) is want


@pytest.mark.parametrize(
    ("right", "told"),
    [
        (STATUS, "patch virtualmachines.drover.dev/status"),
        (LEASE, "update leases.coordination.k8s.io"),
        (Right("", "events", "create"), "create events"),
    ],
)
def test_a_right_is_told_in_kubernetes_words(right: Right, told: str) -> None:
    assert str(right) == told
