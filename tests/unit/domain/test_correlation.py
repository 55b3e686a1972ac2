"""What a caller may put into our logs."""

from __future__ import annotations

import pytest

from riel.domain.correlation import request_id, traceparent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("sent", ["r", "req-42", "a.b:c_d", "x" * 128])
def test_a_valid_request_id_is_the_callers(sent: str) -> None:
    assert request_id(sent, "ours") == sent


@pytest.mark.parametrize(
    "sent",
    [None, "", "x" * 129, "a b", "a\n", "é", "sk_test_secret", "4242424242424242"],
)  # fmt: skip
def test_anything_else_is_not_repeated(sent: str | None) -> None:
    assert request_id(sent, "ours") == "ours"


def test_a_trace_goes_on_and_anything_else_starts_none() -> None:
    assert traceparent(TRACE) == TRACE
    for sent in (None, "", TRACE[:-1], TRACE.upper(), f"{TRACE}\n", "01" + TRACE[2:]):
        assert traceparent(sent) == ""
