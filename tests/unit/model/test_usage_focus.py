"""FOCUS rows keep the standard's rules, and amounts their milliseconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drover.model.usage import METERS, Line
from drover.model.usage.focus import Row, row
from drover.model.usage.units import GIB, HOUR, UNITS, plain, quantity

LINE = Line("memory", "c4.large", "Running")
DAY = date(2026, 11, 21)
MANDATORY = {
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd"),
    *("ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity"),
    *("PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName"),
}
"""FOCUS 1.2's columns of feature level Mandatory."""


def sample(**changes: Any) -> Row:
    good = row("dc-1", "team-a", DAY, LINE, 3 * HOUR * GIB)
    return Row.model_validate({**good.model_dump(), **changes})


def test_a_row_has_every_mandatory_column_in_order_and_reads_as_the_standard_writes_it() -> None:
    cells = sample().cells()
    assert cells.keys() >= MANDATORY
    assert list(cells) == sorted(cells)
    shown = {
        "BillingPeriodStart": "2026-11-01T00:00:00Z",
        "BillingPeriodEnd": "2026-12-01T00:00:00Z",
        "ChargePeriodStart": "2026-11-21T00:00:00Z",
        "ChargePeriodEnd": "2026-11-22T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ConsumedQuantity": "3",
        "ConsumedUnit": "GiB-Hours",
        "PricingQuantity": "3",
        "BilledCost": "0",
        "BillingCurrency": "XXX",
        "SkuId": "c4.large",
        "SubAccountId": "team-a",
        "ServiceCategory": "Compute",
        "ServiceSubcategory": "Virtual Machines",
    }
    assert {name: cells[name] for name in shown} == shown


@given(
    st.sampled_from(METERS),
    st.sampled_from(["", "small"]),
    st.dates(date(2020, 1, 1), date(2040, 12, 31)),
    st.integers(10**6, 10**24),
)
def test_every_day_of_every_line_keeps_the_rules(meter: Any, sku: str, day: date, amount: int) -> None:
    made = row("dc-1", "team-a", day, Line(meter, sku, "Running"), max(amount, UNITS[meter][1]))
    assert made.billing_period_start.month == made.charge_period_start.month == day.month
    assert made.billing_period_end.day == 1
    assert made.charge_period_end - made.charge_period_start == timedelta(days=1)
    assert "E" not in made.cells()["ConsumedQuantity"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"charge_period_end": datetime(2026, 11, 21, tzinfo=UTC)}, "ChargePeriodStart must be before"),
        ({"charge_period_end": datetime(2026, 12, 2, tzinfo=UTC)}, "within the billing period"),
        ({"charge_period_start": datetime.fromisoformat("2026-11-21T00:00:00+01:00")}, "must be in UTC"),
        ({"service_subcategory": "Block Storage"}, "Block Storage is not of Compute"),
        ({"service_category": "Compute things"}, "'Compute', 'Storage' or 'Networking'"),
        ({"consumed_quantity": Decimal(0)}, "greater than 0"),
        ({"billing_currency": "euro"}, "pattern"),
        ({"sub_account_id": ""}, "at least 1 character"),
        ({"sku_id": " small"}, "pattern"),
        ({"x": 1}, "Extra inputs"),
    ],
)
def test_a_row_against_the_rules_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        sample(**changes)


@given(st.integers(0, 10**16))
def test_hours_of_a_bill_are_exact_to_the_millisecond(milliseconds: int) -> None:
    told = quantity("instance", milliseconds)
    assert round(told * HOUR) == milliseconds


@pytest.mark.parametrize(
    ("meter", "amount", "digits", "told"),
    [
        ("vcpu", 2 * HOUR, 9, "2"),
        ("vcpu", HOUR // 2, 3, "0.5"),
        ("memory", 20 * HOUR * GIB, 9, "20"),
        ("migration", GIB // 4, 2, "0.25"),
        ("instance", 1, 9, "0.000000278"),
        ("instance", 1, 3, "0"),
        ("address", 0, 3, "0"),
    ],
)
def test_amounts_are_told_in_hours(meter: Any, amount: int, digits: int, told: str) -> None:
    assert plain(quantity(meter, amount, digits)) == told
