"""The messages of the gateways' queues: one step of a payment, or of a refund.

What a step does depends on where its payment or refund stands, so any repeat is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from riel.errors import MalformedMessageError, RielError


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a payment. `waits` counts its delayed copies, not its receives.

    `look` asks for a look at the PSP wherever the payment stands: a PSP's event, or its due time,
    is the reason. `gateway` is where it was when the message was sent, if that was known.
    """

    payment_id: str
    waits: int = 0
    traceparent: str = ""
    look: bool = False
    gateway: str = ""

    @classmethod
    def read(cls, body: Any) -> Step:
        """Read a message's body; raises MalformedMessageError."""
        try:
            return cls(str(body["payment_id"]), **_read(body))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedMessageError(f"payments message: {error!r}") from error


@dataclass(frozen=True, slots=True)
class RefundStep:
    """A step of a refund; the other fields are a payment step's."""

    payment_id: str
    refund_id: str
    waits: int = 0
    traceparent: str = ""
    look: bool = False
    gateway: str = ""

    @classmethod
    def read(cls, body: Any) -> RefundStep:
        """Read a message's body; raises MalformedMessageError."""
        try:
            return cls(str(body["payment_id"]), str(body["refund_id"]), **_read(body))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedMessageError(f"refunds message: {error!r}") from error


class GiveBackError(RielError):
    """The message must be seen again after `seconds`: another worker holds its subject."""

    code = "held"
    retryable = True

    def __init__(self, seconds: int) -> None:
        super().__init__(f"held for another {seconds} s")
        self.seconds = seconds


def body_of(step: Step | RefundStep) -> dict[str, Any]:
    """Write a message's body; what says nothing is left out."""
    fields = asdict(step)
    return {name: value for name, value in fields.items() if value or name == "traceparent"}


def _read(body: Mapping[str, Any]) -> dict[str, Any]:
    waits, look = int(body.get("waits", 0)), body.get("look", False)
    if waits < 0 or not isinstance(look, bool):
        raise ValueError("waits or look")
    texts = {name: str(body.get(name) or "") for name in ("traceparent", "gateway")}
    return {"waits": waits, "look": look, **texts}
