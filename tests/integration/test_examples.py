"""The examples are what the API server accepts, to the last field."""

from pathlib import Path

from controlplane import Kubectl

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_example_passes_strict_validation(kubectl: Kubectl) -> None:
    namespaces = str(EXAMPLES / "00-namespaces.yaml")
    kubectl("apply", "-f", namespaces)
    try:
        told = _dry_run(kubectl, EXAMPLES)
        of_placement = _dry_run(kubectl, EXAMPLES / "placement")
        policies = _dry_run(kubectl, EXAMPLES / "policies")
        plans = _dry_run(kubectl, EXAMPLES / "plans")
    finally:
        kubectl("delete", "--wait=false", "-f", namespaces)
    assert told.count("virtualmachine.drover.dev/") == 40
    assert told.count("flavor.drover.dev/") == 6
    assert of_placement.count("virtualmachine.drover.dev/") == 4
    for kind in ("priorityclass.scheduling.k8s.io", "placementgroup.drover.dev", "flavor.drover.dev"):
        assert f"{kind}/" in of_placement, kind
    assert policies.count("migrationpolicy.drover.dev/") == 5
    assert plans.count("migrationplan.drover.dev/") == 1


def _dry_run(kubectl: Kubectl, folder: Path) -> str:
    told = kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(folder))
    assert told.count("(server dry run)") == len(told.splitlines())
    return told
