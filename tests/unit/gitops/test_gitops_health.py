"""Argo CD's Lua and Flux's CEL give the verdict of kstatus, but for what waits for a person or is switched off."""

from pathlib import Path
from typing import Any

import cel
import pytest
import yaml
from kstatus import kstatus
from lupa.lua54 import LuaRuntime

from drover import __version__
from drover.api.kinds import KINDS

ROOT = Path(__file__).parents[3]
ARGOCD = ROOT / "config" / "gitops" / "argocd"
FLUX = ROOT / "config" / "gitops" / "flux" / "healthchecks.yaml"
EXAMPLE = ROOT / "examples" / "gitops"

SWITCHED_OFF = {
    ("Host", "Off"),
    ("Image", "Deactivated"),
    ("MigrationPlan", "AwaitingApproval"),
    ("Network", "Down"),
    ("VirtualMachine", "Paused"),
    ("Volume", "WaitForFirstConsumer"),
}
"""Kinds and phases that end only when a person does something, as declared."""
ARGO = {"Current": "Healthy", "Failed": "Degraded", "InProgress": "Progressing"}


def _argo(raw: dict[str, Any]) -> tuple[str, str]:
    """(health, message) as Argo CD has it: itself for what is being deleted, the script for the rest."""
    if raw["metadata"].get("deletionTimestamp"):
        return "Progressing", "Pending deletion"
    return _lua("health.lua", raw)


def _lua(script: str, raw: dict[str, Any]) -> tuple[str, str]:
    """(health, message) that a script says of an object."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(raw, recursive=True)
    told = lua.execute((ARGOCD / script).read_text())
    return str(told["status"]), str(told["message"])


def _paused_by_its_spec(raw: dict[str, Any]) -> bool:
    return raw["spec"].get("paused") is True


@pytest.mark.parametrize("kind", KINDS)
def test_argo_cd_says_what_kstatus_says_and_suspended_for_what_is_switched_off(
    kind: str, objects: list[dict[str, Any]]
) -> None:
    tried = [raw for raw in objects if raw["kind"] == kind and not raw["metadata"].get("deletionTimestamp")]
    assert tried
    for raw in tried:
        off = (kind, raw["status"].get("phase")) in SWITCHED_OFF
        paused = _paused_by_its_spec(raw) and raw["status"].get("phase") == "Queued"
        wanted = "Suspended" if off or paused else ARGO[kstatus(raw)]
        health, message = _argo(raw)
        assert health == wanted, (raw["status"], message)
        ready = [one for one in raw["status"].get("conditions", []) if one["type"] in ("Ready", "Stalled")]
        assert not ready or any(message == f"{one['reason']}: {one['message']}" for one in ready)


def test_argo_cd_never_calls_a_vm_that_is_declared_stopped_progressing(objects: list[dict[str, Any]]) -> None:
    stopped = [raw for raw in objects if raw["status"].get("phase") == "Stopped"]
    assert stopped
    assert {_argo(raw)[0] for raw in stopped} == {"Healthy"}


def test_argo_cd_waits_for_an_operator_that_is_not_there() -> None:
    bare = {"metadata": {"generation": 1}, "spec": {}}
    for raw in (bare, bare | {"status": {"observedGeneration": -1}}):
        health, message = _argo(raw)
        assert health == "Progressing"
        assert "is the operator running?" in message


def test_argo_cd_has_a_key_for_every_kind() -> None:
    (generated,) = yaml.safe_load((ARGOCD / "Kustomization").read_text())["configMapGenerator"]
    assert generated["name"] == "argocd-cm"
    assert sorted(generated["files"]) == [
        "resource.customizations.health.argoproj.io_Application=application.lua",
        *sorted(f"resource.customizations.health.drover.dev_{kind}=health.lua" for kind in KINDS),
    ]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (None, ("Progressing", "")),
        ({"sync": {"status": "OutOfSync"}}, ("Progressing", "")),
        ({"health": {"status": "Healthy"}}, ("Healthy", "")),
        ({"health": {"status": "Degraded", "message": "one has failed"}}, ("Degraded", "one has failed")),
    ],
)
def test_argo_cd_takes_an_application_for_what_it_says_itself(
    status: dict[str, Any] | None, told: tuple[str, str]
) -> None:
    raw: dict[str, Any] = {"metadata": {"name": "shop"}, "spec": {}}
    assert _lua("application.lua", raw if status is None else raw | {"status": status}) == told


def _flux(check: dict[str, str], raw: dict[str, Any]) -> str:
    """As Flux evaluates healthCheckExprs: kstatus says Terminating first, then the expressions in this order."""
    if raw["metadata"].get("deletionTimestamp"):
        return "Terminating"
    given = {name: raw.get(name, {}) for name in ("metadata", "spec", "status")}
    for name, verdict in (("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")):
        if cel.evaluate(check[name], given):
            return verdict
    return "InProgress"


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"UsageRecord"}))
def test_flux_says_what_kstatus_says_and_current_for_what_is_switched_off(
    kind: str, objects: list[dict[str, Any]]
) -> None:
    (check,) = [one for one in yaml.safe_load(FLUX.read_text()) if one["kind"] == kind]
    for raw in (raw for raw in objects if raw["kind"] == kind):
        off = (kind, raw["status"].get("phase")) in SWITCHED_OFF and not raw["metadata"].get("deletionTimestamp")
        assert _flux(check, raw) == ("Current" if off else kstatus(raw)), raw["status"]


def test_the_example_for_flux_has_the_shipped_checks_for_every_kind_in_it() -> None:
    shipped = {one["kind"]: _one_line(one) for one in yaml.safe_load(FLUX.read_text())}
    parts = [
        one["spec"]
        for one in yaml.safe_load_all((EXAMPLE / "flux" / "kustomizations.yaml").read_text())
        if one["kind"] == "Kustomization"
    ]
    assert parts
    for part in parts:
        folder = EXAMPLE / part["path"]
        documents = [one for path in folder.glob("*.yaml") for one in yaml.safe_load_all(path.read_text())]
        kinds = {one["kind"] for one in documents} & KINDS.keys()
        assert {check["kind"] for check in part["healthCheckExprs"]} == kinds
        for check in part["healthCheckExprs"]:
            assert _one_line(check) == shipped[check["kind"]]


def _one_line(check: dict[str, str]) -> dict[str, str]:
    """Its expressions without the way their lines are broken."""
    return {name: " ".join(text.split()) for name, text in check.items()}


@pytest.mark.parametrize("folder", ["crds", "config/admission"])
def test_a_kustomization_lists_every_manifest_beside_it(folder: str) -> None:
    listed = yaml.safe_load((ROOT / folder / "Kustomization").read_text())["resources"]
    assert listed == sorted(path.name for path in (ROOT / folder).glob("*.yaml"))


def test_the_deployment_runs_the_version_of_this_source() -> None:
    deployment = yaml.safe_load((ROOT / "config" / "operator" / "deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"drover:{__version__}"
