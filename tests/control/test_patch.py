"""JSON merge patches: the least that turns one document into another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.control.engine.patch import apply_merge_patch, merge_patch

SCALARS = st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
"""Documents without nulls: what ``dump`` makes."""


@given(DOCUMENTS, DOCUMENTS)
def test_applying_the_patch_from_old_to_new_gives_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert apply_merge_patch(old, merge_patch(old, new)) == new


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_is_empty_only_between_equal_documents(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert (merge_patch(old, new) == {}) == (old == new)


@given(DOCUMENTS, DOCUMENTS)
def test_the_patch_names_only_members_that_differ(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert all(old.get(name) != new.get(name) for name in merge_patch(old, new))


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_patches_apply_as_the_examples_of_rfc_7386(target: object, patch: object, merged: object) -> None:
    assert apply_merge_patch(target, patch) == merged


def test_applying_leaves_the_document_as_it_is() -> None:
    target = {"a": {"b": 1}}
    apply_merge_patch(target, {"a": {"b": 2}})
    assert target == {"a": {"b": 1}}
