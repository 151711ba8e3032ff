"""Whatever has changed, the cached page is the one that would be rendered afresh."""

import asyncio
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from observed_pages import NOW
from observed_worlds import host, migration, vm, volume, world_of

from drover.api.meta import AnyResource
from drover.control.world import World
from drover.observe.state import StatePage, cache
from drover.observe.state.cache import Cache

NAMES = st.sampled_from(["a", "b", "c", "d"])
HOSTS = st.sampled_from(["h1", "h2"])
Step = Callable[[World], object]


@st.composite
def objects(draw: st.DrawFn) -> AnyResource:
    match draw(st.integers(0, 3)):
        case 0:
            on = draw(st.none() | HOSTS)
            return vm(draw(NAMES), draw(st.sampled_from(["Running", "Stopping"])) if on else "Pending", on)
        case 1:
            return host(draw(HOSTS), ready=draw(st.sampled_from(["True", "False"])))
        case 2:
            phase = draw(st.sampled_from(["PreCopy", "Succeeded"]))
            return migration(draw(NAMES), phase, targetHost=draw(HOSTS), vmUID="uid-a")
        case _:
            return volume("data", "ssd", draw(st.sampled_from(["1Gi", "2Gi"])))


@st.composite
def steps(draw: st.DrawFn) -> Step:
    resource = draw(objects())
    match draw(st.sampled_from(["observe", "assume", "settle", "gone"])):
        case "observe":
            return lambda world: world.observe(_newer(resource, world))
        case "assume":
            return lambda world: world.confirmed(resource.key) and world.assume(resource)
        case "settle":
            return lambda world: world.settle(resource.key)
        case _:
            return lambda world: world.gone(resource.key, "")


_versions = iter(range(10**6, 10**9))


def _newer(resource: AnyResource, world: World) -> AnyResource:
    """The object made anew after every deletion: a uid that was buried is not seen again."""
    known = world.confirmed(resource.key)
    version = str(next(_versions))
    uid = known.uid if known is not None else f"uid-{version}"
    metadata = resource.metadata.model_copy(update={"resource_version": version, "uid": uid})
    return resource.model_copy(update={"metadata": metadata})


@settings(max_examples=60)
@given(st.lists(st.lists(steps(), max_size=6), max_size=6))
def test_a_page_that_followed_every_change_is_as_good_as_new(scrapes: list[list[Step]]) -> None:
    async def run() -> None:
        world = world_of()
        page = StatePage(world, lambda: NOW)
        for changes in scrapes:
            for change in changes:
                change(world)
            assert lines(await page.render()) == lines(await StatePage(world, lambda: NOW).render())

    asyncio.run(run())


def lines(parts: list[bytes]) -> list[str]:
    """Sorted: the order in which objects came does not matter."""
    return sorted(b"".join(parts).decode().splitlines())


@given(st.lists(st.tuples(st.integers(0, 5 * cache.OBJECTS), st.booleans()), max_size=60))
def test_a_cache_tells_the_lines_that_were_put_and_not_dropped(changes: list[tuple[int, bool]]) -> None:
    told, expected = Cache(2), {}
    for key in range(3 * cache.OBJECTS):
        told.put(key, (f"a{key}\n", ""))
        expected[key] = f"a{key}"
    for key, put in changes:
        if put:
            told.put(key, (f"b{key}\n", f"c{key}\n"))
            expected[key] = f"b{key}"
        else:
            told.drop(key)
            expected.pop(key, None)
    assert sum(1 for _ in told.join()) <= 6
    assert sorted(b"".join(told.parts(0)).decode().split()) == sorted(expected.values())
    assert told.count(0) == len(expected)
    assert told.count(1) == sum(text.startswith("b") for text in expected.values())
