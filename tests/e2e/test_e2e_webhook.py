"""The admission webhook in its own pod, as `webhook.enabled` starts it: what it refuses, tells, and leaves alone."""

import re
import subprocess

import pytest
import yaml
from clouds import PATIENCE, Cloud, Manifest
from release import NAME, NAMESPACE, ROLLOUT_SECONDS, Release
from running import eventually

from controlplane import KubectlError

DEPLOYMENT = f"deployment/{NAME}-webhook"


def test_it_refuses_what_leads_nowhere_foretells_a_placement_and_stands_in_nobodys_way(
    release: Release, cloud: Cloud
) -> None:
    cloud.up(cloud.pool(2), cloud.flavor(), cloud.image(), cloud.network())
    release.upgrade("webhook.enabled=true")
    release.kubectl("rollout", "status", DEPLOYMENT, "-n", NAMESPACE, f"--timeout={ROLLOUT_SECONDS}s")
    nowhere = cloud.vm(flavorRef={"name": "gold"})
    # The API server takes a registration up within a moment; until then it lets pass.
    eventually(lambda: "would be refused" in _foretold(cloud, nowhere), PATIENCE, lambda: _foretold(cloud, nowhere))
    with pytest.raises(KubectlError, match=r"flavor gold does not exist: create it, or set spec\.flavorRef\.name"):
        cloud.apply(nowhere)
    foretold = re.search(rf"would land on ({cloud.namespace}-\d)", _foretold(cloud, cloud.vm()))
    assert foretold is not None, _foretold(cloud, cloud.vm())
    cloud.up(cloud.vm())
    assert cloud.status("vm")["hostName"] == foretold[1]
    release.kubectl("scale", DEPLOYMENT, "-n", NAMESPACE, "--replicas=0")
    release.kubectl("wait", "--for=delete", "pod", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=webhook")
    cloud.apply({**nowhere, "metadata": {**nowhere["metadata"], "name": "let-pass"}})


def _foretold(cloud: Cloud, manifest: Manifest) -> str:
    """What a dry run is warned of."""
    kubectl = cloud.kubectl
    command = [str(kubectl.path), f"--kubeconfig={kubectl.kubeconfig}", "apply", "--dry-run=server", "-f", "-"]
    done = subprocess.run(command, input=yaml.safe_dump(manifest), capture_output=True, text=True, timeout=60)
    return done.stderr
