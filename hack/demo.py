"""``make demo``: a modelled data centre on a real API server, and one host drained by live migration.

Starts a control plane of its own (or uses the cluster that CONTEXT= names), installs the CRDs, runs the operator,
applies ``examples/``, watches 39 of 40 VMs come up and one say why it cannot, rehearses a drain, drains, and sums up.
Where the cluster has an operator already, a Deployment of the chart, that one does the work.
Exits with 0 only if all went as promised. KEEP=1 leaves everything up; PICTURE=file.svg saves the screen in mid-drain.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

import demo_view as view
from controlplane import ControlPlane, ControlPlaneError, Kubectl, KubectlError, install_crds, start
from demo_state import Manifest, Snapshot, message, name_of, phase
from operatorpods import OperatorPods
from operatorprocess import OperatorError, OperatorProcess

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
STATE = ROOT / ".cache" / "demo"
LOG = ROOT / ".cache" / "demo-operator.log"
NAMESPACES = ("shop", "data", "batch")
OPERATOR_NAMESPACE = "drover-system"
DRAINED = "highmem-0"
TOO_LARGE = "0/24 hosts available: 24 physically too small"
"""What the VM that cannot fit says, before and after the drain: it is not woken for what would not help it."""
MEND = "; it would fit: flavor "
"""And how it goes on: what would help depends on the room there is."""
PATIENCE_SECONDS = 90.0
POLL_SECONDS = 0.25
PLAIN_WIDTH = 100
Operator = OperatorProcess | OperatorPods


def main() -> int:
    begun = time.monotonic()
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    try:
        plane = start(STATE, context=os.environ.get("CONTEXT", ""), provider=os.environ.get("PROVIDER", ""))
    except ControlPlaneError as error:
        console.print(str(error), style="red", highlight=False)
        return 1
    broken = _on(plane, console)
    if broken:
        console.print(f"\nNot as promised (the operator's log: {LOG}):", style="bold red", highlight=False)
        for what in broken:
            console.print(f"  - {what}", highlight=False)
        return 1
    seconds = time.monotonic() - begun
    console.print(f"\n[bold green]All as promised, in {seconds:.0f} s.[/]", highlight=False)
    return 0


def _on(plane: ControlPlane, console: Console) -> list[str]:
    """Run the demo on a control plane; returns what was not as promised."""
    kubectl, operator = Kubectl(plane.kubectl, plane.kubeconfig), None
    try:
        operator = OperatorPods.find(kubectl, LOG) or _start(kubectl, plane)
        console.print(f"the operator: {operator.whereabouts}", highlight=False)
        operator.await_leading()
        return Demo(kubectl, operator, console).run()
    except (KubectlError, OperatorError) as error:
        return [str(error)]
    finally:
        if os.environ.get("KEEP") and operator is not None:
            _tell_how_to_look(plane, operator, console)
        else:
            _take_down(plane, kubectl, operator)


def _start(kubectl: Kubectl, plane: ControlPlane) -> OperatorProcess:
    """Install what an operator needs, and start one here."""
    install_crds(kubectl, ROOT / "crds")
    kubectl("apply", "--server-side", "-f", str(ROOT / "config" / "admission"))
    return OperatorProcess(plane.kubeconfig, LOG)


class Demo:
    """The steps, and what was promised of them."""

    def __init__(self, kubectl: Kubectl, operator: Operator, console: Console) -> None:
        self._kubectl = kubectl
        self._operator = operator
        self._console = console

    def run(self) -> list[str]:
        with view.Screen(self._console) as screen:
            screen.say("applying examples/: 24 hosts in 3 zones, 6 flavors, 40 VMs in 3 namespaces")
            self._kubectl("apply", "-f", str(EXAMPLES))
            up = self._watch(screen, _as_wanted)
            patches = self._patches()
            screen.say(f"rehearsing: what would draining {DRAINED} take?")
            self._kubectl("apply", "-f", str(EXAMPLES / "maintenance" / "1-rehearse.yaml"))
            planned = self._watch(screen, lambda now: phase(now.plan("rehearsal")) != "Pending")
            screen.say(message(planned.plan("rehearsal")))
            screen.say(f"draining {DRAINED}: {', '.join(planned.on_host(DRAINED))}")
            drain = EXAMPLES / "maintenance" / "2-drain.yaml"
            self._kubectl("patch", "host", DRAINED, "--type=merge", f"--patch-file={drain}")
            end = self._watch(screen, lambda now: phase(now.host(DRAINED)) == "Maintenance" and _drained(now))
        self._sum_up(end, patches)
        return _broken_promises(up, end, planned.on_host(DRAINED))

    def _watch(self, screen: view.Screen, until: Callable[[Snapshot], bool]) -> Snapshot:
        """Show what happens until it is so, or patience ends: what is missing then, the promises tell."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            now = Snapshot.read(self._kubectl, NAMESPACES)
            screen.show(now)
            self._take_picture(now)
            if until(now) or time.monotonic() > deadline:
                return now
            time.sleep(POLL_SECONDS)

    def _take_picture(self, now: Snapshot) -> None:
        """With PICTURE=file.svg, the last moment at which most of the drain is under way."""
        path = os.environ.get("PICTURE")
        if path and sum(phase(migration) == "PreCopy" for migration in now.migrations) > 1:
            Path(path).write_text(view.picture(now), encoding="utf-8")

    def _patches(self) -> dict[str, int]:
        """PATCHes so far, by kind."""
        return {kind: count for (verb, kind), count in self._operator.requests().items() if verb == "patch"}

    def _sum_up(self, end: Snapshot, patches: dict[str, int]) -> None:
        for table in (view.phases_table(end), view.hosts_table(end), view.migrations_table(end)):
            self._console.print()
            self._console.print(table)
        self._console.print()
        for line in (
            *(view.plan_line(plan) for plan in _drain_plans(end)),
            *(f"{name_of(vm)} cannot run: {message(vm)}" for vm in _unschedulable(end)),
            view.patches_line(patches, self._patches(), len(end.vms)),
        ):
            self._console.print(line, highlight=False)


