"""Kopf's webhook server, with what it lacks: it says when it serves, counts, and refuses what is no review."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import kopf
from aiohttp import web

from drover.kube.admission.reviewer import REVIEWED
from drover.kube.api import FatalError
from drover.observe.families import process as families
from drover.observe.metrics import Metrics

log = logging.getLogger(__name__)

CHECK_SECONDS = 5.0
"""Between looks at the files of the certificate."""
PLURALS = frozenset(model.PLURAL for model in REVIEWED)


class Server:
    """A server for ``settings.admission.server``."""

    def __init__(self, host: str, port: int, certificate: Path, key: Path, metrics: Metrics) -> None:
        self.serving = False
        self._host = host
        self._port = port
        self._certificate = certificate
        self._key = key
        self._metrics = metrics

    async def __call__(self, fn: Callable[..., Any]) -> AsyncIterator[Any]:
        """Serve, with the certificate as it is in its files, also once it is renewed. Raises FatalError."""
        self.check_certificate()
        server = kopf.WebhookServer(
            addr=self._host,
            port=self._port,
            certfile=str(self._certificate),
            pkeyfile=str(self._key),
            file_check_interval=CHECK_SECONDS,
        )
        try:
            async for configuration in server(counted(fn, self._metrics)):
                self.serving = True
                log.info("serving the webhook", extra={"port": self._port, "certificate": self._certificate})
                yield configuration
        except OSError as error:
            self.check_certificate()  # gone, or renewed to something that cannot be used
            mend = "choose another with --port"
            raise FatalError(f"port {self._port} cannot be served ({error}): {mend}") from error
        finally:
            self.serving = False

    def check_certificate(self) -> None:
        """Raises FatalError where it cannot be served with."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._certificate, self._key)
        except (OSError, ssl.SSLError) as error:
            raise FatalError(
                f"certificate {self._certificate} with key {self._key} cannot be used ({error}):"
                " give others with --cert-file and --key-file, or mount the Secret that holds them"
            ) from error


def counted(fn: Callable[..., Any], metrics: Metrics) -> Callable[..., Any]:
    """Kopf's answering function, but for what is no review, and counted."""

    async def answer(request: Any, **hints: Any) -> Any:
        if not is_review(request):
            raise web.HTTPBadRequest(text="this is no AdmissionReview of admission.k8s.io/v1\n")
        plural = request["request"]["resource"]["resource"]
        resource = plural if plural in PLURALS else "other"
        begun, result = time.perf_counter(), "error"
        try:
            response = await fn(request, **hints)
            result = _result(response["response"])
        finally:
            metrics.count(families.ADMISSION_REVIEWS, resource, result)
            metrics.observe(families.ADMISSION_DURATION, time.perf_counter() - begun, resource)
        return response

    return answer


def is_review(request: object) -> bool:
    """Whether it has what Kopf reads of an AdmissionReview."""
    asked = request.get("request") if isinstance(request, dict) else None
    if not isinstance(asked, dict):
        return False
    resource, objects = asked.get("resource"), [asked.get("object"), asked.get("oldObject")]
    given = [one for one in objects if one is not None]
    return (
        isinstance(resource, dict)
        and all(isinstance(resource.get(part), str) for part in ("group", "version", "resource"))
        and isinstance(asked.get("userInfo"), dict)
        and bool(given)
        and all(isinstance(one, dict) and isinstance(one.get("metadata"), dict) for one in given)
    )


def _result(response: Mapping[str, Any]) -> str:
    if not response["allowed"]:
        return "refused"
    return "warned" if response.get("warnings") else "allowed"
