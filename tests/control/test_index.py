"""Lines are what sorting everything again would give, after any change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from worlds import later, make

from drover.api.meta import AnyResource, Key
from drover.control.world.index import Lines

names = st.sampled_from(["a", "b", "c", "d", "e"])
objects = st.builds(
    lambda line, seconds: (line, seconds) if line else None, st.sampled_from(["", "x", "y"]), st.integers(0, 3)
)


@given(st.lists(st.tuples(names, objects), max_size=40))
def test_a_line_is_in_order_after_any_changes(changes: list[tuple[str, tuple[str, int] | None]]) -> None:
    lines = Lines(lambda vm: [vm.metadata.labels["line"]], order=lambda vm: vm.metadata.creation_timestamp)
    present: dict[str, AnyResource] = {}
    for name, wanted in changes:
        old = present.pop(name, None)
        new = _standing(name, *wanted) if wanted is not None else None
        if old is not None or new is not None:
            lines.replace(old, new)
        if new is not None:
            present[name] = new
    for line in ("x", "y"):
        standing = [vm for vm in present.values() if vm.metadata.labels["line"] == line]
        in_order = sorted(standing, key=lambda vm: (vm.metadata.creation_timestamp, vm.key))
        for number in (0, 1, 3, 9):
            assert lines.first(line, number) == [vm.key for vm in in_order[:number]]
    assert set(lines) == {vm.metadata.labels["line"] for vm in present.values()}


def test_nobody_is_first_in_a_line_that_is_not_there() -> None:
    lines = Lines(lambda vm: [vm.name], order=lambda vm: vm.uid)
    assert lines.first("x", 1) == []
    assert list(lines) == []


def _standing(name: str, line: str, seconds: int) -> AnyResource:
    spec = {"flavorRef": {"name": "small"}, "imageRef": {"name": "debian"}}
    vm = make("VirtualMachine", name, spec, labels={"line": line}, creation_timestamp=later(seconds))
    assert vm.key == Key("VirtualMachine", "default", name)
    return vm
