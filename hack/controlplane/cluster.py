"""One control plane a state directory: start it, find it again, stop it and leave nothing behind.

local     etcd, API server and controller manager started here    (the default)
context   a running cluster, by the name of its kubeconfig context (CONTEXT=)
kind      a kind cluster in a Docker engine                        (PROVIDER=kind)
"""

import http.client
import json
import shutil
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from controlplane import components, foreign, processes
from controlplane.assets import Binaries, find_binaries, find_kubectl, locked
from controlplane.certificates import write_credentials, write_kubeconfig
from controlplane.progress import ControlPlaneError, say, step, tail

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class ControlPlane:
    """A control plane that answers. ``source`` tells a reader where it came from."""

    state: Path
    provider: str
    source: str
    url: str
    kubectl: Path

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of an administrator."""
        return self.state / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """Every write to Drover's kinds, a JSON event a line; only where the API server was started here."""
        return self.state / "audit.log"

    def stop(self) -> None:
        """End what was started for this control plane and remove its state directory."""
        stop(self.state)


@dataclass
class _Record:
    """What state.json remembers, written before and after every process is started."""

    provider: str
    name: str = ""
    source: str = ""
    url: str = ""
    kubectl: str = ""
    pids: dict[str, int] = field(default_factory=dict)

    def save(self, state: Path) -> None:
        unfinished = state / ".state.json"
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n")
        unfinished.replace(state / "state.json")

    def plane(self, state: Path) -> ControlPlane:
        return ControlPlane(state, self.provider, self.source, self.url, Path(self.kubectl))


def start(state: Path, *, context: str = "", provider: str = "") -> ControlPlane:
    """Start or find the control plane of ``state``.

    ``context`` names a running cluster to use instead of starting one; ``provider="kind"`` asks for kind.
    Safe to repeat. Raises ControlPlaneError when it does not come up (after cleaning up), or when ``state``
    belongs to another cluster than the one asked for.
    """
    wanted, name = _wanted(state, context, provider)
    state = state.resolve()
    state.parent.mkdir(parents=True, exist_ok=True)
    with locked(state.parent):
        record = _load(state)
        if record is not None:
            if (record.provider, record.name) != (wanted, name):
                raise ControlPlaneError(
                    f"{state} belongs to the {record.provider} cluster {record.name!r}, not to the "
                    f"{wanted} cluster {name!r} asked for: take it down first"
                )
            if not (missing := _missing(record, state)):
                say(f"already up: {record.source}, {record.url}")
                return record.plane(state)
            say(f"stale: {missing}; starting afresh")
            _remove(state, record)
        return _create(state, _Record(wanted, name))


def stop(state: Path) -> bool:
    """Take down the control plane of ``state``; False if there was none.

    A cluster that CONTEXT= named is forgotten, not touched.
    """
    state = state.resolve()
    if not state.exists():
        return False
    with locked(state.parent):
        record = _load(state)
        if record is None:
            return False
        _remove(state, record)
    return True


def status(state: Path) -> tuple[ControlPlane | None, str]:
    """(the control plane or None, a line that says how it is)."""
    state = state.resolve()
    record = _load(state)
    if record is None:
        return None, "down"
    if missing := _missing(record, state):
        return None, f"broken: {missing}"
    return record.plane(state), f"up: {record.source}, {record.url}"


def _wanted(state: Path, context: str, provider: str) -> tuple[str, str]:
    """(provider, name) of the cluster asked for."""
    if provider not in ("", "local", "kind"):
        raise ControlPlaneError(f"PROVIDER={provider}: known are local and kind")
    if context and provider:
        raise ControlPlaneError(f"CONTEXT={context} and PROVIDER={provider} exclude each other")
    if context:
        return "context", context
    if provider == "kind":
        foreign.require_kind()
        return "kind", foreign.kind_name(state)
    return "local", "drover"


def _create(state: Path, record: _Record) -> ControlPlane:
    begin = {"local": _start_local, "context": _use_context, "kind": _start_kind}[record.provider]
    state.mkdir(mode=0o700, exist_ok=True)
    record.save(state)
    try:
        begin(state, record)
        record.save(state)
    except BaseException:
        _remove(state, record)
        raise
    return record.plane(state)


def _use_context(state: Path, record: _Record) -> None:
    kubectl = find_kubectl()
    record.kubectl, record.source = str(kubectl), f"the cluster of CONTEXT={record.name}"
    record.url = foreign.use_context(kubectl, record.name, state / "kubeconfig")
    say(f"using {record.source}, {record.url}")


