"""Probes and the metrics page, over HTTP."""

import aiohttp
import pytest
from observed_worlds import vm, world_of

from drover.observe.health import Health, application, serving
from drover.observe.metrics import Metrics

LEADER = Health(True, "leading", "drover-0", 3, 0.1)
STANDBY = Health(True, "standby", "drover-1", 0, 0.1)
STARTING = Health(False, "standby", "drover-0", 0, 0.1)
STALLED = Health(True, "leading", "drover-0", 3, 31.0)


async def get(health: Health, path: str, **headers: str) -> tuple[int, str]:
    app = application(lambda: health, Metrics("ns/drover", "drover-0"), world_of(vm("web", "Running")))
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


async def test_only_the_leader_exposes_the_state_of_the_data_centre() -> None:
    _, leader = await get(LEADER, "/metrics")
    _, standby = await get(STANDBY, "/metrics")
    assert 'drover_vms{namespace="team-a",phase="Running"} 1' in leader
    assert "drover_vms" not in standby
    assert "drover_build_info" in leader
    assert "drover_build_info" in standby


async def test_the_page_is_compressed_for_those_who_take_it() -> None:
    plain = await get(LEADER, "/metrics", **{"Accept-Encoding": "identity"})
    zipped = await get(LEADER, "/metrics", **{"Accept-Encoding": "gzip"})
    assert plain[0] == zipped[0] == 200
    assert "drover_vm_info" in plain[1]
    assert "drover_vm_info" in zipped[1]
