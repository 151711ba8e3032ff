"""Log lines for people and for machines."""

import json
import logging

import pytest

from drover.observe.logs import FORGET_SECONDS, JsonFormatter, Sparing, TextFormatter


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


def complaint(message: str, error: str = "", level: int = logging.WARNING) -> logging.LogRecord:
    made = record(message, error=error)
    made.levelno = level
    return made


def test_a_complaint_is_told_once_a_minute_with_how_often_it_came() -> None:
    now = [0.0]
    sparing = Sparing(lambda: now[0])
    told = []
    for second in range(0, 130, 10):
        now[0] = float(second)
        again = complaint("write not answered", "no route")
        if sparing.filter(again):
            told.append((second, vars(again).get("repeated")))
    assert told == [(0, None), (60, 5), (120, 5)]


def test_a_complaint_that_does_not_come_again_is_forgotten() -> None:
    now = [0.0]
    sparing = Sparing(lambda: now[0])
    for number in range(1000):
        now[0] = number * 10.0
        assert sparing.filter(complaint("failed", f"port {number}"))
        assert not sparing.filter(complaint("failed", f"port {number}"))
    assert len(sparing._told) <= FORGET_SECONDS / 10 + 1


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (complaint("failed", 'vms "a" is forbidden'), complaint("failed", 'vms "b" is forbidden'), True),
        (complaint("failed", "no route"), complaint("failed", "timed out"), False),
        (complaint("failed", "no route"), complaint("lost", "no route"), False),
        (complaint("moved", level=logging.INFO), complaint("moved", level=logging.INFO), False),
    ],
)
def test_two_are_one_complaint_where_they_differ_in_names_alone(
    first: logging.LogRecord, second: logging.LogRecord, same: bool
) -> None:
    sparing = Sparing(lambda: 0.0)
    assert sparing.filter(first)
    assert sparing.filter(second) is not same
