"""Probes and the metrics page, over HTTP."""

import aiohttp
import pytest
from observed_pages import NOW
from observed_worlds import vm, world_of

from drover.observe.health import Health, application, serving
from drover.observe.metrics import Metrics
from drover.observe.state import StatePage

LEADER = Health(True, "leading", "drover-0", 3, 0.1)
STANDBY = Health(True, "standby", "drover-1", 0, 0.1)
STARTING = Health(False, "standby", "drover-0", 0, 0.1)
STALLED = Health(True, "leading", "drover-0", 3, 31.0)


async def get(health: Health, path: str, **headers: str) -> tuple[int, str]:
    page = StatePage(world_of(vm("web", "Running")), lambda: NOW)
    app = application(lambda: health, Metrics("ns/drover", "drover-0"), lambda: page)
    async with (
        serving(app, "127.0.0.1", 0) as url,
        aiohttp.ClientSession() as session,
        session.get(url + path, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("health", "healthz", "readyz"),
    [
        pytest.param(LEADER, 200, 200, id="a leader"),
        pytest.param(STANDBY, 200, 200, id="a warm standby"),
        pytest.param(STARTING, 200, 503, id="one that has not listed everything"),
        pytest.param(STALLED, 503, 503, id="one whose loop hangs"),
    ],
)
async def test_probes_tell_alive_from_ready(health: Health, healthz: int, readyz: int) -> None:
    assert (await get(health, "/healthz"))[0] == healthz
    status, body = await get(health, "/readyz")
    assert status == readyz
    assert f'"role": "{health.role}"' in body


async def test_only_the_leader_tells_the_state_of_the_data_centre() -> None:
    status, page = await get(LEADER, "/metrics/state")
    assert status == 200
    assert 'drover_vms{namespace="team-a",phase="Running"} 1' in page
    status, page = await get(STANDBY, "/metrics/state")
    assert status == 503
    assert page == "drover-1 is standby: only the leader tells the state\n"


@pytest.mark.parametrize("health", [LEADER, STANDBY])
async def test_every_replica_tells_of_itself_and_of_nothing_else(health: Health) -> None:
    status, page = await get(health, "/metrics")
    assert status == 200
    assert "drover_build_info{" in page
    assert "drover_vms{" not in page


async def test_how_long_a_page_took_is_told_by_the_next_scrape() -> None:
    metrics = Metrics()
    page = StatePage(world_of(vm("web", "Running")), lambda: NOW)
    app = application(lambda: LEADER, metrics, lambda: page)
    async with (
        serving(app, "127.0.0.1", 0) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/metrics/state"),
    ):
        assert metrics.registry.get_sample_value("drover_metrics_render_duration_seconds_count") == 1


@pytest.mark.parametrize("path", ["/metrics", "/metrics/state"])
async def test_a_page_is_compressed_for_those_who_take_it(path: str) -> None:
    plain = await get(LEADER, path, **{"Accept-Encoding": "identity"})
    zipped = await get(LEADER, path, **{"Accept-Encoding": "gzip"})
    families = [{line for line in page.splitlines() if line.startswith("# TYPE")} for _, page in (plain, zipped)]
    assert plain[0] == zipped[0] == 200
    assert families[0] == families[1] != set()
