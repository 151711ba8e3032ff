"""The objects of a release fit together."""

import json
from typing import Any

import pytest
import typer
import yaml
from charts import VALUES, Manifest, arguments, of_kind, only, rendered, template

from drover import __version__
from drover.cli.main import app

SETS = sorted(path.stem for path in VALUES.glob("*.yaml"))
WITHOUT_NAMESPACE = {
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
}
WORKLOADS = ("Deployment", "Pod")


def _of_set(name: str, release: str = "drover") -> list[Manifest]:
    return rendered(f"--values={VALUES / name}.yaml", release=release)


def _pod(workload: Manifest) -> Manifest:
    """Metadata and spec of its pods."""
    pod: Manifest = workload["spec"]["template"] if workload["kind"] == "Deployment" else workload
    return pod


@pytest.mark.parametrize("name", SETS)
def test_every_object_says_whose_it_is_and_where(name: str) -> None:
    for one in _of_set(name, release="cloud"):
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "cloud", one["metadata"]["name"]
        assert labels.get("cost-center") == ("42" if name == "everything" else None)
        assert labels["app.kubernetes.io/version"] == __version__
        assert ("namespace" in one["metadata"]) == (one["kind"] not in WITHOUT_NAMESPACE), one["kind"]


@pytest.mark.parametrize("name", SETS)
def test_selectors_pick_the_pods_of_one_component(name: str) -> None:
    objects = _of_set(name)
    pods = {one["metadata"]["labels"]["app.kubernetes.io/component"]: _pod(one) for one in of_kind(objects, *WORKLOADS)}
    for one in objects:
        if (selector := _selector(one)) is not None:
            picked = [
                component for component, pod in pods.items() if selector.items() <= pod["metadata"]["labels"].items()
            ]
            assert picked == [one["metadata"]["labels"]["app.kubernetes.io/component"]], one["metadata"]["name"]


def _selector(one: Manifest) -> dict[str, str] | None:
    """The labels by which an object knows pods."""
    spec = one.get("spec", {})
    selector: dict[str, Any] | None = spec.get("podSelector" if one["kind"] == "NetworkPolicy" else "selector")
    if one["kind"] in ("ServiceMonitor", "PersistentVolumeClaim") or selector is None:
        return None
    return selector.get("matchLabels", selector)


def test_a_service_monitor_finds_the_service() -> None:
    objects = _of_set("production")
    service = only(objects, "Service")
    monitors = of_kind(objects, "ServiceMonitor")
    assert [one["metadata"]["name"] for one in monitors] == ["drover", "drover-state"]
    for monitor in monitors:
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert [end["port"] for end in monitor["spec"]["endpoints"]] == [
            port["name"] for port in service["spec"]["ports"]
        ]


@pytest.mark.parametrize(("name", "kind", "field"), [
    ("production", "ServiceMonitor", "endpoints"),
    ("everything", "PodMonitor", "podMetricsEndpoints"),
])  # fmt: skip
def test_pages_are_scraped_under_the_jobs_that_rules_and_dashboards_know(name: str, kind: str, field: str) -> None:
    ends = [end for one in of_kind(_of_set(name), kind) for end in one["spec"][field]]
    jobs = {
        end["path"]: [rule["replacement"] for rule in end["relabelings"] if rule.get("targetLabel") == "job"]
        for end in ends
    }
    assert jobs == {"/metrics": ["drover"], "/metrics/state": ["drover-state"]}


