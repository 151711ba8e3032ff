"""The objects that all verdicts are tried on, made once."""

from typing import Any

import pytest
from lives import gallery


@pytest.fixture(scope="session")
def objects() -> list[dict[str, Any]]:
    """One object in wire form for each kind, phase and state of its conditions."""
    return gallery().objects()
