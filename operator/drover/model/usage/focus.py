"""Rows of the FinOps Open Cost and Usage Specification (FOCUS) 1.2, with the rules that its columns state.

There are no prices yet, so what FOCUS asks for only of who publishes prices (unit prices, SKU price ids, pricing
categories) is absent, the costs that it always asks for are 0, and their currency is XXX: ISO 4217's word for none.
A row is one day of one line of one namespace, which is a sub account here.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_pascal

from drover.model.usage.lines import Line
from drover.model.usage.units import UNITS, plain, quantity

Category = Literal["Compute", "Storage", "Networking"]
Subcategory = Literal["Virtual Machines", "Block Storage", "Other (Networking)", "Data Transfer"]
Text = Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^\S(.*\S)?$")]
"""Not empty, without spaces at its ends."""
Cost = Annotated[Decimal, Field(decimal_places=12)]

PARENTS: Final[dict[str, str]] = {
    "Virtual Machines": "Compute",
    "Block Storage": "Storage",
    "Other (Networking)": "Networking",
    "Data Transfer": "Networking",
}
"""Each subcategory that is used here has one category."""

_SERVICES: Final[dict[str, tuple[str, Category, Subcategory]]] = {
    "vcpu": ("Virtual machines", "Compute", "Virtual Machines"),
    "memory": ("Virtual machines", "Compute", "Virtual Machines"),
    "instance": ("Virtual machines", "Compute", "Virtual Machines"),
    "volume": ("Volumes", "Storage", "Block Storage"),
    "address": ("Networks", "Networking", "Other (Networking)"),
    "migration": ("Live migration", "Networking", "Data Transfer"),
}
NO_CURRENCY: Final = "XXX"
PROVIDER: Final = "Drover"


class Row(BaseModel):
    """One charge. Fields are FOCUS' columns in their order, and None is null."""

    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True, frozen=True, extra="forbid")

    billed_cost: Cost = Decimal(0)
    billing_account_id: Text
    billing_account_name: Text | None = None
    billing_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = NO_CURRENCY
    billing_period_end: datetime
    billing_period_start: datetime
    charge_category: Literal["Usage"] = "Usage"
    charge_class: Literal["Correction"] | None = None
    charge_description: Text
    charge_frequency: Literal["Usage-Based"] = "Usage-Based"
    charge_period_end: datetime
    charge_period_start: datetime
    consumed_quantity: Annotated[Decimal, Field(gt=0)]
    consumed_unit: Text
    contracted_cost: Cost = Decimal(0)
    effective_cost: Cost = Decimal(0)
    invoice_issuer_name: Text = PROVIDER
    list_cost: Cost = Decimal(0)
    pricing_quantity: Annotated[Decimal, Field(gt=0)]
    pricing_unit: Text
    provider_name: Text = PROVIDER
    publisher_name: Text = PROVIDER
    service_category: Category
    service_name: Text
    service_subcategory: Subcategory
    sku_id: Text
    sku_meter: Text
    sub_account_id: Text
    sub_account_name: Text

    @model_validator(mode="after")
    def _rules(self) -> Self:
        periods = (self.billing_period_start, self.charge_period_start, self.charge_period_end, self.billing_period_end)
        if any(instant.utcoffset() != timedelta(0) for instant in periods):
            raise ValueError("FOCUS dates must be in UTC")
        start, begin, end, last = periods
        if not start <= begin < end <= last:
            raise ValueError("ChargePeriodStart must be before ChargePeriodEnd, both within the billing period")
        if PARENTS[self.service_subcategory] != self.service_category:
            raise ValueError(f"ServiceSubcategory {self.service_subcategory} is not of {self.service_category}")
        return self

    def cells(self) -> dict[str, str]:
        """Column to text, as a CSV has it; null is empty."""
        return {to_pascal(name): _cell(value) for name, value in self}


def row(account: str, namespace: str, day: date, line: Line, amount: int) -> Row:
    """One day of one line of a namespace; ``account`` names the cloud."""
    name, category, subcategory = _SERVICES[line.meter]
    unit, used = UNITS[line.meter][0], quantity(line.meter, amount)
    sku = line.sku or line.meter
    return Row(
        billing_account_id=account,
        billing_account_name=account,
        billing_period_start=_midnight(day.replace(day=1)),
        billing_period_end=_midnight((day.replace(day=1) + timedelta(days=31)).replace(day=1)),
        charge_description=f"{line.meter}{f' of {line.sku}' if line.sku else ''}, {line.state}",
        charge_period_start=_midnight(day),
        charge_period_end=_midnight(day + timedelta(days=1)),
        consumed_quantity=used,
        consumed_unit=unit,
        pricing_quantity=used,
        pricing_unit=unit,
        service_category=category,
        service_name=name,
        service_subcategory=subcategory,
        sku_id=sku,
        sku_meter=f"{line.meter} {line.state}",
        sub_account_id=namespace,
        sub_account_name=namespace,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%SZ}"
        case Decimal():
            return plain(value)
        case _:
            return str(value)
