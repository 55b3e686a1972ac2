"""What a request may look like: one pydantic model per request, every field's problem at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from functions.api.problems import is_plain_name
from riel.domain.card_numbers import holds_card_number
from riel.domain.currencies import EXPONENTS
from riel.domain.methods import check_limits, takes
from riel.domain.money import AmountError, parse_amount
from riel.domain.payment import Method
from riel.errors import (
    FieldProblem,
    ForbiddenDestinationError,
    InvalidRequestError,
    MalformedRequestError,
    PayloadTooLargeError,
)
from riel.services.create_payment import Order
from riel.webhooks.egress import check_url

MAX_BODY_BYTES = 64 * 1024
MAX_METADATA_PAIRS = 50
MAX_INT_DIGITS = 40
MAX_DEPTH = 20
"""Objects and arrays within one another; a payment needs two."""
MAX_PROBLEMS = 100
_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "too_short": "too_short",
}
UNKNOWN_FIELD = "(unknown field)"


def _amount_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise PydanticCustomError(
        "amount_invalid", 'write a decimal string such as "100.50", not a JSON {kind}', _kind(value)
    )


def _kind(value: object) -> dict[str, str]:
    names = {bool: "boolean", _Float: "float", type(None): "null", dict: "object", list: "array"}
    return {"kind": names.get(type(value), "value")}


def _storable(text: str) -> str:
    if "\x00" in text:
        raise PydanticCustomError("character_invalid", "NUL is not allowed")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise PydanticCustomError("character_invalid", "a lone surrogate is not a character")
    return text


def _free(text: str) -> str:
    if holds_card_number(text):
        # The number is not repeated: answers and errors are logged by many.
        raise PydanticCustomError(
            "card_number_forbidden", "this holds a card number; send the PSP's token instead"
        )
    return _storable(text)


Model = TypeVar("Model", bound=BaseModel)
Text = Annotated[str, AfterValidator(_storable)]
FreeText = Annotated[str, AfterValidator(_free)]
"""Where people write what they like, so where card numbers turn up."""
AmountText = Annotated[str, BeforeValidator(_amount_text)]
"""An amount as it was sent, a text by now; its form is not judged yet."""


class CreatePaymentRequest(BaseModel):
    """The body of `POST /api/v1/payments`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    # In this order, because each one's rules depend on those before it.
    method: Annotated[Method, Field(strict=False)] = Method.CARD
    currency: Text
    amount: AmountText
    description: Annotated[FreeText, Field(max_length=500)] = ""
    metadata: dict[
        Annotated[FreeText, Field(min_length=1, max_length=40)],
        Annotated[FreeText, Field(max_length=500)],
    ] = Field(default_factory=dict, max_length=MAX_METADATA_PAIRS)
    webhook_url: Text | None = None
    # The likeliest place for a card number by mistake.
    payment_method_token: Annotated[
        FreeText | None, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_.:-]+$")
    ] = None
    reference: Annotated[FreeText | None, Field(min_length=1, max_length=255)] = None

    @field_validator("currency")
    @classmethod
    def _taken(cls, value: str, info: ValidationInfo) -> str:
        if value not in EXPONENTS:
            raise PydanticCustomError(
                "currency_invalid", "send an upper-case code of a current currency (ISO 4217)"
            )
        method = info.data.get("method", Method.CARD)
        if not takes(method, value):
            raise PydanticCustomError(
                "currency_invalid", "{method} takes MXN only", {"method": method}
            )
        return value

    @field_validator("amount")
    @classmethod
    def _exact(cls, value: str, info: ValidationInfo) -> str:
        # With a bad currency, that is the problem to tell; the amount is judged by its form.
        currency = info.data.get("currency")
        try:
            amount = parse_amount(value, currency or "CLF")
            if currency and "method" in info.data:
                check_limits(info.data["method"], amount)
        except AmountError as error:
            raise PydanticCustomError(error.code, "{why}", {"why": str(error)}) from error
        return str(amount)

    @field_validator("webhook_url")
    @classmethod
    def _callable(cls, value: str | None, info: ValidationInfo) -> str | None:
        allow_loopback = bool((info.context or {}).get("allow_loopback"))
        try:
            if value is not None:
                check_url(value, allow_loopback=allow_loopback)
        except ForbiddenDestinationError as error:
            raise PydanticCustomError(error.code, "{why}", {"why": str(error)}) from error
        return value

    def to_order(self) -> Order:
        """Give the service what it needs; amounts are canonical by now."""
        return Order(
            amount=parse_amount(self.amount, self.currency),
            method=self.method,
            sent=self.model_dump(mode="json", exclude_unset=True),
            description=self.description,
            metadata=self.metadata,
            webhook_url=self.webhook_url,
            payment_method_token=self.payment_method_token,
            reference=self.reference,
        )


