"""How the end of a watch is told: never with the request, which has the token."""

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from drover.kube.beside import told

URL_ASKED = URL("https://10.0.0.1:6443/apis")
REQUEST = aiohttp.RequestInfo(
    URL_ASKED, "GET", CIMultiDictProxy(CIMultiDict({"Authorization": "Bearer SECRET"})), URL_ASKED
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            aiohttp.ContentTypeError(REQUEST, (), status=200, message="no JSON"),
            "200, message='no JSON', url='https://10.0.0.1:6443/apis'",
        ),
        (aiohttp.ServerDisconnectedError(), "Server disconnected"),
        (RuntimeError("hosts.drover.dev is forbidden", REQUEST), "hosts.drover.dev is forbidden"),
        (RuntimeError(), ""),
    ],
)
def test_an_error_is_told_by_its_message(error: Exception, expected: str) -> None:
    assert told(error) == expected
