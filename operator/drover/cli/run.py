"""``drover run``: the operator."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Annotated

import typer

from drover.api.meta import OPERATOR_NAMESPACE
from drover.cli.server import Context, Kubeconfig, namespace_name
from drover.cli.service import until_stopped
from drover.control.controllers import CONTROLLERS
from drover.kube.connection import Connection
from drover.kube.operator import Options
from drover.kube.process import run as run_operator
from drover.observe import logs
from drover.observe.state import Compat, Detail


def run(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        str, typer.Option(callback=namespace_name, help="Namespace of the Lease.")
    ] = OPERATOR_NAMESPACE,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of /healthz, /readyz, /metrics; 0 for any free one.")
    ] = 8080,
    metrics_vm_detail: Annotated[
        Detail,
        typer.Option(help="Series of single VMs on /metrics/state: none, the phase each is in, or every phase 0 or 1."),
    ] = "info",
    metrics_compat: Annotated[
        Compat, typer.Option(help="Tell VMs and migrations on /metrics/state under KubeVirt's names too.")
    ] = "none",
    usage_archive: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            writable=True,
            help="Directory for what each object used on each day, as CSV files that are only appended to; on a volume"
            " that all instances share.",
        ),
    ] = None,
    lease_duration: Annotated[
        int, typer.Option(min=2, max=3600, help="Seconds after which a silent leader is taken for dead.")
    ] = 15,
    identity: Annotated[
        str | None, typer.Option(help="Name of this instance.", show_default="the host's with a random part")
    ] = None,
    log_format: Annotated[logs.Format, typer.Option(help="How to log.")] = "text",
    log_level: Annotated[logs.Level, typer.Option(help="What to log.")] = "info",
) -> None:
    """Run the operator until SIGTERM; of several only the holder of the Lease acts."""
    logs.configure(log_format, log_level)
    identity = identity or f"{os.environ.get('POD_NAME') or socket.gethostname()}_{secrets.token_hex(4)}"
    options = Options(
        namespace,
        identity,
        lease_duration,
        metrics_port=metrics_port,
        metrics_vm_detail=metrics_vm_detail,
        metrics_compat=metrics_compat,
        usage_archive=usage_archive,
    )
    until_stopped(run_operator(Connection(kubeconfig, context), options, CONTROLLERS), identity)
