"""What the operator may have to do, as rights; and which of them its credentials lack."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from drover.api.host import Host
from drover.api.kinds import KINDS, WATCHED
from drover.api.meta import GROUP
from drover.api.migrationplan import MigrationPlan
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.api.volume import Volume
from drover.kube.api import Api, ApiError

CREATED = (Host, MigrationPlan, UsageRecord, VirtualMachineMigration, Volume)
DELETED = (Host, MigrationPlan, VirtualMachineMigration)
MEND = "grant what the operator needs with `kubectl apply -k config/rbac`, or rbac.create of its chart"
_REVIEWS = "/apis/authorization.k8s.io/v1"


class Right(NamedTuple):
    """One verb on one resource; a subresource is ``virtualmachines/status``."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    """Empty for everywhere."""
    name: str = ""
    """Empty for every name."""

    def __str__(self) -> str:
        resource, _, subresource = self.resource.partition("/")
        full = f"{resource}.{self.group}" if self.group else resource
        return f"{self.verb} {full}{'/' if subresource else ''}{subresource}"


def needed(namespace: str, lease: str) -> list[Right]:
    """What ``drover run`` does, with its Lease in this namespace. The execute right on plans among it, which no request
    of its own shows."""
    plurals = [kind.PLURAL for kind in KINDS.values()]
    return [
        *(Right(kind.GROUP, kind.PLURAL, verb) for kind in WATCHED.values() for verb in ("list", "watch")),
        *(Right(GROUP, plural, verb) for plural in plurals for verb in ("get", "patch")),
        *(Right(GROUP, f"{plural}/status", "patch") for plural in plurals),
        *(Right(GROUP, kind.PLURAL, "create") for kind in CREATED),
        *(Right(GROUP, kind.PLURAL, "delete") for kind in DELETED),
        Right(GROUP, MigrationPlan.PLURAL, "execute"),
        Right("", "events", "create"),
        Right("", "events", "patch"),
        Right("coordination.k8s.io", "leases", "create", namespace),
        *(Right("coordination.k8s.io", "leases", verb, namespace, lease) for verb in ("get", "update")),
    ]


async def missing(api: Api, rights: Iterable[Right], namespace: str) -> list[Right]:
    """Those that these credentials lack. One request where RBAC grants them all: only what its rules do not show is
    asked for one by one, since other authorizers need not tell their rules.

    An API server that does not answer such questions is taken to grant everything. Raises UnansweredError, and
    ApiError 401.
    """
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    resource = "selfsubjectrulesreviews"
    try:
        review = await api.request("create", resource, f"{_REVIEWS}/{resource}", body=body)
        rules = review["status"].get("resourceRules") or []
        doubtful = [right for right in rights if not any(grants(rule, right) for rule in rules)]
        granted = await asyncio.gather(*(_granted(api, right) for right in doubtful))
    except ApiError as error:
        if error.code == 401:
            raise
        return []
    return [right for right, allowed in zip(doubtful, granted, strict=True) if not allowed]


def lacked(error: ApiError) -> bool:
    """Whether a request was refused for want of a right. Admission and quotas refuse with 403 too, in other words."""
    return error.code == 403 and re.search(r"cannot \w+ resource", error.message) is not None


def grants(rule: Mapping[str, Any], right: Right) -> bool:
    """Whether a rule of a SelfSubjectRulesReview includes a right."""
    subresource = right.resource.partition("/")[2]
    resources = {"*", right.resource} | ({f"*/{subresource}"} if subresource else set())
    names = rule.get("resourceNames") or []
    return (
        not {"*", right.verb}.isdisjoint(rule.get("verbs") or ())
        and not {"*", right.group}.isdisjoint(rule.get("apiGroups") or ())
        and not resources.isdisjoint(rule.get("resources") or ())
        and (not names or right.name in names)
    )


async def _granted(api: Api, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    asked = {
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "verb": right.verb,
        "namespace": right.namespace,
        "name": right.name,
    }
    spec = {"resourceAttributes": {name: value for name, value in asked.items() if value}}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
    resource = "selfsubjectaccessreviews"
    review = await api.request("create", resource, f"{_REVIEWS}/{resource}", body=body)
    return bool(review["status"]["allowed"])
