"""Spans of a list: which positions lie in them."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from riel import ids
from riel.domain.instants import to_text
from riel.store.listing import Span
from tests.builders import NOON

milliseconds = st.integers(-3, 3).map(lambda n: timedelta(milliseconds=n))
bounds = st.none() | milliseconds
positions = st.builds(
    lambda after, n: (
        NOON + after,
        f"{to_text(NOON + after)}#{ids.payment_id('m', False, str(n))}",
    ),
    milliseconds,
    st.integers(0, 30),
)


@given(bounds, bounds, st.none() | positions, positions)
def test_a_span_holds_what_lies_between_its_instants_and_after_its_position(
    begin: timedelta | None,
    end: timedelta | None,
    after: tuple[datetime, str] | None,
    position: tuple[datetime, str],
) -> None:
    created_from = None if begin is None else NOON + begin
    created_to = None if end is None else NOON + end
    at, text = position

    span = Span.of(created_from, created_to, after[1] if after else None)

    is_wanted = (
        (created_from is None or at >= created_from)
        and (created_to is None or at < created_to)
        and (after is None or text < after[1])
    )
    assert (span.first <= text <= span.last) is is_wanted
