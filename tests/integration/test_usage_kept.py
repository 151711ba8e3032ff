"""Metering on the real API server: what records, reports and the archive say is what really was."""

from __future__ import annotations

import csv
import json
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from audit import Audit
from clouds import Cloud, changes_of
from running import eventually
from test_commands import drover, error, out, service_account

from conftest import Operator
from controlplane import ControlPlane, Kubectl
from drover.api.kinds import parse
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import VirtualMachine
from drover.control.driver import Pace
from drover.control.metering.daily import sums_of_record
from drover.control.metering.report import damage
from drover.kube.archive import Archive
from drover.model.usage import Line, Sums
from drover.sim.bystander import Bystander

ARCHIVE = Path(tempfile.mkdtemp(prefix="drover-usage-"))
OPTIONS = ("--usage-archive", str(ARCHIVE))
PACE = Pace(seed=1, time_scale=50.0)
GONE = 30.0
"""Seconds."""


@pytest.fixture(autouse=True, scope="module")
def archive() -> Iterator[Archive]:
    yield Archive(ARCHIVE)
    subprocess.run(["rm", "-r", str(ARCHIVE)], check=True)


@contextmanager
def bystander_of(cloud: Cloud, lives: int) -> Iterator[Bystander]:
    """Sees every version of the cloud's VMs, until so many of them are gone."""
    bystander, gone = Bystander(PACE), set[str]()
    with changes_of(cloud, "VirtualMachine") as changes:

        def look() -> None:
            for change in changes:
                vm = cast(VirtualMachine, parse(change.object))
                bystander.see(vm)
                if change.type == "DELETED":
                    gone.add(vm.uid)
                if len(gone) == lives:
                    return

        thread = threading.Thread(target=look)
        thread.start()
        yield bystander
        thread.join(GONE)
        assert not thread.is_alive(), f"{len(gone)} of {lives} VMs are gone"


def recorded(cloud: Cloud) -> list[UsageRecord]:
    return [cast(UsageRecord, parse(raw)) for raw in cloud.list("usagerec")]


def running(records: list[UsageRecord]) -> Sums:
    sums = Sums()
    for record in records:
        sums += sums_of_record(record)
    return Counter({key: amount for key, amount in sums.items() if key[1].state == "Running"})


def await_gone(cloud: Cloud, kind: str) -> None:
    eventually(lambda: not cloud.list(kind), GONE, lambda: json.dumps(cloud.list(kind), indent=1))


def assert_archived(cloud: Cloud, archive: Archive, records: list[UsageRecord]) -> None:
    rows = list(archive.read(cloud.namespace))
    for record in records:
        assert record.status.archive is not None
        month = [row for row in rows if row.day.startswith(record.spec.month)]
        assert record.status.archive.rows == len(month)
        assert damage(record, month) == ""


def test_a_short_life_is_in_the_record_the_report_and_the_archive(
    cloud: Cloud, cluster: ControlPlane, archive: Archive, audit: Audit
) -> None:
    cloud.up(cloud.pool(1), cloud.flavor(), cloud.image(), cloud.network())
    disk = {"name": "data", "template": {"size": "10Gi"}}
    with bystander_of(cloud, 1) as bystander:
        cloud.up(cloud.vm(volumes=[disk]))
        table = out(drover(cluster, "usage", "-n", cloud.namespace))
        assert "Active instances: 1, active RAM: 2Gi" in table
        cloud.kubectl("delete", "vm", "vm", "-n", cloud.namespace)
        await_gone(cloud, "vol")
    records = recorded(cloud)
    truth = bystander.truth()[cloud.namespace]
    assert len(bystander.down) == 1
    assert running(records) == truth
    assert {row.meter for record in records for row in record.status.sums} >= {"vcpu", "memory", "instance", "volume"}
    assert_archived(cloud, archive, records)
    _assert_reported(cluster, cloud, truth)
    shown = cloud.shown("usagerec", records[0].name)
    assert float(shown["INSTANCE-H"]) >= 0
    assert shown["MONTH"] == records[0].spec.month
    writes = [w for w in audit.writes() if (w.namespace, w.resource) == (cloud.namespace, "usagerecords")]
    assert 1 < len(writes) <= 6, "a creation, and a status for each of VM, volume and network at most"


