"""The Azure trace is read as documented, and what cannot be read is named by its line."""

from __future__ import annotations

import math

import pytest

from drover.sim.replay import azure
from drover.sim.replay.reading import TraceError

HEADER = "arrive_s,batch,vcpu,mem_gib,life_lo_s,life_hi_s,censored"


def test_lifetimes_come_from_their_bins_and_censored_machines_stay() -> None:
    work = azure.read([HEADER, "600,0,2,3.5,300,600,0", "600,0,1,0.75,900,900,0", "1200,1,8,56.0,300,600,1"])
    assert work.comes.tolist() == [600, 600, 1200]
    assert 900 <= work.goes[0] <= 1200
    assert work.goes[1:].tolist() == [1500, math.inf]
    assert work.sizes.tolist() == [[2000, 3.5 * 2**30], [1000, 0.75 * 2**30], [8000, 56 * 2**30]]
    assert work.end == 1500


def test_the_seed_decides_the_lifetimes() -> None:
    lines = [HEADER, *["0,0,1,1.75,0,3600,0"] * 5]
    one, again, other = (azure.read(lines, seed).goes.tolist() for seed in (0, 0, 1))
    assert one == again != other


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no column arrive_s, vcpu, mem_gib, life_lo_s, life_hi_s, censored among none"),
        (["arrive_s,vcpu,mem_gib"], "no column life_lo_s, life_hi_s, censored among arrive_s, vcpu, mem_gib"),
        ([HEADER], "no rows"),
        ([HEADER, "0,0,1,1.75,0,300"], "line 2 has 6 values, the header has 7"),
        ([HEADER, "0,0,one,1.75,0,300,0"], "'one': all of arrive_s, vcpu, mem_gib"),
        (
            [HEADER, "0,0,1,1.75,0,300,0", "0,0,128,64,0,300,0"],
            "line 3 wants 128 vCPU and 64 GiB; a host has 64 and 128",
        ),
        ([HEADER, "0,0,1,0,0,300,0"], "line 2 wants 1 vCPU and 0 GiB"),
        ([HEADER, *["300,0,1,1,0,300,0"] * 2, "0,0,1,1,0,300,0"], "line 4 arrives before line 3: sort by arrive_s"),
    ],
)
def test_what_cannot_be_read_is_named(lines: list[str], message: str) -> None:
    with pytest.raises(TraceError) as refused:
        azure.read(lines)
    assert message in str(refused.value)
