"""Log lines for people and for machines."""

import json
import logging

import pytest

from drover.observe.logs import JsonFormatter, TextFormatter


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"msg": message, "levelno": 20, "levelname": "INFO", "name": "drover.x", "created": 0.0}
    )
    vars(made).update(extra)
    return made


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ({}, "00:00:00.000 INFO elected"),
        ({"epoch": 3, "identity": "a"}, "00:00:00.000 INFO elected epoch=3 identity=a"),
        ({"error": "two words"}, '00:00:00.000 INFO elected error="two words"'),
        ({"error": 'a "b"\nc'}, '00:00:00.000 INFO elected error="a \\"b\\"\\nc"'),
        ({"error": ""}, '00:00:00.000 INFO elected error=""'),
    ],
)
def test_a_line_is_one_line_whatever_it_carries(extra: dict[str, object], line: str) -> None:
    assert TextFormatter().format(record("elected", **extra)) == line


def test_json_carries_the_same_fields() -> None:
    entry = json.loads(JsonFormatter().format(record("elected", epoch=3)))
    assert entry == {
        "time": "1970-01-01T00:00:00+00:00",
        "level": "info",
        "logger": "drover.x",
        "message": "elected",
        "epoch": 3,
    }
