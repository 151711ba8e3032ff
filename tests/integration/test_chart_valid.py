"""The API server takes all that the chart renders, and a restricted namespace has nothing to say against its pods."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rights import ROOT

from chart.helm import Helm
from chart.shared import CHART
from conftest import secluded
from controlplane import Kubectl

VALUES = ROOT / "tests" / "unit" / "chart" / "values"
ELSEWHERE = ("monitoring.coreos.com/", "cert-manager.io/")
"""Groups of operators that are not here."""
DRY = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")


@pytest.fixture(scope="module")
def kubectl() -> Iterator[Kubectl]:
    """Of a cluster for this module alone: nobody else has applied objects of the same names, in another way."""
    with secluded("chart-valid") as plane:
        yield Kubectl(plane.kubectl, plane.kubeconfig)


@pytest.fixture
def restricted(kubectl: Kubectl, namespace: str) -> str:
    """A namespace that refuses pods, and warns of Deployments, that do not meet the profile."""
    modes = (f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn"))
    kubectl("label", "namespace", namespace, *modes)
    return namespace


@pytest.mark.parametrize("values", sorted(VALUES.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_set_of_values_is_valid_and_restricted(values: Path, kubectl: Kubectl, restricted: str) -> None:
    objects = _rendered(restricted, f"--values={values}")
    told, warned = _dry(kubectl, objects)
    assert warned == ""
    assert told.count("(server dry run)") == len(objects)


def test_a_deployment_that_is_not_restricted_is_warned_of(kubectl: Kubectl, restricted: str) -> None:
    """So that the silence above means something."""
    objects = _rendered(restricted, "--set=securityContext.allowPrivilegeEscalation=true")
    told, warned = _dry(kubectl, [one for one in objects if one["kind"] == "Deployment"])
    assert "allowPrivilegeEscalation != false" in warned
    assert "drover serverside-applied" in told


def test_a_webhook_on_its_nodes_network_is_valid_where_pod_security_allows_it(kubectl: Kubectl, namespace: str) -> None:
    option = "--set=webhook.enabled=true,webhook.hostNetwork=true,webhook.port=10260,webhook.metricsPort=10261"
    objects = _rendered(namespace, option)
    told, warned = _dry(kubectl, objects)
    assert warned == ""
    assert told.count("(server dry run)") == len(objects)


def _rendered(namespace: str, option: str) -> list[dict[str, object]]:
    text = Helm()("template", "drover", str(CHART), f"--namespace={namespace}", option)
    return [one for one in yaml.load_all(text, yaml.CSafeLoader) if one and not one["apiVersion"].startswith(ELSEWHERE)]


def _dry(kubectl: Kubectl, objects: list[dict[str, object]]) -> tuple[str, str]:
    """What kubectl said of applying the objects, on stdout and on stderr."""
    command = [str(kubectl.path), f"--kubeconfig={kubectl.kubeconfig}", *DRY, "-f", "-"]
    text = yaml.safe_dump_all(objects)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout, done.stderr
