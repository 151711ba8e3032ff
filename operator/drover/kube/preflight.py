"""What must be there before the operator starts, and what to do where it is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from drover.api.kinds import BY_PLURAL
from drover.api.meta import API_VERSION, GROUP
from drover.kube.api import Api, ApiError, FatalError, UnansweredError

log = logging.getLogger(__name__)


async def check(api: Api, namespace: str) -> None:
    """Raises FatalError where the API server, the CRDs or the operator's namespace are missing."""
    with answering(api):
        await check_kinds(api)
        await _ensure_namespace(api, namespace)


@contextmanager
def answering(api: Api) -> Iterator[None]:
    """Within, an API server that does not answer, or refuses a request, is a FatalError that says what to mend."""
    try:
        yield
    except UnansweredError as error:
        raise FatalError(
            f"the Kubernetes API server at {api.url} does not answer ({error}):"
            " start it, or choose another with --kubeconfig and --context"
        ) from error
    except ApiError as error:
        raise FatalError(
            f"the Kubernetes API server at {api.url} refuses these credentials ({error}):"
            " ask for that right, or choose others with --kubeconfig and --context"
        ) from error


async def check_kinds(api: Api) -> None:
    """Raises FatalError where CRDs are missing, and what the request raises."""
    try:
        served = await api.request("get", "apiresources", f"/apis/{API_VERSION}")
    except ApiError as error:
        if error.code != 404:
            raise
        served = {"resources": []}
    missing = sorted(BY_PLURAL.keys() - {resource["name"] for resource in served["resources"]})
    if missing:
        names = ", ".join(f"{plural}.{GROUP}" for plural in missing)
        install = "kubectl apply --server-side -f crds/ -f config/admission/"
        raise FatalError(f"CRDs missing at {api.url}: {names}: install them with `{install}`")


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
