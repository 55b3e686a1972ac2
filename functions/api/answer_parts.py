"""What the models of the API's answers are made of: ids, instants, amounts, and their base."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PaymentId = Annotated[
    str,
    Field(
        pattern=r"^pay_[a-z2-7]{26}$",
        description="The payment's id.",
        examples=["pay_auoaruicx5lfxt2ipic323tj22"],
    ),
]
RefundId = Annotated[
    str,
    Field(
        pattern=r"^re_[a-z2-7]{26}$",
        description="The refund's id.",
        examples=["re_3klmtk5gmqvu2uv5s7plnxsxmc"],
    ),
]
DeliveryId = Annotated[
    str,
    Field(
        pattern=r"^evt_[a-z2-7]{26}$",
        description="The event's id, which comes as its `webhook-id`.",
        examples=["evt_mzq3cbf2xkcvnr5cdqk7sxdgmu"],
    ),
]
Instant = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        description="When, in UTC.",
        json_schema_extra={"format": "date-time"},
        examples=["2026-04-17T12:00:00.000Z"],
    ),
]
Amount = Annotated[
    str,
    Field(
        pattern=r"^(0|[1-9][0-9]*)(\.[0-9]{1,4})?$",
        description="Major units, with exactly the currency's decimals.",
        examples=["100.50"],
    ),
]


class Answer(BaseModel):
    """A closed model: what it does not describe is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)
