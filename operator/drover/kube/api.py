"""One request to the API server: what can come of it, counted and timed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self
from urllib.parse import quote, urlsplit

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException

from drover import __version__
from drover.api.kinds import WATCHED
from drover.api.meta import Key

REQUEST_TIMEOUT = 10.0
"""Seconds for one request; a write that outlasts it is repeated."""
LIST_TIMEOUT = 60.0
"""Seconds for a list, or a page of one."""
CONNECTIONS = 64
CONCURRENCY = 32
"""Writes in flight: enough to fill the API server's queue, few enough to leave it room for others."""
BACKOFF_BASE = 0.1
BACKOFF_MAX = 10.0
RETRY_AFTER_MAX = 60.0
"""Seconds for which the API server may put a request off."""
RENEWAL_SECONDS = 1.0
"""Credentials read so lately are not read again."""

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

    def __init__(self, message: str, retry_after: float = 0.0, code: int | None = None) -> None:
        """``code`` is that of the answer, where there was one."""
        super().__init__(message)
        self.retry_after = retry_after
        self.code = code

    def pause(self, attempt: int) -> float:
        """Seconds to wait before trying again, from 0.1 doubling to 10; ``attempt`` counts from 1."""
        return max(min(BACKOFF_BASE * 2.0 ** min(attempt - 1, 10), BACKOFF_MAX), self.retry_after)


class FatalError(Exception):
    """Nothing can go on until somebody mends what the message says, in one line."""


class Meter(Protocol):
    """Told of every request: ``drover.observe.metrics.Metrics`` is one."""

    def api_request(self, verb: str, resource: str, code: str, seconds: float) -> None: ...

    def http_request(self, code: str, method: str, host: str) -> None: ...


class Unmetered:
    """For commands, which nobody scrapes."""

    def api_request(self, verb: str, resource: str, code: str, seconds: float) -> None:
        pass

    def http_request(self, code: str, method: str, host: str) -> None:
        pass


class _Answer(NamedTuple):
    status: int
    headers: Any
    data: bytes


class Api:
    """The API server, as requests with typed outcomes. An async context manager."""

    def __init__(
        self, configuration: Configuration, meter: Meter, renew: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """``renew`` reads the configuration's token again, after a 401. Raises FatalError where certificates in it
        cannot be used.
        """
        configuration.connection_pool_maxsize = CONNECTIONS
        try:
            self._client = ApiClient(configuration)
        except (OSError, ValueError) as error:
            raise FatalError(
                f"no usable certificates for {configuration.host} ({error}): renew those of the kubeconfig"
            ) from error
        self._client.user_agent = f"drover/{__version__}"
        self._meter = meter
        self._renew = renew
        self._renewing = asyncio.Lock()
        self._renewed_at = float("-inf")
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
        answer = await self._exchange(verb, resource, path, body, query, accept, timeout)
        if answer.status == 401 and self._renew is not None:
            await self._renew_credentials(self._renew)
            answer = await self._exchange(verb, resource, path, body, query, accept, timeout)
        if answer.status < 300:
            return _decoded(answer.data)
        message = _message(answer.data)
        if answer.status == 429 or answer.status >= 500:
            after = _seconds(answer.headers.get("Retry-After"))
            raise UnansweredError(f"{answer.status}: {message}", after, answer.status)
        raise ApiError(answer.status, message)

    async def _renew_credentials(self, renew: Callable[[], Awaitable[None]]) -> None:
        """Once for all requests that are refused together."""
        async with self._renewing:
            if time.monotonic() - self._renewed_at > RENEWAL_SECONDS:
                await renew()
                self._renewed_at = time.monotonic()

    async def _exchange(
        self,
        verb: Verb,
        resource: str,
        path: str,
        body: dict[str, Any] | None,
        query: Iterable[tuple[str, str]],
        accept: str,
        timeout: float,  # noqa: ASYNC109
    ) -> _Answer:
        """One request and its answer, whatever that is."""
        begun = time.perf_counter()
        code = "error"
        try:
            answer = await self._send(verb, path, body, query, accept, timeout)
            code = str(answer.status)
            return answer
        except (TimeoutError, aiohttp.ClientError, OSError, ConfigException) as error:
            raise UnansweredError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        finally:
            self._meter.api_request(verb, resource, code, time.perf_counter() - begun)
            self._meter.http_request(code, _METHODS[verb], self._host)

    async def _send(
        self,
        verb: Verb,
        path: str,
        body: dict[str, Any] | None,
        query: Iterable[tuple[str, str]],
        accept: str,
        timeout: float,  # noqa: ASYNC109
    ) -> _Answer:
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
        return _Answer(response.status, response.headers, await response.read())  # type: ignore[no-untyped-call]


def path_of(key: Key, subresource: str = "") -> str:
    """The URL path of an object."""
    path = f"{collection_of(key.kind, key.namespace)}/{quote(key.name, safe='')}"
    return f"{path}/{subresource}" if subresource else path


def collection_of(kind: str, namespace: str = "") -> str:
    """The URL path of a kind: in one namespace, or everywhere when ``namespace`` is empty."""
    model = WATCHED[kind]
    root = "/apis" if model.GROUP else "/api"
    place = f"namespaces/{quote(namespace, safe='')}/" if namespace else ""
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
    return min(float(text), RETRY_AFTER_MAX) if text and text.isdecimal() else 0.0
