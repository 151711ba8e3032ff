"""What a command does not need it does not load."""

import subprocess
import sys

import pytest


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("heavy", ["kopf", "numpy", "prometheus_client", "oauthlib", "kubernetes.dynamic"])
def test_a_command_that_asks_the_api_server_loads_nothing_of(heavy: str) -> None:
    assert heavy not in loaded_by("drover.cli.status")


def test_the_rest_of_the_official_client_can_still_be_imported() -> None:
    code = "import drover.kube; from kubernetes import client, config; client.CoreV1Api; config.load_kube_config"
    subprocess.run([sys.executable, "-c", code], check=True)
