"""Manifests are taken as kubectl takes them; what is none is one line that names file and place."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from cliobjects import Wire
from hypothesis import given, settings
from hypothesis import strategies as st

from drover.cli.manifests import ManifestError, read

VM: Wire = {
    "apiVersion": "drover.dev/v1alpha1",
    "kind": "VirtualMachine",
    "metadata": {"name": "a"},
    "spec": {"flavorRef": {"name": "small"}, "imageRef": {"name": "debian"}},
}
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
KEYS = st.sampled_from(["kind", "metadata", "items", "spec", "name", "apiVersion"])
VALUES = st.recursive(
    SCALARS | st.sampled_from(["List", "VirtualMachine", "Host"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (7, "document 2 is no object: give it apiVersion, kind, metadata and spec"),
        ([VM], "document 2 is no object"),
        ({"spec": {}}, "document 2: kind is no word: name one, as VirtualMachine"),
        ({**VM, "kind": ["a"]}, "document 2: kind is no word"),
        ({**VM, "metadata": "x"}, "document 2: metadata is no object: write name: NAME under it"),
        ({"kind": "List", "items": 7}, "document 2: items is no list"),
        ({"kind": "List", "items": [VM, 1]}, "document 2, item 2 is no object"),
        ({"kind": "List", "items": [{**VM, "kind": 1}]}, "document 2, item 1: kind is no word"),
        ({**VM, "spec": {**VM["spec"], "flavour": 1}}, "VirtualMachine a: spec.flavour: unknown field; leave it out"),
        ({**VM, "spec": 7}, "VirtualMachine a: spec: Input should be a valid dict"),
    ],
)
def test_what_is_no_object_is_named_by_file_and_document(document: Any, told: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump_all([VM, document]))
    with pytest.raises(ManifestError) as refused:
        list(read(path))
    assert str(refused.value).startswith(f"{path}: {told}")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a: \xff", "can't decode byte 0xff"),
        (b"a: [", "while parsing a flow node"),
        (b"a: 2026-13-45", "month must be in 1..12"),
    ],
)
def test_what_is_no_yaml_is_one_line(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(ManifestError) as refused:
        list(read(path))
    assert str(refused.value).startswith(f"{path}: ")
    assert told in str(refused.value)
    assert str(refused.value).endswith(": write it as YAML in UTF-8")
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    for path, name in ((tmp_path, tmp_path / "x.yaml"), (tmp_path / "none", tmp_path / "none")):
        with pytest.raises(ManifestError, match=rf"^{name}: .*: name readable YAML files"):
            list(read(path))


def test_lists_and_empty_documents_are_taken_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    lists: list[Wire] = [{"kind": "List", "items": None}, {"kind": "List", "items": [VM, VM]}]
    path.write_text(yaml.safe_dump_all([None, *lists, VM]))
    assert list(read(path)) == [VM] * 3


def test_metadata_that_is_empty_is_left_to_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump({**VM, "metadata": None}))
    assert [manifest["metadata"] for manifest in read(path)] == [{}]


@given(st.lists(VALUES, max_size=3))
@settings(max_examples=200)
def test_whatever_it_holds_a_file_gives_objects_or_is_refused(documents: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.yaml"
        path.write_text(yaml.safe_dump_all(documents))
        with suppress(ManifestError):
            for manifest in read(path):
                assert isinstance(manifest["kind"], str)
                assert isinstance(manifest["metadata"], dict)
