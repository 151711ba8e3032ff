"""The pinned helm is built before the first test: a first build outlasts a test's time-out."""

import pytest

import gotools


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the chart's snapshots instead of comparing them")


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly:
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            gotools.find("helm")
