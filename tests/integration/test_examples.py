"""The examples are what the API server accepts, to the last field."""

from pathlib import Path

from controlplane import Kubectl

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_example_passes_strict_validation(kubectl: Kubectl) -> None:
    namespaces = str(EXAMPLES / "00-namespaces.yaml")
    kubectl("apply", "-f", namespaces)
    try:
        told = kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(EXAMPLES))
    finally:
        kubectl("delete", "--wait=false", "-f", namespaces)
    assert told.count("(server dry run)") == len(told.splitlines())
    assert told.count("virtualmachine.drover.dev/") == 40
    assert told.count("flavor.drover.dev/") == 6
