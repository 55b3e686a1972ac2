"""Errors as answers of the API, in the words of `riel.problems`."""

from __future__ import annotations

import json
import re

from aws_lambda_powertools.event_handler import Response

from riel.errors import RielError
from riel.problems import CONTENT_TYPE, problem_body, problem_headers

_PLAIN_NAME = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)


def is_plain_name(sent: str) -> bool:
    """Whether a sent name is repeated, so that a typo is found; nothing else sent ever is."""
    return _PLAIN_NAME.fullmatch(sent) is not None


def problem(error: RielError, request_id: str) -> Response[str]:
    """Word an error for the caller."""
    return Response(
        status_code=error.status,
        content_type=CONTENT_TYPE,
        body=json.dumps(problem_body(error, request_id), ensure_ascii=False),
        headers={**problem_headers(error)},
    )
