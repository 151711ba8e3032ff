"""The chart as `helm install drover charts/drover` leaves it: its pod, its pages, and the demo on it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from release import NAME, NAMESPACE, Release

from controlplane import KubectlError

ROOT = Path(__file__).parents[2]
MOST_IDLE_BYTES = 120 * 2**20
SCRAPE = """
import sys, urllib.request
for path in ("/metrics", "/metrics/state", "/readyz"):
    print(urllib.request.urlopen(sys.argv[1] + path, timeout=10).read().decode())
"""


def test_its_pod_is_ready_in_a_restricted_namespace_and_may_write_nothing(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\n  pod Ready and leading {release.seconds_to_ready:.1f} s after the beginning of helm install")
    [pod] = release.pods().values()
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    assert release.execute("id").startswith("uid=65532(drover) gid=65532(drover)")
    with pytest.raises(KubectlError, match="Read-only file system"):
        release.execute("touch", "/opt/drover/file")


def test_idle_it_takes_less_than_120_mib(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    status = release.execute("cat", "/proc/1/status")
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) * 1024
    with capsys.disabled():
        print(f"\n  resident memory {resident / 2**20:.0f} MiB")
    assert resident < MOST_IDLE_BYTES


def test_helm_test_passes(release: Release) -> None:
    assert "Phase:          Succeeded" in release.helm("test", NAME, "--namespace", NAMESPACE)


def test_both_pages_of_metrics_are_scraped_through_the_service_from_another_pod(release: Release) -> None:
    service = json.loads(release.kubectl("get", "service", NAME, "-n", NAMESPACE, "-o", "json"))["spec"]
    pages = release.run("scrape", SCRAPE, f"http://{service['clusterIP']}:{service['ports'][0]['port']}")
    assert re.search(r"^drover_leader(\{.*\})? 1\.0$", pages, re.MULTILINE)
    assert "# TYPE drover_vms gauge" in pages
    assert '"role": "leading"' in pages


def test_the_demo_keeps_its_promises_with_the_operator_in_its_pod(release: Release) -> None:
    context = release.kubectl("config", "current-context").strip()
    demo = [sys.executable, str(ROOT / "hack" / "demo.py")]
    done = subprocess.run(demo, env=os.environ | {"CONTEXT": context}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Deployment {NAMESPACE}/{NAME}" in done.stdout
    assert "All as promised" in done.stdout
