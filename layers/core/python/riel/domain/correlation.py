"""The words that lead through all logs, taken from a caller only where they are safe to repeat."""

from __future__ import annotations

import re

from riel.domain.card_numbers import holds_card_number

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def request_id(sent: str | None, otherwise: str) -> str:
    """Return the caller's `X-Request-Id` where it is a valid one.

    It goes into every log line, so what looks like a secret is no id.
    """
    sent = sent or ""
    is_safe = not sent.startswith("sk_") and not holds_card_number(sent)
    return sent if is_safe and _REQUEST_ID.fullmatch(sent) else otherwise


def traceparent(sent: str | None) -> str:
    """Return the caller's W3C trace, or an empty text."""
    return sent if sent and _TRACEPARENT.fullmatch(sent) else ""
