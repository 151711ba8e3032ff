"""``drover admission``: the optional webhook."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from drover.api.meta import OPERATOR_NAMESPACE
from drover.cli.server import Context, Kubeconfig, namespace_name
from drover.cli.service import until_stopped
from drover.control.admission import Enforcement, Rules
from drover.kube.admission.process import Options
from drover.kube.admission.process import run as run_admission
from drover.kube.connection import Connection
from drover.observe import logs


def admission(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        str,
        typer.Option(callback=namespace_name, help="Namespace of the operator: plans that drain hosts are made there."),
    ] = OPERATOR_NAMESPACE,
    references: Annotated[
        Enforcement,
        typer.Option(help="Names of objects that do not exist, or that cannot be used: refuse, or warn."),
    ] = "Deny",
    capacity: Annotated[Enforcement, typer.Option(help="VMs that no host has room for now: refuse, or warn.")] = "Deny",
    cert_file: Annotated[
        Path, typer.Option(dir_okay=False, help="Certificate to serve with, in PEM; read again when it is renewed.")
    ] = Path("/etc/drover/certificate/tls.crt"),
    key_file: Annotated[Path, typer.Option(dir_okay=False, help="Its key, in PEM.")] = Path(
        "/etc/drover/certificate/tls.key"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the webhook, at path /review.")] = 9443,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of /healthz, /readyz, /metrics; 0 for any free one.")
    ] = 8080,
    log_format: Annotated[logs.Format, typer.Option(help="How to log.")] = "text",
    log_level: Annotated[logs.Level, typer.Option(help="What to log.")] = "info",
) -> None:
    """Serve the admission webhook until SIGTERM: refuse what leads nowhere, and tell dry runs what would become of it.

    It reads, and writes nothing; a ValidatingWebhookConfiguration leads the API server to it (see docs/admission.md).
    """
    logs.configure(log_format, log_level)
    identity = os.environ.get("POD_NAME") or socket.gethostname()
    rules = Rules(references, capacity)
    options = Options(namespace, identity, cert_file, key_file, rules, port=port, metrics_port=metrics_port)
    until_stopped(run_admission(Connection(kubeconfig, context), options), identity)