def _drain_plans(now: Snapshot) -> list[Manifest]:
    return [plan for plan in now.plans if plan["spec"].get("hostName") == DRAINED and name_of(plan) != "rehearsal"]


def _drained(now: Snapshot) -> bool:
    plans = _drain_plans(now)
    return bool(plans) and all("endTimestamp" in plan["status"] for plan in plans)


def _unschedulable(now: Snapshot) -> list[Manifest]:
    return [vm for vm in now.vms if phase(vm) == "Unschedulable"]


def _broken_promises(up: Snapshot, end: Snapshot, moved: list[str]) -> list[str]:
    """Everything that is not as the demo promises; ``up`` before the drain, ``end`` after it."""
    reasons = [message(vm).partition(MEND) for vm in (*_unschedulable(up), *_unschedulable(end))]
    succeeded = sorted(str(m["spec"]["virtualMachineName"]) for m in end.migrations if phase(m) == "Succeeded")
    promises = {
        f"39 VMs Running and 1 Unschedulable at first, not {dict(up.phases)}": _as_wanted(up),
        f"the same after the drain, not {dict(end.phases)}": _as_wanted(end),
        f"the one that cannot fit says why, not {reasons}": [(why, mend) for why, mend, _ in reasons]
        == 2 * [(TOO_LARGE, MEND)],
        f"{DRAINED} in Maintenance, not {phase(end.host(DRAINED))}": phase(end.host(DRAINED)) == "Maintenance",
        f"{DRAINED} empty, not with {end.on_host(DRAINED)}": bool(moved) and not end.on_host(DRAINED),
        f"each of {moved} migrated at once, not {_told(end)}": succeeded == moved and len(end.migrations) == len(moved),
        f"plans Succeeded, not {[phase(p) for p in _drain_plans(end)]}": all(
            phase(plan) == "Succeeded" for plan in _drain_plans(end)
        ),
    }
    return [promise for promise, kept in promises.items() if not kept]


def _as_wanted(now: Snapshot) -> bool:
    return now.phases == {"Running": 39, "Unschedulable": 1}


def _told(now: Snapshot) -> list[str]:
    return [f"{m['spec']['virtualMachineName']} {phase(m)}" for m in now.migrations]


def _tell_how_to_look(plane: ControlPlane, operator: Operator, console: Console) -> None:
    cache = plane.state / "kubectl-cache"
    for line in (
        f"\nLeft up, with the operator ({operator.whereabouts}). Look around with",
        f"  export KUBECONFIG={plane.kubeconfig} KUBECACHEDIR={cache} PATH={plane.kubectl.parent}:$PATH",
        "  kubectl get drover -A",
        "and take it down with",
        f"  {operator.ending}PYTHONPATH=hack .venv/bin/python -m controlplane down --state {STATE}",
    ):
        console.print(line, highlight=False, soft_wrap=True)


def _take_down(plane: ControlPlane, kubectl: Kubectl, operator: Operator | None) -> None:
    """End everything. A cluster that CONTEXT= named keeps Drover's CRDs, and nothing else of the demo."""
    try:
        if plane.provider == "context" and operator is not None:
            _remove_examples(kubectl)
    finally:
        if operator is not None:
            operator.stop()
        plane.stop()


def _remove_examples(kubectl: Kubectl) -> None:
    unprotect = '{"spec":{"deletionProtection":false}}'
    kubectl("patch", "vm", "db-1", "-n", "data", "--type=merge", "-p", unprotect)
    kubectl("patch", "image", "postgres-17", "-n", "data", "--type=merge", "-p", '{"spec":{"protected":false}}')
    kubectl("delete", "mplan", "-n", OPERATOR_NAMESPACE, f"--field-selector=spec.hostName={DRAINED}")
    kubectl("delete", "-f", str(EXAMPLES), "--ignore-not-found")


if __name__ == "__main__":
    sys.exit(main())
