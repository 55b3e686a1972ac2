"""Every error can be worded, and a defect of ours says nothing of itself."""

from __future__ import annotations

import pytest

from riel import errors
from riel.problems import TITLES, problem_body, problem_headers


def test_a_problem_names_the_error_the_request_and_each_field() -> None:
    error = errors.MalformedRequestError("too long", "invalid_parameter", "limit")

    assert problem_body(error, "req-1") == {
        "type": "/docs#invalid_parameter",
        "title": "Bad Request",
        "status": 400,
        "detail": "too long",
        "code": "invalid_parameter",
        "request_id": "req-1",
        "errors": [{"field": "limit", "code": "invalid_parameter", "message": "too long"}],
    }


def test_a_defect_tells_its_code_alone() -> None:
    body = problem_body(errors.UnmappedAnswerError("the secret inside"), "req-1")

    assert (body["type"], body["code"]) == ("about:blank", "psp_unmapped_status")
    assert "secret" not in str(body)


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (errors.StoreUnavailableError("down"), {"Retry-After": "1"}),
        (errors.MethodNotAllowedError("POST"), {"Allow": "POST"}),
        (errors.SignatureInvalidError("no"), {}),
    ],
)
def test_an_error_says_in_headers_what_a_client_can_act_on(
    error: errors.RielError, headers: dict[str, str]
) -> None:
    assert problem_headers(error) == headers


def test_every_status_has_a_title() -> None:
    def statuses(error: type[errors.RielError]) -> set[int]:
        return {error.status}.union(*(statuses(below) for below in error.__subclasses__()))

    assert statuses(errors.RielError) <= set(TITLES)
