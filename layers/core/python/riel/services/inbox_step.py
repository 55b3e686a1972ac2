"""The message of the gateway-events queue: one stored event, to be looked into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from riel import ids
from riel.errors import MalformedMessageError


@dataclass(frozen=True, slots=True)
class InboxStep:
    """`waits` counts the delayed copies of the message, not its receives.

    `payment_id` is for logs and for whoever reads dead letters; the event itself is what counts.
    """

    inbox_id: str
    waits: int = 0
    traceparent: str = ""
    payment_id: str = ""

    @classmethod
    def read(cls, body: Any) -> InboxStep:
        """Read a message's body; raises MalformedMessageError."""
        try:
            return cls(
                str(body["inbox_id"]),
                int(body.get("waits", 0)),
                body["traceparent"],
                str(body.get("payment_id") or ""),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedMessageError(f"gateway-events message: {error!r}") from error

    def body(self) -> dict[str, Any]:
        """Write the message; a payment's id only where it can be one of ours."""
        fields = {
            "inbox_id": self.inbox_id,
            "waits": self.waits,
            "traceparent": self.traceparent,
        }
        if ids.looks_like("pay", self.payment_id):
            fields["payment_id"] = self.payment_id
        return fields
