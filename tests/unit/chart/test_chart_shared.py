"""What the chart shares with crds/, config/ and monitoring/ is the same in both."""

import pytest
import yaml
from charts import Manifest, of_kind, only, rendered

from chart import readme, shared
from chart.shared import CHART, ROOT
from mixin.alerts import ALERTS
from mixin.alerts.alert import RUNBOOKS


@pytest.fixture(scope="module")
def default() -> list[Manifest]:
    return rendered()


@pytest.fixture(scope="module")
def monitored() -> list[Manifest]:
    return rendered("--set=metrics.prometheusRule.enabled=true,metrics.dashboards.enabled=true")


def _documents(*patterns: str) -> list[Manifest]:
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return [one for path in paths for one in yaml.load_all(path.read_text(), yaml.CSafeLoader)]


def _but_metadata(one: Manifest) -> Manifest:
    return one | {"metadata": {"name": one["metadata"]["name"]}}


def test_what_is_generated_is_as_generated() -> None:
    wanted = shared.files()
    assert [path for path, text in wanted.items() if path.read_text() != text] == []
    assert set((CHART / "files").glob("*/**/*.*")) == wanted.keys()
    assert readme.stale() == []


def test_crds_are_those_of_the_api(default: list[Manifest]) -> None:
    crds = of_kind(default, "CustomResourceDefinition")
    assert [_but_metadata(one) for one in crds] == _documents("crds/*.yaml")
    assert all(one["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for one in crds)


def test_crds_go_with_the_release_where_that_is_asked_for() -> None:
    crds = of_kind(rendered("--set=crds.keep=false"), "CustomResourceDefinition")
    assert crds
    assert all("annotations" not in one["metadata"] for one in crds)


@pytest.mark.parametrize("source", ["config/rbac/operator.yaml", "config/rbac/users.yaml"])
def test_roles_grant_what_config_grants(source: str, default: list[Manifest]) -> None:
    roles = of_kind(_documents(source), "Role", "ClusterRole")
    assert roles
    for role in roles:
        mine = only(default, role["kind"], role["metadata"]["name"])
        assert mine["rules"] == role["rules"], role["metadata"]["name"]
        assert role["metadata"].get("labels", {}).items() <= mine["metadata"]["labels"].items()


@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_bindings_are_those_of_config(kind: str, default: list[Manifest]) -> None:
    theirs = of_kind(_documents("config/rbac/*.yaml"), kind)
    assert sorted(one["metadata"]["name"] for one in of_kind(default, kind)) == sorted(
        one["metadata"]["name"] for one in theirs
    )
    for binding in theirs:
        mine = only(default, kind, binding["metadata"]["name"])
        assert (mine["roleRef"], mine["subjects"]) == (binding["roleRef"], binding["subjects"])


def test_policies_are_those_of_config(default: list[Manifest]) -> None:
    theirs = _documents("config/admission/*.yaml")
    for policy in theirs:
        assert _but_metadata(only(default, policy["kind"], policy["metadata"]["name"])) == policy
    assert len(of_kind(default, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")) == len(theirs)


def test_what_is_in_use_is_refused_to_be_deleted_where_that_is_asked_for(default: list[Manifest]) -> None:
    kind = "ValidatingAdmissionPolicyBinding"
    strict = {
        one["metadata"]["name"]: one["spec"] for one in of_kind(rendered("--set=admissionPolicies.inUse=Deny"), kind)
    }
    lenient = {one["metadata"]["name"]: one["spec"] for one in of_kind(default, kind)}
    assert [name for name in strict if strict[name] != lenient[name]] == ["in-use.drover.dev"]
    assert strict["in-use.drover.dev"]["validationActions"] == ["Deny"]


def test_rules_and_dashboards_are_those_of_monitoring(monitored: list[Manifest]) -> None:
    rule = yaml.safe_load((ROOT / "monitoring" / "prometheusrule.yaml").read_text())
    assert only(monitored, "PrometheusRule")["spec"] == rule["spec"]
    boards = {path.name: path.read_text().rstrip() for path in (ROOT / "monitoring" / "dashboards").glob("*.json")}
    mine = of_kind(monitored, "ConfigMap")
    assert {name: text.rstrip() for one in mine for name, text in one["data"].items()} == boards
    options = yaml.safe_load((ROOT / "monitoring" / "kustomization.yaml").read_text())["configMapGenerator"]
    for option in options:
        metadata = only(monitored, "ConfigMap", option["name"])["metadata"]
        assert option["options"]["labels"].items() <= metadata["labels"].items()
        assert option["options"]["annotations"] == metadata["annotations"]


def test_runbooks_are_where_the_site_has_them(monitored: list[Manifest]) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["metrics"]["prometheusRule"]["runbookUrl"] == RUNBOOKS
    assert _runbooks(monitored) == {f"{RUNBOOKS}/{alert.name.lower()}" for alert in ALERTS}


@pytest.mark.parametrize("end", ["", "/"])
def test_runbooks_are_where_the_values_say(end: str) -> None:
    own = "https://wiki.example.org/drover/on-call"
    rule = rendered(f"--set=metrics.prometheusRule.enabled=true,metrics.prometheusRule.runbookUrl={own}{end}")
    assert _runbooks(rule) == {f"{own}/{alert.name.lower()}" for alert in ALERTS}


def _runbooks(objects: list[Manifest]) -> set[str]:
    """Every alert's."""
    groups = only(objects, "PrometheusRule")["spec"]["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    return {rule["annotations"]["runbook_url"] for rule in rules}


def test_the_pod_is_that_of_config(default: list[Manifest]) -> None:
    (theirs,) = of_kind(_documents("config/operator/*.yaml"), "Deployment")
    mine = only(default, "Deployment")
    assert mine["spec"]["strategy"]["rollingUpdate"] == theirs["spec"]["strategy"]["rollingUpdate"]
    pod, container = _pod(mine)
    their_pod, their_container = _pod(theirs)
    assert set(their_container.pop("args")) <= set(container.pop("args"))
    assert container.pop("imagePullPolicy") == "IfNotPresent"
    for port in container["ports"]:
        assert port.pop("protocol") == "TCP"
    assert container == their_container
    assert pod["securityContext"].pop("fsGroup") == 65532
    assert len(pod.pop("topologySpreadConstraints")) == 1
    assert pod == their_pod


def _pod(deployment: Manifest) -> tuple[Manifest, Manifest]:
    """The spec of its pods without the container, and the container."""
    pod = dict(deployment["spec"]["template"]["spec"])
    (container,) = pod.pop("containers")
    return pod, container


def test_rules_are_cut_out_with_their_comments() -> None:
    manifests = "kind: ServiceAccount\n---\nkind: Role\nmetadata:\n  name: a\nrules:\n# why\n- verbs: [get]\n"
    assert shared.rules_of(manifests) == {"a": "rules:\n# why\n- verbs: [get]\n"}
    with pytest.raises(ValueError, match="a role without a name or rules"):
        shared.rules_of("kind: ClusterRole\nmetadata:\n  name: a\n")
