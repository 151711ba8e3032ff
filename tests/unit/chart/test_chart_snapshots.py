"""What the chart makes of each set of values/, against what it made when somebody last looked.

`pytest tests/unit/chart --update` writes the snapshots; their difference is then for a reviewer.
"""

from pathlib import Path

import pytest
import yaml
from charts import VALUES, Manifest, rendered

from chart.shared import files

SNAPSHOTS = Path(__file__).parent / "snapshots"
SETS = sorted(path.stem for path in VALUES.glob("*.yaml"))
SHARED = {"CustomResourceDefinition": "spec", "PrometheusRule": "spec", "ValidatingAdmissionPolicy": "spec"}
"""Kinds, and the part of theirs that is copied from where it has tests of its own."""
MADE = {"caBundle", "ca.crt", "tls.crt", "tls.key"}
"""Keys of certificates, which Helm makes anew each time."""


@pytest.mark.parametrize("name", SETS)
def test_a_set_of_values_renders_as_it_did(name: str, request: pytest.FixtureRequest) -> None:
    snapshot = SNAPSHOTS / f"{name}.yaml"
    text = _text(rendered(f"--values={VALUES / name}.yaml"))
    if request.config.getoption("--update"):
        snapshot.write_text(text)
    assert text == snapshot.read_text(), f"right? then `pytest tests/unit/chart --update`, and commit {snapshot.name}"


def test_every_snapshot_has_its_values() -> None:
    assert sorted(path.stem for path in SNAPSHOTS.glob("*.yaml")) == SETS


def _text(objects: list[Manifest]) -> str:
    shared_rules = [yaml.safe_load(text)["rules"] for path, text in files().items() if path.parent.name == "rbac"]
    return yaml.safe_dump_all([_essence(one, shared_rules) for one in objects], sort_keys=False, width=120)


def _essence(one: Manifest, shared_rules: list[object]) -> Manifest:
    """The object without what is shared."""
    part = SHARED.get(one["kind"])
    if part is None and one.get("rules") in shared_rules:
        part = "rules"
    if one["kind"] == "ConfigMap" and one["metadata"]["name"].endswith("-dashboard"):
        one = one | {"data": list(one["data"])}
    known = _without_made(one | ({part: "(shared)"} if part else {}))
    assert isinstance(known, dict)
    return known


def _without_made(node: object) -> object:
    if isinstance(node, dict):
        return {key: "(made)" if key in MADE else _without_made(value) for key, value in node.items()}
    return [_without_made(item) for item in node] if isinstance(node, list) else node
