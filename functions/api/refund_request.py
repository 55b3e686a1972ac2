"""What a request for a refund may look like; apart, because creating payments needs none of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from functions.api.schemas import MAX_BODY_BYTES, AmountText, FreeText, validate
from riel.domain.money import AmountError, parse_amount
from riel.services.create_refund import RefundOrder


class CreateRefundRequest(BaseModel):
    """The body of `POST /api/v1/payments/{id}/refunds`; every field may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    amount: AmountText = ""
    reason: Annotated[FreeText, Field(max_length=500)] = ""

    @field_validator("amount")
    @classmethod
    def _readable(cls, value: str) -> str:
        # Its decimals are judged in the payment's currency, which is not known here.
        try:
            parse_amount(value, "CLF")
        except AmountError as error:
            raise PydanticCustomError(error.code, "{why}", {"why": str(error)}) from error
        return value


def read_refund_order(body: bytes) -> RefundOrder:
    """Read and validate a refund; an empty body asks for all that is left."""
    if not body.strip() and len(body) <= MAX_BODY_BYTES:
        return RefundOrder()
    request = validate(CreateRefundRequest, body, {})
    return RefundOrder(request.amount or None, request.reason, frozenset(request.model_fields_set))