@pytest.mark.parametrize("name", SETS)
def test_the_operator_understands_its_arguments(name: str) -> None:
    (deployment,) = [
        one
        for one in of_kind(_of_set(name), "Deployment")
        if one["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
    ]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    program = typer.main.get_command(app)
    with program.make_context("drover", arguments(container)) as context:
        command, subcommand, rest = program.resolve_command(context, arguments(container))  # type: ignore[attr-defined]
        assert command == "run"
        with subcommand.make_context("run", rest, parent=context) as parsed:
            assert parsed.params["namespace"] == "drover-system"
            assert parsed.params["metrics_vm_detail"] == ("off" if name == "everything" else "info")
            assert (parsed.params["usage_archive"] is not None) == (name in ("everything", "least"))


@pytest.mark.parametrize("name", SETS)
def test_every_pod_meets_the_restricted_profile(name: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted; root's file system is ours."""
    for workload in of_kind(_of_set(name), *WORKLOADS):
        spec = _pod(workload)["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_names_follow_the_release() -> None:
    named = {
        release: only(rendered(release=release), "Deployment", name)["metadata"]["name"]
        for release, name in (("drover", "drover"), ("cloud", "cloud-drover"), ("my-drover", "my-drover"))
    }
    assert len(named) == 3
    longest = "x" * 53  # the longest name of a release
    for one in rendered(release=longest):
        assert len(one["metadata"]["name"]) <= 63


@pytest.mark.parametrize("release", ["7", "true"])
def test_a_release_may_be_called_what_yaml_takes_for_something_else(release: str) -> None:
    for one in rendered("--set=fullnameOverride=drover", release=release):
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == release


@pytest.mark.parametrize("option", [
    "--namespace=123",
    "--set-string=serviceAccount.name=10",
    "--set-string=usageArchive.existingClaim=123",
    "--set-string=usageArchive.storageClass=1",
    "--set-string=priorityClassName=on",
])  # fmt: skip
def test_names_that_yaml_takes_for_something_else_stay_text(option: str) -> None:
    enabled = "--set=usageArchive.enabled=true,webhook.enabled=true"
    for one in rendered(option, enabled):
        assert [text for text in _names(one) if not isinstance(text, str)] == []


def _names(node: object, key: str = "") -> list[object]:
    """The values of all keys that hold a name."""
    if isinstance(node, dict):
        return [name for key, value in node.items() for name in _names(value, key)]
    if isinstance(node, list):
        return [name for item in node for name in _names(item)]
    named = (
        "name",
        "namespace",
        "claimName",
        "secretName",
        "storageClassName",
        "serviceAccountName",
        "priorityClassName",
    )
    return [node] if key in named else []


def test_pods_carry_the_common_labels() -> None:
    for workload in of_kind(rendered("--set=commonLabels.team=cloud,webhook.enabled=true"), *WORKLOADS):
        assert _pod(workload)["metadata"]["labels"]["team"] == "cloud"


def test_instances_of_each_component_are_spread_among_themselves() -> None:
    deployments = of_kind(rendered("--set=webhook.enabled=true"), "Deployment")
    assert len(deployments) == 2
    for one in deployments:
        (constraint,) = _pod(one)["spec"]["topologySpreadConstraints"]
        assert constraint["labelSelector"] == one["spec"]["selector"]


def test_a_constraint_that_selects_every_pod_is_left_as_it_is() -> None:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
    text = template(
        f"--set-json=topologySpreadConstraints=[{json.dumps(constraint)}]", "--show-only=templates/deployment.yaml"
    )
    assert text.count("labelSelector:") == 1
    assert _pod(yaml.safe_load(text))["spec"]["topologySpreadConstraints"] == [constraint]


def test_where_a_component_runs_is_said_for_it_alone() -> None:
    """An operator that keeps away from its like keeps neither the webhook away nor the pod of `helm test`."""
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}
    other = {"nodeAffinity": {}}
    objects = rendered(
        "--set=webhook.enabled=true,nodeSelector.zone=a,webhook.nodeSelector.zone=b",
        '--set-json=tolerations=[{"key":"a"}],webhook.tolerations=[{"key":"b"}]',
        f"--set-json=affinity={json.dumps(apart)}",
        f"--set-json=webhook.affinity={json.dumps(other)}",
    )
    pods = {one["metadata"]["name"]: _pod(one)["spec"] for one in of_kind(objects, *WORKLOADS)}
    affinities = {name: pod.get("affinity") for name, pod in pods.items()}
    assert affinities == {"drover": apart, "drover-webhook": other, "drover-test": None}
    zones = {name: (pod["nodeSelector"]["zone"], pod["tolerations"][0]["key"]) for name, pod in pods.items()}
    assert zones == {"drover": ("a", "a"), "drover-webhook": ("b", "b"), "drover-test": ("a", "a")}


def test_one_volume_for_one_instance_is_not_shared_during_an_upgrade() -> None:
    alone = only(rendered("--set=usageArchive.enabled=true"), "Deployment")
    assert alone["spec"]["strategy"] == {"type": "Recreate"}
    shared = only(rendered("--set=usageArchive.enabled=true,usageArchive.accessMode=ReadWriteMany"), "Deployment")
    assert shared["spec"]["strategy"]["type"] == "RollingUpdate"
