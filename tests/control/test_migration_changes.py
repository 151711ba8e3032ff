"""What changes while a copy is under way: its guest, its hosts' cards, the pool's clock. It goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moves import migrating, outcome_of, under_way, world
from worlds import HARDWARE, NOW, host, later, migration, pool, taken

from drover.api.meta import AnyResource
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.driver import Command, Copying, Simulated
from drover.control.virtualmachinemigration.controller import reconcile
from drover.control.virtualmachinemigration.status import progress_of

BUSY = migrating(model={"hotSet": "512Mi", "dirtyRate": "200Mi"})
SLOW = HARDWARE | {"nics": [{"name": "eth0", "bandwidth": "125M"}]}
CHANGES: dict[str, AnyResource] = {
    "writes less": migrating(model={"hotSet": "512Mi", "dirtyRate": "0"}),
    "writes nothing": migrating(model={"hotSet": "0", "dirtyRate": "0"}),
    "all is hot": migrating(model={"hotSet": "4Gi", "dirtyRate": "200Mi"}),
    "fewer zeros": migrating(model={"hotSet": "512Mi", "dirtyRate": "200Mi", "zeroPageRatio": "0"}),
    "all zeros": migrating(model={"zeroPageRatio": "1"}),
    "slower source": host("p1-0", hardware=SLOW),
    "slower target": host("p1-1", hardware=SLOW),
    "another clock": pool(driver={"timeScale": "10"}),
}


def reported(*objects: AnyResource, at: float = 2) -> VirtualMachineMigration:
    """The migration once the first report of its copy is written."""
    subject = migration(status=under_way("PreCopy"))
    seen = world(*objects, subject)
    (command,) = reconcile(subject, seen, NOW).work
    driver = Simulated()
    driver.submit(command)
    (report,) = driver.completed(later(at))
    seen.complete(report)
    return taken(seen, subject, reconcile(subject, seen, later(at)))


@pytest.mark.parametrize("changed", CHANGES)
def test_a_copy_goes_on_from_its_last_report_whatever_has_changed(changed: str) -> None:
    subject = reported(BUSY)
    sent = progress_of(subject).processed_bytes
    assert sent > 0
    (command,) = outcome_of(subject, BUSY, CHANGES[changed], at=3).work
    reports = list(played(command))
    assert reports[0].state.processed >= sent
    assert reports[-1].decision is not None
    for report in reports:
        assert 0 <= report.state.left.nonzero <= report.setting.memory.nonzero_pages * (1 + 1e-9)
        assert min((*report.state.left.hot, report.state.left.cold, report.state.remaining)) >= 0


def played(command: Command) -> Iterator[Copying]:
    """What a driver reports of a copy that it takes up, to its end."""
    driver = Simulated()
    driver.submit(command)
    while (due := driver.next_due()) is not None:
        for report in driver.completed(due):
            assert isinstance(report.result, Copying)
            yield report.result
