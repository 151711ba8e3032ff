"""Values out of the schema, or at odds with each other, are refused in one line that names the value."""

import json
from typing import Any

import pytest
import yaml
from charts import HELM, VALUES, only, rendered, template
from refused import AT_ODDS, OUT_OF_SCHEMA

from chart.helm import HelmError
from chart.shared import CHART
from drover import __version__

REFUSED = OUT_OF_SCHEMA | AT_ODDS
NOT_READ = {"global", "enabled"}
"""What a parent chart may say."""


@pytest.mark.parametrize("setting", REFUSED)
def test_a_wrong_value_is_refused_in_one_line(setting: str) -> None:
    with pytest.raises(HelmError) as refused:
        template("--set", setting)
    told = [line for line in refused.value.stderr.splitlines() if line.startswith(("- at", "Error: execution"))]
    assert len(told) == 1, refused.value.stderr
    assert REFUSED[setting] in told[0]


@pytest.mark.parametrize(
    "repository", ["drover", "org/drover", "Registry.example.org:5000/a/b-c/drover", "[::1]:5000/drover", "a__b/c.d-e"]
)
def test_an_image_may_come_from_any_registry(repository: str) -> None:
    assert f'image: "{repository}:{__version__}"' in template("--set", f"image.repository={repository}")


@pytest.mark.parametrize("release", ["7", "drover.prod"])
def test_a_release_whose_services_could_have_no_name_is_refused(release: str) -> None:
    why = f"release {release}: a Service's name begins with a letter and has no dots, so set fullnameOverride"
    with pytest.raises(HelmError, match=why):
        template(release=release)
    template("--set=fullnameOverride=drover", release=release)


def test_a_release_that_is_called_as_a_role_for_people_is_refused() -> None:
    with pytest.raises(HelmError, match="the operator's ClusterRole cannot be called drover-edit"):
        template(release="drover-edit")


def test_a_peer_that_selects_nothing_is_refused() -> None:
    with pytest.raises(HelmError, match="at '/networkPolicy/apiServerTo/0': minProperties: got 0, want 1"):
        template("--set-json=networkPolicy.apiServerTo=[{}]")


@pytest.mark.parametrize(("share", "replicas"), [("67%", 4), ("50%", 2), ("99%", 100), ("0%", 1), (0, 1), (3, 4)])
def test_a_budget_that_lets_an_instance_go_is_taken(share: str | int, replicas: int) -> None:
    budget = f"podDisruptionBudget.enabled=true,podDisruptionBudget.minAvailable={share}"
    objects = rendered("--set", f"{budget},replicaCount={replicas}")
    assert only(objects, "PodDisruptionBudget")["spec"]["minAvailable"] == share


@pytest.mark.parametrize("name", sorted(path.stem for path in VALUES.glob("*.yaml")))
def test_helm_lint_finds_nothing(name: str) -> None:
    told = HELM("lint", "--strict", str(CHART), f"--values={VALUES / name}.yaml")
    assert "[WARNING]" not in told
    assert "[ERROR]" not in told


def test_a_kubernetes_too_old_for_the_schemas_is_refused() -> None:
    template("--kube-version=1.31.0")
    with pytest.raises(HelmError, match=r"chart requires kubeVersion: >=1\.31\.0-0 which is incompatible .* v1\.30\.9"):
        template("--kube-version=1.30.9")


def test_the_schema_knows_the_values_and_no_others() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = _known(schema, schema["definitions"])
    assert set(_given(yaml.safe_load((CHART / "values.yaml").read_text()), known)) == known - NOT_READ


def test_every_value_is_described_in_the_readme() -> None:
    rows = [line.split(" | ") for line in (CHART / "README.md").read_text().splitlines() if line.startswith("| ")]
    described = {row[0].removeprefix("| "): row[3].removesuffix(" |").strip() for row in rows[1:]}
    assert [name for name, text in described.items() if not text] == []
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert _known(schema, schema["definitions"]) - NOT_READ <= described.keys()


def _known(schema: dict[str, Any], definitions: dict[str, Any], at: str = "") -> set[str]:
    """The paths of the values that a schema describes, as deep as the chart names them itself."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _known(definitions[name], definitions, at) if name == "monitor" else {at}
    if "properties" not in schema or at == "webhook.certificate.issuerRef":
        return {at}
    found = ((f"{at}.{key}".strip("."), value) for key, value in schema["properties"].items())
    return {path for key, value in found for path in _known(value, definitions, key)}


def _given(values: dict[str, Any], known: set[str], at: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        path = f"{at}.{key}".strip(".")
        found += [path] if path in known or not isinstance(value, dict) else _given(value, known, path)
    return found
