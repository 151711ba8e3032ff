"""What a refused request is told as."""

import pytest
from kubernetes.aio.client.configuration import Configuration

from drover.kube.api import Api, ApiError, FatalError, UnansweredError, Unmetered
from drover.kube.preflight import INSTALL, answering


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            401,
            "refuses these credentials (401: no): renew the token or certificate, or choose others with",
        ),
        (403, "refuses these credentials (403: no): ask for that right, or choose others with --kubeconfig"),
        (404, f"refuses a request (404: no): install the CRDs with `{INSTALL}`, or choose another server with"),
        (410, "refuses a request (410: no): try again, or choose another server with --kubeconfig"),
    ],
)
async def test_only_a_refusal_of_who_asks_is_told_as_one_of_the_credentials(code: int, expected: str) -> None:
    configuration: Configuration = type.__call__(Configuration)
    async with Api(configuration, Unmetered()) as api:
        with pytest.raises(FatalError) as told, answering(api):
            raise ApiError(code, "no")
    assert expected in str(told.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            UnansweredError("TimeoutError"),
            "does not answer (TimeoutError): start it, or choose another with",
        ),
        (
            UnansweredError('500: failed calling webhook "a.b"', code=500),
            'answers with an error (500: failed calling webhook "a.b"): try again, and see to what it names, or choose',
        ),
    ],
)
async def test_an_answer_that_is_an_error_is_not_told_as_silence(error: UnansweredError, expected: str) -> None:
    configuration: Configuration = type.__call__(Configuration)
    async with Api(configuration, Unmetered()) as api:
        with pytest.raises(FatalError) as told, answering(api):
            raise error
    assert expected in str(told.value)
