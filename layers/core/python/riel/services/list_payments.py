"""List a merchant's payments, newest first, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from riel.domain.instants import to_text
from riel.domain.payment import Payment, Status
from riel.ids import mode
from riel.services.listing_cursor import ListingCursors
from riel.services.read_payment import payment_view
from riel.store.listing import Span
from riel.store.merchants import Caller

if TYPE_CHECKING:
    from riel.app import App

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_EXAMINED = 100
"""Payments that one page looks at for those of a status: the index holds keys only."""
MAX_PAGE_BYTES = 2_500_000
"""A function answers 6 MB at most, in which the page is a text: escaped, it may double."""
_READ_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class ListingQuery:
    """What is asked for: created_from <= created_at < created_to, in whole milliseconds."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None
    status: Status | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


def list_payments(app: App, caller: Caller, query: ListingQuery) -> dict[str, Any]:
    """Return one page: `data`, `has_more`, `next_cursor`.

    A new payment may be missing for a second (for 30 after its merchant got more shards, until
    every environment knows). A page is short when it examined MAX_EXAMINED payments or reached
    MAX_PAGE_BYTES. Raises MalformedRequestError for a cursor that is not of this very list.
    """
    cursors, now = _cursors(caller, query), app.clock()
    after = cursors.read(query.cursor, now) if query.cursor is not None else None
    span = Span.of(query.created_from, query.created_to, after)
    examined = MAX_EXAMINED if query.status else query.limit
    listing = app.listing
    # One key more than is examined tells whether there are more.
    positions = listing.newest(caller, span, examined + 1)
    at_once = max(query.limit, _READ_AT_ONCE)
    data, last = _page(query, listing.payments(positions[:examined], at_once))
    has_more = last is not None and last != positions[-1]
    next_cursor = cursors.write(last, now) if last is not None and has_more else None
    return {"data": data, "has_more": has_more, "next_cursor": next_cursor}


def _page(
    query: ListingQuery, payments: Iterable[tuple[str, Payment | None]]
) -> tuple[list[dict[str, Any]], str | None]:
    """Fill a page; return it and the position of the last payment that was examined."""
    data: list[dict[str, Any]] = []
    last, room = None, MAX_PAGE_BYTES
    for position, payment in payments:
        if payment is not None and query.status in (None, payment.status):
            view = payment_view(payment)
            room -= len(json.dumps(view, ensure_ascii=False).encode())
            if data and room < 0:
                break
            data.append(view)
        last = position
        if len(data) == query.limit:
            break
    return data, last


def _cursors(caller: Caller, query: ListingQuery) -> ListingCursors:
    bounds = (query.created_from, query.created_to)
    scope = (
        caller.merchant_id,
        mode(caller.livemode),
        query.status or "",
        *(to_text(bound) if bound else "" for bound in bounds),
    )
    return ListingCursors(caller.merchant.cursor_secret, scope)
