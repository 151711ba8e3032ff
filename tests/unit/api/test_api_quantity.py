"""Quantities, ratios and durations: exact, and refused where the API server would refuse them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from drover.api.quantity import BigInteger, Duration, Quantity, Ratio, human


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("4Gi", 4 * 2**30),
        ("1.5Gi", 3 * 2**29),
        ("100M", 100_000_000),
        ("1k", 1000),
        ("1Ki", 1024),
        ("2Ei", 2**61),
        ("7E", 7 * 10**18),
        ("1500m", 2),
        ("0.1", 1),
        ("0.0000000001Gi", 1),
    ],
)
def test_a_quantity_in_bytes_is_exact_and_rounds_up(text: str, count: int) -> None:
    assert Quantity(text).bytes == count


@pytest.mark.parametrize(("text", "milli"), [("4", 4000), ("500m", 500), ("0.5", 500), ("1.0001", 1001)])
def test_a_quantity_of_cpu_is_counted_in_thousandths(text: str, milli: int) -> None:
    assert Quantity(text).milli == milli


@pytest.mark.parametrize("text", ["", "-1", "4GB", "4 Gi", "1e3", "K", "1K", ".5Gi", "4Gi\n", "1" * 33])
def test_what_is_not_a_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Quantity"):
        Quantity(text)
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(text)


@given(st.integers(min_value=0, max_value=2**70))
def test_bytes_written_as_a_quantity_read_back_the_same(count: int) -> None:
    assert Quantity.of_bytes(count).bytes == count


@given(st.integers(min_value=1, max_value=2**9), st.sampled_from(["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]))
def test_bytes_are_written_with_the_largest_suffix_that_is_exact(count: int, suffix: str) -> None:
    assert Quantity.of_bytes(Quantity(f"{count}{suffix}").bytes) == f"{count}{suffix}"


@given(st.integers(min_value=0, max_value=10**9))
def test_thousandths_written_as_a_quantity_read_back_the_same(milli: int) -> None:
    assert Quantity.of_milli(milli).milli == milli


@given(st.integers(min_value=0, max_value=2**69))
def test_a_size_for_people_is_within_half_a_tenth_of_its_unit(count: int) -> None:
    shown = Quantity(human(count))
    unit = Quantity("1" + human(count).lstrip("0123456789.")).value
    assert abs(shown.value - count) <= unit / 20


def test_a_size_for_people_has_no_idle_decimal() -> None:
    assert [human(n) for n in (0, 1023, 2**30, 7 * 2**29)] == ["0", "1023", "1Gi", "3.5Gi"]


def test_a_quantity_stays_the_text_it_was_written_as() -> None:
    adapter = TypeAdapter(Quantity)
    read = adapter.validate_json('"1024Mi"')
    assert isinstance(read, Quantity)
    assert adapter.dump_json(read) == b'"1024Mi"'


@given(st.decimals(min_value=0, max_value=10**6, places=6))
def test_a_ratio_is_exact(value: object) -> None:
    assert Ratio(str(value)).fraction == Fraction(str(value))


@pytest.mark.parametrize("text", ["-0.5", "1e-3", "0.1234567", "1/2", "", "80%"])
def test_what_is_not_a_ratio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Ratio"):
        Ratio(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20s", 20.0), ("1m30s", 90.0), ("250ms", 0.25), ("1.5h", 5400.0), ("1h1m1s1ms", 3661.001), ("0s", 0.0)],
)
def test_a_duration_reads_as_go_reads_it(text: str, seconds: float) -> None:
    assert Duration(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "20", "s", "1d", "-5s", "1m 30s"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Duration"):
        Duration(text)


@given(st.integers(min_value=0, max_value=10**30))
def test_a_ledger_integer_survives_the_wire_as_a_string(value: int) -> None:
    adapter = TypeAdapter(BigInteger)
    wire = adapter.dump_json(value)
    assert wire == f'"{value}"'.encode()
    assert adapter.validate_json(wire) == value