def _start_kind(state: Path, record: _Record) -> None:
    kubectl = find_kubectl()
    record.kubectl, record.source = str(kubectl), f"kind cluster {record.name}"
    record.url = foreign.start_kind(kubectl, record.name, state / "kubeconfig")
    say(f"using {record.source}, {record.url}")


def _start_local(state: Path, record: _Record) -> None:
    binaries = find_binaries()
    record.source, record.kubectl = binaries.source, str(binaries.kubectl)
    say(f"using {binaries.source}")
    with step("starting etcd, kube-apiserver and kube-controller-manager"):
        _start_components(state, record, binaries)
    say(f"up: {record.url}, KUBECONFIG={state}/kubeconfig")


def _start_components(state: Path, record: _Record, binaries: Binaries) -> None:
    port, etcd_port, peer_port = _free_ports(3)
    record.url = f"https://127.0.0.1:{port}"
    credentials = state / "credentials"
    credentials.mkdir()
    write_credentials(credentials)
    write_kubeconfig(state / "kubeconfig", record.url, credentials)
    (state / "audit-policy.yaml").write_text(components.AUDIT_POLICY)
    # The API server retries etcd by itself, so the two start side by side.
    _launch("etcd", components.etcd(binaries, state, etcd_port, peer_port), state, record)
    _launch("kube-apiserver", components.apiserver(binaries, state, port, etcd_port), state, record)
    _await_ready(state, record, lambda: _answers(state, record.url, "/readyz"))
    _launch("kube-controller-manager", components.controller_manager(binaries, state), state, record)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    _await_ready(state, record, lambda: _answers(state, record.url, account))


def _launch(name: str, command: list[str], state: Path, record: _Record) -> None:
    record.pids[name] = processes.spawn(command, state / f"{name}.log")
    record.save(state)


def _await_ready(state: Path, record: _Record, ready: Callable[[], bool]) -> None:
    """Wait for ``ready``; ControlPlaneError with the end of a log when a component dies or time runs out."""
    deadline = time.monotonic() + _READY_SECONDS
    while not ready():
        for name, pid in record.pids.items():
            if not processes.running(pid, state):
                raise ControlPlaneError(f"{name} ended; its last lines:\n{tail(state / f'{name}.log')}")
        if time.monotonic() > deadline:
            name = list(record.pids)[-1]
            log = tail(state / f"{name}.log")
            raise ControlPlaneError(f"{name} is not ready after {_READY_SECONDS:.0f} s; its last lines:\n{log}")
        time.sleep(_POLL_SECONDS)


def _answers(state: Path, url: str, path: str) -> bool:
    """Whether a GET by the administrator is answered with 200. No HTTP proxy is ever asked."""
    credentials = state / "credentials"
    try:
        tls = ssl.create_default_context(cafile=str(credentials / "ca.crt"))
        tls.load_cert_chain(credentials / "admin.crt", credentials / "admin.key")
        connection = http.client.HTTPSConnection(url.removeprefix("https://"), context=tls, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False


def _missing(record: _Record, state: Path) -> str:
    """What keeps a recorded control plane from being used; empty when it is well."""
    if record.provider != "local":
        kubeconfig = state / "kubeconfig"
        return "" if kubeconfig.exists() and record.url else "it was never finished"
    for name in ("etcd", "kube-apiserver", "kube-controller-manager"):
        if name not in record.pids or not processes.running(record.pids[name], state):
            return f"{name} is gone"
    return "" if _answers(state, record.url, "/readyz") else "the API server does not answer"


def _remove(state: Path, record: _Record) -> None:
    """End the processes, last started first, then delete the directory."""
    if record.provider == "kind":
        foreign.stop_kind(record.name)
    for pid in reversed(record.pids.values()):
        processes.kill(pid, state)
    shutil.rmtree(state)


def _load(state: Path) -> _Record | None:
    """The record of a state directory; None when nothing is there. Refuses a directory that is not ours."""
    try:
        return _Record(**json.loads((state / "state.json").read_text()))
    except FileNotFoundError:
        if state.exists() and any(state.iterdir()):
            raise ControlPlaneError(f"{state} is not empty and holds no control plane: left alone") from None
        return None


def _free_ports(count: int) -> list[int]:
    """Ports free on the loopback address just now; all held until the last is known, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
