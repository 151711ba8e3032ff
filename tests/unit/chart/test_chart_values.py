"""Values out of the schema, or at odds with each other, are refused in one line that names the value."""

import json
from typing import Any

import pytest
import yaml
from charts import HELM, VALUES, template

from chart.helm import HelmError
from chart.shared import CHART
from drover import __version__

REFUSED = {
    "replicaCount=-1": "- at '/replicaCount': minimum: got -1, want 0",
    "replicaCount=two": "- at '/replicaCount': got string, want integer",
    "replicas=2": "- at '': additional properties 'replicas' not allowed",
    "crds.enbled=true": "- at '/crds': additional properties 'enbled' not allowed",
    "image.pullPolicy=Sometimes": "- at '/image/pullPolicy': value must be one of 'IfNotPresent', 'Always', 'Never'",
    "image.repository=": "- at '/image/repository': minLength: got 0, want 1",
    "image.repository=registry:5000/drover:0.1.0": (
        "- at '/image/repository': 'registry:5000/drover:0.1.0' does not match pattern"
    ),
    "image.repository=https://registry/drover": (
        "- at '/image/repository': 'https://registry/drover' does not match pattern"
    ),
    "image.digest=sha256:12": "- at '/image/digest': 'sha256:12' does not match pattern '^(sha256:[0-9a-f]{64})?$'",
    "operator.logLevel=trace": "- at '/operator/logLevel': value must be one of 'debug', 'info', 'warning', 'error'",
    "operator.leaseDuration=1": "- at '/operator/leaseDuration': minimum: got 1, want 2",
    "operator.extraArgs=--x": "- at '/operator/extraArgs': got string, want array",
    "metrics.service.port=0": "- at '/metrics/service/port': minimum: got 0, want 1",
    "metrics.podMonitor.interval=often": (
        "- at '/metrics/podMonitor/interval': 'often' does not match pattern '^([0-9]+(ms|s|m|h))+$'"
    ),
    "admissionPolicies.inUse=Audit": "- at '/admissionPolicies/inUse': value must be one of 'Warn', 'Deny'",
    "usageArchive.size=big": "- at '/usageArchive/size': 'big' does not match pattern",
    "resources.limits.memory=much": "- at '/resources/limits/memory': 'much' does not match pattern",
    "podAnnotations.a=1": "- at '/podAnnotations/a': got number, want string",
    "tolerations[0].efect=NoSchedule": "- at '/tolerations/0': additional properties 'efect' not allowed",
    "webhook.timeoutSeconds=60": "- at '/webhook/timeoutSeconds': maximum: got 60, want 30",
    "webhook.certificate.mode=certManager": "- at '/webhook/certificate/issuerRef': missing property 'name'",
    "fullnameOverride=Drover": "- at '/fullnameOverride': 'Drover' does not match pattern",
    "fullnameOverride=1st": "- at '/fullnameOverride': '1st' does not match pattern",
    f"fullnameOverride={'x' * 51}": "- at '/fullnameOverride': maxLength: got 51, want 50",
    "extraEnv[0].name=A,extraEnv[0].value=1": "- at '/extraEnv/0/value': got number, want string",
    # At odds with each other, or with what the chart sets.
    r"podLabels.app\.kubernetes\.io/name=web": (
        "podLabels: app.kubernetes.io/name is the chart's own label: leave it out"
    ),
    r"podLabels.app\.kubernetes\.io/component=web": (
        "podLabels: app.kubernetes.io/component is the chart's own label: leave it out"
    ),
    r"metrics.dashboards.labels.helm\.sh/chart=web": (
        "metrics.dashboards.labels: helm.sh/chart is the chart's own label: leave it out"
    ),
    "metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true": (
        "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled scrape the same pages, so every sum would be"
        " double: enable one"
    ),
    "usageArchive.enabled=true,replicaCount=3": (
        "replicaCount 3, but usageArchive.accessMode ReadWriteOnce is one instance's: set ReadWriteMany, with a volume"
        " that can, or replicaCount 1"
    ),
    "webhook.enabled=true,webhook.failurePolicy=Fail,webhook.replicaCount=0": (
        "webhook.replicaCount 0 with failurePolicy Fail would refuse every write of VMs: set failurePolicy Ignore, or"
        " replicaCount 1 or more"
    ),
    "podDisruptionBudget.enabled=true": (
        "podDisruptionBudget.minAvailable 1 of replicaCount 1 would block every drain of a node: set replicaCount to 2"
        " or more"
    ),
}
"""What is set: a part of the one line that tells."""
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
    "repository", ["drover", "org/drover", "Registry.example.org:5000/a/b-c/drover", "[::1]:5000/drover"]
)
def test_an_image_may_come_from_any_registry(repository: str) -> None:
    assert f'image: "{repository}:{__version__}"' in template("--set", f"image.repository={repository}")


def test_a_release_whose_services_could_have_no_name_is_refused() -> None:
    with pytest.raises(HelmError, match="release 7: a Service's name begins with a letter, so set fullnameOverride"):
        template(release="7")


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
    if "properties" not in schema or at in ("affinity", "webhook.certificate.issuerRef"):
        return {at}
    found = ((f"{at}.{key}".strip("."), value) for key, value in schema["properties"].items())
    return {path for key, value in found for path in _known(value, definitions, key)}


def _given(values: dict[str, Any], known: set[str], at: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        path = f"{at}.{key}".strip(".")
        found += [path] if path in known or not isinstance(value, dict) else _given(value, known, path)
    return found
