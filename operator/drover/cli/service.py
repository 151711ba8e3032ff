"""What commands share that run until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import typer

from drover import __version__
from drover.observe.health import PortError

log = logging.getLogger(__name__)


def until_stopped(work: Coroutine[Any, Any, None], identity: str) -> None:
    """Do the work of a process. What ends it but a signal ends the process with an error in the log and code 1."""
    log.info("starting", extra={"version": __version__, "identity": identity})
    try:
        asyncio.run(work)
    except PortError as error:
        log.error(str(error))
        raise typer.Exit(1) from error
    except Exception as error:
        log.exception("stopped by a defect")
        raise typer.Exit(1) from error
    log.info("stopped")
