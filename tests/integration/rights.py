"""Rights as triples: what a role grants, and what an account asked of the API server."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
RBAC = ROOT / "config" / "rbac"
ACCOUNT = "system:serviceaccount:drover-system:drover"


class Right(NamedTuple):
    """One verb on one resource; a subresource is ``virtualmachines/status``."""

    group: str
    resource: str
    verb: str


def granted(*roles: str) -> set[Right]:
    """What these roles of config/rbac/operator.yaml allow."""
    documents = yaml.safe_load_all((RBAC / "operator.yaml").read_text())
    return {right for one in documents if one["metadata"]["name"] in roles for right in of_rules(one.get("rules", []))}


def of_rules(rules: Iterable[dict[str, Any]]) -> set[Right]:
    return {
        Right(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(audit_log: Path, offset: int, account: str = ACCOUNT) -> dict[Right, set[int]]:
    """What an account asked for since ``offset`` of the log, and the codes it was answered with."""
    with audit_log.open("rb") as log:
        log.seek(offset)
        lines = log.read().rpartition(b"\n")[0].splitlines()
    seen: dict[Right, set[int]] = {}
    for event in map(json.loads, lines):
        about = event.get("objectRef")
        if event["user"]["username"] != account or about is None or "resource" not in about:
            continue  # discovery, which everybody may ask for
        if about.get("apiGroup") == "authorization.k8s.io":
            continue  # which rights it has, which everybody may ask for
        resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
        right = Right(about.get("apiGroup", ""), resource, event["verb"])
        seen.setdefault(right, set()).add(int(event.get("responseStatus", {}).get("code", 0)))
    return seen


def as_account(kubeconfig: Path, token: str, target: Path) -> Path:
    """A copy of a kubeconfig that signs in with a token."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    target.write_text(yaml.safe_dump(config))
    return target
