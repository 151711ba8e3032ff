"""One request to the API server: what can come of it, counted and timed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from drover import __version__
from drover.api.kinds import WATCHED
from drover.api.meta import Key
from drover.observe.metrics import Metrics

REQUEST_TIMEOUT = 10.0
"""Seconds for one request; a write that outlasts it is repeated."""
CONNECTIONS = 64
BACKOFF_BASE = 0.1
BACKOFF_MAX = 10.0

Verb = Literal["get", "list", "create", "update", "patch", "delete"]
_METHODS = {"get": "GET", "list": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
_CONTENT_TYPES = {"patch": "application/merge-patch+json"}


class ApiError(Exception):
    """The API server refused a request; nothing was changed."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class UnansweredError(Exception):
    """No answer, or one that leaves open whether the request was carried out: time-out, lost connection, 429, 5xx."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def pause(self, attempt: int) -> float:
        """Seconds to wait before trying again, from 0.1 doubling to 10; ``attempt`` counts from 1."""
        return max(min(BACKOFF_BASE * 2.0 ** min(attempt - 1, 10), BACKOFF_MAX), self.retry_after)


class FatalError(Exception):
    """The operator cannot go on. The message is one line that says what to mend."""


class Api:
    """The API server, as requests with typed outcomes. An async context manager; one for the whole process."""

    def __init__(self, configuration: Configuration, metrics: Metrics) -> None:
        configuration.connection_pool_maxsize = CONNECTIONS
        self._client = ApiClient(configuration)
        self._client.user_agent = f"drover/{__version__}"
        self._metrics = metrics
        self.url = str(configuration.host)
        self._host = urlsplit(self.url).netloc

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]

    async def request(
        self,
        verb: Verb,
        resource: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: Iterable[tuple[str, str]] = (),
        accept: str = "application/json",
        timeout: float = REQUEST_TIMEOUT,  # noqa: ASYNC109  # it bounds one HTTP exchange, not this coroutine
    ) -> dict[str, Any]:
        """The decoded answer. ``resource`` is the plural, for the metrics; a patch is a merge patch.

        Raises ApiError when refused, UnansweredError when the fate of the request is not known.
        """
        begun = time.perf_counter()
        code = "error"
        try:
            status, headers, data = await self._send(verb, path, body, query, accept, timeout)
            code = str(status)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnansweredError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        finally:
            self._metrics.api_request(verb, resource, code, time.perf_counter() - begun)
            self._metrics.http_request(code, _METHODS[verb], self._host)
        if status < 300:
            return _decoded(data)
        message = _message(data)
        if status == 429 or status >= 500:
            raise UnansweredError(f"{status}: {message}", _seconds(headers.get("Retry-After")))
        raise ApiError(status, message)

    async def _send(
        self,
        verb: Verb,
        path: str,
        body: dict[str, Any] | None,
        query: Iterable[tuple[str, str]],
        accept: str,
        timeout: float,  # noqa: ASYNC109
    ) -> tuple[int, Any, bytes]:
        headers = {"Accept": accept, "Content-Type": _CONTENT_TYPES.get(verb, "application/json")}
        method, url, headers, _, _ = await self._client.param_serialize(
            _METHODS[verb],
            path,
            query_params=list(query),
            header_params=headers,
            auth_settings=["BearerToken"],
        )
        response = await self._client.call_api(
            method, url, headers, body, _request_timeout=aiohttp.ClientTimeout(total=timeout)
        )
        return response.status, response.headers, await response.read()  # type: ignore[no-untyped-call]


def path_of(key: Key, subresource: str = "") -> str:
    """The URL path of an object."""
    path = f"{collection_of(key.kind, key.namespace)}/{key.name}"
    return f"{path}/{subresource}" if subresource else path


def collection_of(kind: str, namespace: str = "") -> str:
    """The URL path of a kind: in one namespace, or everywhere when ``namespace`` is empty."""
    model = WATCHED[kind]
    root = "/apis" if model.GROUP else "/api"
    place = f"namespaces/{namespace}/" if namespace else ""
    return f"{root}/{model.api_version()}/{place}{model.PLURAL}"


def _decoded(data: bytes) -> dict[str, Any]:
    """The answer's object. A body cut short leaves the fate of a write open, as a lost connection does."""
    try:
        decoded = json.loads(data)
    except ValueError as error:
        raise UnansweredError(f"the answer is not JSON: {data[:80]!r}") from error
    if not isinstance(decoded, dict):
        raise UnansweredError(f"the answer is not an object: {data[:80]!r}")
    return decoded


def _message(data: bytes) -> str:
    """The message of a ``metav1.Status``, or the beginning of whatever else answered."""
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data[:200].decode(errors="replace")


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdigit() else 0.0