def _assert_reported(cluster: ControlPlane, cloud: Cloud, truth: Sums) -> None:
    """The commands tell the same, though the VM is gone."""
    instance = sum(
        amount for (_, line), amount in truth.items() if line == Line("instance", cloud.namespace, "Running")
    )
    for by in ("namespace", "flavor", "day"):
        rows = json.loads(out(drover(cluster, "usage", "-n", cloud.namespace, "--by", by, "-o", "json")))
        assert sum(int(row["instance"]) for row in rows) == instance
    dated = ("usage", "-n", cloud.namespace, "--by", "vm", "--archive", ARCHIVE)
    (row,) = json.loads(out(drover(cluster, *dated, "-o", "json")))
    assert (row["vm"], int(row["instance"])) == ("vm", instance)
    focus = list(csv.DictReader(out(drover(cluster, "usage", "-n", cloud.namespace, "-o", "focus")).splitlines()))
    hours = [float(row["ConsumedQuantity"]) for row in focus if row["SkuMeter"] == "instance Running"]
    assert round(sum(hours) * 3_600_000) == instance


def test_a_tenant_sees_its_own_usage_and_no_others(
    cloud: Cloud, cluster: ControlPlane, kubectl: Kubectl, tmp_path: Path
) -> None:
    cloud.up(cloud.pool(1), cloud.flavor(), cloud.image(), cloud.network(), cloud.vm())
    tenant = service_account(kubectl, cluster, cloud.namespace, tmp_path / "kubeconfig")
    kinds = ",".join(f"{kind}.drover.dev" for kind in ("virtualmachines", "volumes", "networks", "usagerecords"))
    kubectl("create", "role", "reader", "--verb=list", f"--resource={kinds}", "-n", cloud.namespace)
    who = ("--role=reader", f"--serviceaccount={cloud.namespace}:reader", "-n", cloud.namespace)
    kubectl("create", "rolebinding", "reader", *who)
    own = drover(cluster, "usage", "-n", cloud.namespace, "--by", "vm", "-o", "json", kubeconfig=tenant)
    (row,) = json.loads(out(own))
    assert (row["namespace"], row["vm"]) == (cloud.namespace, "vm")
    refused = error(drover(cluster, "usage", kubeconfig=tenant))
    assert "refuses these credentials (403: virtualmachines.drover.dev is forbidden" in refused


def test_a_deleted_namespace_goes_and_its_estate_tells_of_it(cloud: Cloud, cluster: ControlPlane) -> None:
    cloud.up(cloud.pool(1), cloud.flavor(), cloud.image(), cloud.network(), cloud.vm())
    cloud.kubectl("delete", "namespace", cloud.namespace, "--timeout=60s")
    rows = json.loads(out(drover(cluster, "usage", "-o", "json")))
    (row,) = (row for row in rows if row["namespace"] == cloud.namespace)
    assert int(row["instance"]) > 0
    assert int(row["address"]) > 0
    cloud.kubectl("create", "namespace", cloud.namespace)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_after_twenty_sigkills_every_vm_is_recorded_once_and_to_the_millisecond(
    operator: Operator, cloud: Cloud, archive: Archive
) -> None:
    cloud.up(cloud.pool(2), cloud.flavor(), cloud.image(), cloud.network())
    lives, at_once = 20, 3
    with bystander_of(cloud, lives * at_once) as bystander:
        for life in range(lives):
            cloud.apply(*(cloud.vm(f"vm-{life}-{number}") for number in range(at_once)))
            if life:
                names = [f"vm-{life - 1}-{number}" for number in range(at_once)]
                cloud.kubectl("delete", "vm", *names, "-n", cloud.namespace, "--wait=false")
            time.sleep(0.3 * (life % 5))  # each kill at another moment
            operator.crash()
            operator.start()
        cloud.kubectl("delete", "vm", "--all", "-n", cloud.namespace, "--wait=false")
        await_gone(cloud, "vm")
    records = recorded(cloud)
    assert len(bystander.began) == len(bystander.down)
    assert len(bystander.down) >= 40
    assert running(records) == bystander.truth()[cloud.namespace]
    assert_archived(cloud, archive, records)
