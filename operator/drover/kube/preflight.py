"""What must be there before the operator starts, and what to do where it is not."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import aiohttp

from drover.api.kinds import BY_PLURAL
from drover.api.meta import API_VERSION, GROUP
from drover.kube import farewell, rights
from drover.kube.api import Api, ApiError, FatalError, UnansweredError

log = logging.getLogger(__name__)

NAMED = 5
"""Missing rights that are named; the others are counted."""
INSTALL = "kubectl apply --server-side -f crds/ -f config/admission/"


async def check(api: Api, namespace: str, lease: str) -> None:
    """Raises FatalError where the API server, the CRDs, the operator's namespace or its rights are missing."""
    with answering(api):
        served = await _served(api)
        if _missing(served):
            await farewell.let_go(api, farewell.going(served))
        _check_served(api, served)
        await _ensure_namespace(api, namespace)
        await _check_rights(api, namespace, lease)


@contextmanager
def answering(api: Api) -> Iterator[None]:
    """Within, an API server that does not answer, or refuses a request, is a FatalError that says what to mend."""
    try:
        yield
    except UnansweredError as error:
        raise FatalError(
            f"the Kubernetes API server at {api.url} {_unanswered(error)}, or choose another with --kubeconfig and"
            " --context"
        ) from error
    except ApiError as error:
        raise FatalError(
            f"the Kubernetes API server at {api.url} refuses {_refused(error)} with --kubeconfig and --context"
        ) from error


def _refused(error: ApiError) -> str:
    """What, and its mend. Only 401 and 403 are about who asks: a kind whose CRD was deleted meanwhile is a 404."""
    match error.code:
        case 401:
            return f"these credentials ({error}): renew the token or certificate, or choose others"
        case 403:
            return f"these credentials ({error}): ask for that right, or choose others"
        case 404:
            return f"a request ({error}): install the CRDs with `{INSTALL}`, or choose another server"
        case _:
            return f"a request ({error}): try again, or choose another server"


def _unanswered(error: UnansweredError) -> str:
    """What, and its mend. A 429 or 5xx is an answer, often of a webhook or a backend that it names."""
    if error.code is not None:
        return f"answers with an error ({error}): try again, and see to what it names"
    return f"does not answer ({error}): {_mend(error)}"


def _mend(error: UnansweredError) -> str:
    match error.__cause__:
        case aiohttp.ClientConnectorCertificateError():
            return "give the certificate authority it is signed by in the kubeconfig"
        case aiohttp.InvalidURL():
            return "write its server in the kubeconfig as https://HOST:PORT"
        case _:
            return "start it"


async def check_kinds(api: Api) -> None:
    """Raises FatalError where CRDs are missing, and what the request raises."""
    _check_served(api, await _served(api))


async def _served(api: Api) -> dict[str, list[str]]:
    """The verbs of each of our kinds, by plural."""
    try:
        found = await api.request("get", "apiresources", f"/apis/{API_VERSION}")
    except ApiError as error:
        if error.code != 404:
            raise
        return {}
    return {resource["name"]: resource["verbs"] for resource in found["resources"] if resource["name"] in BY_PLURAL}


def _missing(served: Iterable[str]) -> list[str]:
    return sorted(BY_PLURAL.keys() - set(served))


def _check_served(api: Api, served: Iterable[str]) -> None:
    if missing := _missing(served):
        names = ", ".join(f"{plural}.{GROUP}" for plural in missing)
        raise FatalError(f"CRDs missing at {api.url}: {names}: install them with `{INSTALL}`")


async def _ensure_namespace(api: Api, namespace: str) -> None:
    try:
        await api.request("get", "namespaces", f"/api/v1/namespaces/{namespace}")
    except ApiError as error:
        if error.code == 403:  # may not look; the Lease will tell
            return
        if error.code != 404:
            raise
        await _create_namespace(api, namespace)


async def _create_namespace(api: Api, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    try:
        await api.request("create", "namespaces", "/api/v1/namespaces", body=body)
    except ApiError as error:
        if error.code == 409:  # another instance was quicker
            return
        raise FatalError(
            f"namespace {namespace} is missing and cannot be created ({error}):"
            f" `kubectl create namespace {namespace}`, or choose another with --namespace"
        ) from error
    log.info("namespace created", extra={"namespace": namespace})


async def _check_rights(api: Api, namespace: str, lease: str) -> None:
    lacking = await rights.missing(api, rights.needed(namespace, lease), namespace)
    if not lacking:
        return
    named = ", ".join(str(right) for right in lacking[:NAMED])
    more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
    raise FatalError(
        f"rights missing at {api.url}: {named}{more}: {rights.MEND},"
        " or choose other credentials with --kubeconfig and --context"
    )
