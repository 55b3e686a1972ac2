"""The query parameters of `GET /payments`, as API Gateway gives them: decoded, one text each.

A parameter that was sent twice arrives joined by a comma, which no parameter of ours contains.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.api.problems import is_plain_name
from riel.domain.payment import Status
from riel.errors import FieldProblem, MalformedRequestError
from riel.services.list_payments import MAX_LIMIT, ListingQuery

CODE = "invalid_parameter"
_LIMIT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
# RFC 3339, section 5.6, or its date alone. A `+` that was not percent-encoded arrives as a
# space, which can stand nowhere else, so it is read as what was meant.
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:T((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]{1,18}))?"
    r"(Z|[-+ ](?:[01][0-9]|2[0-3]):[0-5][0-9]))?",
    re.ASCII | re.IGNORECASE,
)


def read_query(parameters: Mapping[str, str] | None) -> ListingQuery:
    """Read the parameters; raises MalformedRequestError with one problem for each bad one.

    The cursor is only passed on: whether it is good, the service finds out.
    """
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, text in (parameters or {}).items():
        try:
            values[name] = _READERS.get(name, _unknown)(text)
        except ValueError as error:
            field = name if is_plain_name(name) else "(unknown parameter)"
            problems.append(FieldProblem(field, CODE, str(error)))
    if problems:
        words = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
        raise MalformedRequestError(words, code=CODE, problems=tuple(problems))
    return ListingQuery(**values)


def _limit(text: str) -> int:
    if not _LIMIT.fullmatch(text) or int(text) > MAX_LIMIT:
        raise ValueError(f"one whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        raise ValueError(f"one of {', '.join(Status)}") from None


def _instant(text: str) -> datetime:
    """Read an instant, up to the next whole millisecond: those of payments have no finer one."""
    match = _INSTANT.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        date, time, fraction, offset = match.groups("")
        zone = offset.upper().replace(" ", "+") or "Z"
        whole = datetime.fromisoformat(f"{date}T{time or '00:00:00'}{zone}").astimezone(UTC)
        return whole + timedelta(milliseconds=_milliseconds(fraction))
    except (ValueError, OverflowError):
        raise ValueError(
            "one time like 2026-04-17T12:00:00Z (RFC 3339, with Z or an offset), or one date like"
            " 2026-04-17 (midnight UTC)"
        ) from None


def _milliseconds(fraction: str) -> int:
    """Turn the digits after the point into milliseconds, rounded up."""
    digits = fraction.ljust(3, "0")
    return int(digits[:3]) + (digits[3:].strip("0") != "")


def _unknown(_: str) -> None:
    raise ValueError(f"no such parameter; there are {', '.join(_READERS)}")


_READERS: dict[str, Callable[[str], Any]] = {
    "limit": _limit,
    "cursor": str,
    "status": _status,
    "created_from": _instant,
    "created_to": _instant,
}
