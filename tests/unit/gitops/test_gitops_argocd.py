"""The example for Argo CD: one Application that holds the others, and orders them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import Helm

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "gitops"
HERE = "https://git.example.org/datacenter.git"
"""The repository that examples/gitops is a copy of; Drover's is the other one."""
ORDER = ["drover", "infrastructure", "shop", "operations"]
"""Each rests on those before it: kinds, flavors and pools, VMs, plans that name VMs."""


def _documents(*paths: Path) -> list[dict[str, Any]]:
    return [one for path in paths for one in yaml.safe_load_all(path.read_text())]


PARENT = _documents(EXAMPLE / "argocd" / "root.yaml")[0]
HELD = EXAMPLE / PARENT["spec"]["source"]["path"]
APPLICATIONS = {one["metadata"]["name"]: one for one in _documents(*HELD.glob("*.yaml"))}


@pytest.mark.parametrize("one", [PARENT, *APPLICATIONS.values()], ids=lambda one: one["metadata"]["name"])
def test_an_application_is_one_that_argo_cd_finds_and_its_folder_is_there(one: dict[str, Any]) -> None:
    assert (one["apiVersion"], one["kind"]) == ("argoproj.io/v1alpha1", "Application")
    assert one["metadata"]["namespace"] == "argocd"
    assert one["spec"]["destination"]["server"] == "https://kubernetes.default.svc"
    source = one["spec"]["source"]
    repository = EXAMPLE if source["repoURL"] == HERE else ROOT
    assert any((repository / source["path"]).glob("*.yaml"))


def test_the_parent_holds_every_other_application() -> None:
    manifests = (EXAMPLE / "argocd").rglob("*.yaml")
    assert len(_documents(*manifests)) == 1 + len(APPLICATIONS)
    assert APPLICATIONS.keys() == set(ORDER)


def test_each_wave_comes_after_what_it_rests_on() -> None:
    waves = [int(APPLICATIONS[name]["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]) for name in ORDER]
    assert waves == sorted(set(waves))


@pytest.mark.parametrize("webhook", [False, True])
def test_the_chart_takes_the_values_of_its_application(webhook: bool, tmp_path: Path) -> None:
    spec = APPLICATIONS["drover"]["spec"]
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(spec["source"]["helm"]["valuesObject"]))
    chart = ROOT / spec["source"]["path"]
    options = (f"--namespace={spec['destination']['namespace']}", f"--values={values}")
    text = Helm()("template", "drover", str(chart), *options, f"--set=webhook.enabled={webhook}".lower())
    objects = [one for one in yaml.load_all(text, yaml.CSafeLoader) if one]
    images = {
        container["image"]
        for one in objects
        if one["kind"] == "Deployment"
        for container in one["spec"]["template"]["spec"]["containers"]
    }
    assert images == {f"registry.example.org/drover:{spec['source']['targetRevision'].removeprefix('v')}"}
    kinds = {one["kind"] for one in objects}
    assert ("Certificate" in kinds) == webhook
    assert "Secret" not in kinds  # each rendering would be another
