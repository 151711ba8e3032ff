"""What GitOps tools do to Drover's objects: apply, apply again, own fields, prune in any order."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import yaml
from clouds import Cloud, Manifest
from rights import ROOT
from running import eventually

from controlplane import Kubectl

APPLY = ("apply", "--server-side", "--field-manager=gitops")
EXAMPLE = ROOT / "examples" / "gitops"
OPERATOR = "drover"


def _whole_cloud(cloud: Cloud) -> list[Manifest]:
    """An object of every kind that users make, all in use; the plan comes last, for it wants its VM running."""
    selectors = {"virtualMachineSelector": {"app": cloud.namespace}}
    return [
        cloud.pool(3),
        cloud.flavor(),
        cloud.image(),
        cloud.network(),
        cloud.group(),
        cloud.object("MigrationPolicy", cloud.namespace, {"selectors": selectors}),
        cloud.object("Volume", "data", {"size": "1Gi"}),
        cloud.vm(
            volumes=[{"name": "data", "volumeRef": {"name": "data"}}, {"name": "own", "template": {"size": "1Gi"}}],
            placement={"nodePoolName": cloud.namespace, "placementGroupName": "group"},
        ),
        cloud.plan(virtualMachines=[{"name": "vm"}]),
    ]


def _up(cloud: Cloud, manifests: list[Manifest]) -> None:
    cloud.up(*manifests[:-1])
    cloud.up(manifests[-1])


def _objects(cloud: Cloud, manifests: list[Manifest]) -> list[Manifest]:
    text = yaml.safe_dump_all(manifests)
    found = json.loads(cloud.kubectl("get", "--show-managed-fields", "-f", "-", "-o", "json", input=text))
    return list(found["items"])


def _generations(cloud: Cloud, manifests: list[Manifest]) -> dict[str, int]:
    return {item["metadata"]["uid"]: item["metadata"]["generation"] for item in _objects(cloud, manifests)}


def test_applying_twice_changes_nothing_and_nobody_fights(cloud: Cloud) -> None:
    manifests = _whole_cloud(cloud)
    text = yaml.safe_dump_all(manifests)
    for stage in (manifests[:-1], manifests[-1:]):
        cloud.kubectl(*APPLY, "-f", "-", input=yaml.safe_dump_all(stage))
        cloud.ready(*stage)
    before = _generations(cloud, manifests)
    for _ in range(2):
        cloud.kubectl(*APPLY, "-f", "-", input=text)  # a conflict with the operator would be an error
        assert cloud.kubectl("diff", "--server-side", "--field-manager=gitops", "-f", "-", input=text) == ""
    assert _generations(cloud, manifests) == before
    for item in _objects(cloud, manifests):
        assert _owned_by_operator(item) <= {"status", "metadata"}, item["kind"]
        assert item["status"]["observedGeneration"] == item["metadata"]["generation"], item["kind"]


def test_a_client_side_apply_changes_nothing_either(cloud: Cloud) -> None:
    manifests = _whole_cloud(cloud)
    _up(cloud, manifests)
    before = _generations(cloud, manifests)
    told = cloud.apply(*manifests).splitlines()
    assert _generations(cloud, manifests) == before
    # kubectl sends lists whole: where the items have defaults it says "configured", and the API server changes nothing.
    assert [line for line in told if not line.endswith(" unchanged")] == [
        f"nodepool.drover.dev/{cloud.namespace} configured"
    ]


def test_a_finished_plan_applied_again_moves_nothing(cloud: Cloud) -> None:
    manifests = _whole_cloud(cloud)
    _up(cloud, manifests)
    where = cloud.status("vm")["hostName"]
    moved = len(cloud.list("vmm"))
    cloud.apply(*manifests)
    assert cloud.status("mplan", "plan")["phase"] == "Succeeded"
    assert (cloud.status("vm")["hostName"], len(cloud.list("vmm"))) == (where, moved)


@pytest.mark.parametrize("order", ["as applied", "reversed", "shuffled"])
def test_deleting_in_any_order_ends(cloud: Cloud, order: str) -> None:
    manifests = _whole_cloud(cloud)
    _up(cloud, manifests)
    going = {
        "as applied": manifests,
        "reversed": manifests[::-1],
        "shuffled": Random(7).sample(manifests, len(manifests)),
    }
    for manifest in going[order]:
        cloud.kubectl("delete", "--wait=false", "-f", "-", input=yaml.safe_dump(manifest))
    text = yaml.safe_dump_all(manifests)

    def left() -> str:
        everything = cloud.kubectl("get", "--ignore-not-found", "-f", "-", "-o", "name", input=text)
        return everything + cloud.kubectl("get", "vmm,vol", "-n", cloud.namespace, "-o", "name")

    eventually(lambda: not left(), 60, lambda: f"still there: {left()}", every=0.5)


def _owned_by_operator(item: Manifest) -> set[str]:
    """The top-level fields that the operator has written."""
    mine = [entry for entry in item["metadata"]["managedFields"] if entry["manager"] == OPERATOR]
    return {field.removeprefix("f:") for entry in mine for field in entry["fieldsV1"]}


@pytest.fixture(scope="module")
def namespaces(kubectl: Kubectl) -> Iterator[None]:
    """Those that the manifests below are for: a dry run creates none."""
    names = ("drover-system", "argocd", "gitops-shop")
    manifests = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]
    kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(manifests))
    yield
    kubectl("delete", "namespace", *names[1:], "--wait=false")


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("overlay", ["base", "overlays/production", "overlays/laptop", "gitops/argocd"])
def test_each_overlay_is_valid(kubectl: Kubectl, overlay: str) -> None:
    dry = ("--dry-run=server", "--validate=strict", "--force-conflicts")
    told = kubectl("apply", "--server-side", *dry, "-k", str(ROOT / "config" / overlay))
    assert told.count("(server dry run)") == len(told.splitlines()) > 0


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("part", ["infrastructure", "tenants/shop", "operations"])
def test_the_example_repository_is_valid(kubectl: Kubectl, part: str) -> None:
    told = kubectl("apply", "--dry-run=server", "--validate=strict", "-k", str(EXAMPLE / part))
    assert told.count("(server dry run)") == len(told.splitlines()) > 0


def test_every_manifest_of_the_example_is_in_a_kustomization() -> None:
    for folder in {path.parent for path in EXAMPLE.rglob("kustomization.yaml")}:
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        assert sorted(listed) == sorted(_manifests(folder)), folder


def _manifests(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"]