class EmptyRequest(BaseModel):
    """The body of `POST /api/v1/payments/{id}/cancel`."""

    # Built when it is first used: creating payments has no need of it.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def read_order(body: bytes, *, allow_loopback: bool) -> Order:
    """Read and validate a create request; raises one RejectedError that tells everything."""
    context = {"allow_loopback": allow_loopback}
    return validate(CreatePaymentRequest, body, context).to_order()


def read_nothing(body: bytes) -> None:
    """Check the body of a request that says all in its path: empty, or an empty object."""
    if body.strip() or len(body) > MAX_BODY_BYTES:
        validate(EmptyRequest, body, {})


def validate(model: type[Model], body: bytes, context: dict[str, Any]) -> Model:
    """Read a body as JSON and hold it to a model; raises one RejectedError."""
    try:
        return model.model_validate(_parse(body), context=context)
    except ValidationError as error:
        raise InvalidRequestError(_problems(error)) from error


def _parse(body: bytes) -> Mapping[str, Any]:
    if len(body) > MAX_BODY_BYTES:
        raise PayloadTooLargeError(f"the body may have at most {MAX_BODY_BYTES} bytes")
    try:
        text = body.decode("utf-8")
        if "\ufffd" in text:
            # What a gateway puts in place of bytes that it could not decode; storing it would
            # lose what the merchant meant to say.
            raise MalformedRequestError(
                "the body is not UTF-8, or holds U+FFFD (to send that, write \\ufffd)"
            )
        fields = json.loads(
            text,
            parse_float=_keep_float,
            parse_int=_keep_int,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError as error:
        raise MalformedRequestError("the body is not UTF-8") from error
    except RecursionError as error:
        raise MalformedRequestError("the body is nested too deeply") from error
    except ValueError as error:
        raise MalformedRequestError(f"the body is not JSON: {error}"[:200]) from error
    if not isinstance(fields, dict):
        raise MalformedRequestError("the body must be a JSON object")
    _check_depth(fields)
    return fields


def _check_depth(fields: dict[str, Any]) -> None:
    # Python reads as deep as its version allows; the limit is ours, so that it is the same in all.
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        inner = (i for o in level for i in (o.values() if isinstance(o, dict) else o))
        level = [value for value in inner if isinstance(value, dict | list)]
        if not level:
            return
    raise MalformedRequestError("the body is nested too deeply")


class _Float(Decimal):
    """A JSON float: kept only to be refused by the field that holds it."""


def _keep_float(text: str) -> _Float:
    # The value is never used, and a huge exponent would raise; the sign of a float is enough.
    return _Float(0)


def _keep_int(text: str) -> int:
    # No field takes an integer this long, and Python refuses to read very long ones at all.
    return int(text[:MAX_INT_DIGITS])


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedRequestError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise MalformedRequestError("a key is repeated in an object")
    return fields


def _problems(error: ValidationError) -> tuple[FieldProblem, ...]:
    found: dict[str, FieldProblem] = {}
    for detail in error.errors(include_url=False, include_input=False):
        problem = _problem(detail)
        found.setdefault(problem.field, problem)
    return tuple(found.values())[:MAX_PROBLEMS]


def _problem(detail: ErrorDetails) -> FieldProblem:
    field = str(detail["loc"][0]) if detail["loc"] else ""
    if not is_plain_name(field):
        field = UNKNOWN_FIELD
    code = _CODES.get(detail["type"], detail["type"])
    if field == UNKNOWN_FIELD:
        code = "unknown_field"
    elif detail["type"] == "too_long":
        code = "too_many" if detail["ctx"]["field_type"] == "Dictionary" else "too_long"
    elif detail["type"] not in _CODES and not detail["type"].endswith(("_invalid", "_forbidden")):
        code = code if detail["type"].startswith("amount_") else f"{field}_invalid"
    return FieldProblem(field, code, _message(detail))


def _message(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    message = detail["msg"]
    if context.get("field_type") == "Value":  # pydantic's word for a text that a rule has passed
        limit = context.get("max_length", context.get("min_length"))
        message = f"{'at most' if 'max_length' in context else 'at least'} {limit} characters"
    inner = str(detail["loc"][1]) if len(detail["loc"]) > 1 else ""
    return f"{inner}: {message}" if is_plain_name(inner) else message
