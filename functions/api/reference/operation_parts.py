"""What the operations of the document are put together from."""

from __future__ import annotations

from typing import Any

from functions.api.reference.parts import Json, headers, problem_response, ref

SENT_WITH_POST = ("IdempotencyKey", "RequestId", "Traceparent")
KEY_CODES = ("idempotency_key_missing", "idempotency_key_invalid")


def operation(
    name: str,
    tag: str,
    summary: str,
    description: str,
    *,
    parameters: tuple[str, ...] = ("RequestId",),
    responses: dict[int, Json],
    **more: Any,
) -> Json:
    """Describe one operation; `parameters` are named components."""
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "parameters": [ref("parameters", parameter) for parameter in parameters],
        **more,
        "responses": {str(status): responses[status] for status in sorted(responses)},
    }


def problems(*statuses: int, **codes: tuple[str, ...]) -> dict[int, Json]:
    """Error answers by status; `s400=(…)` narrows the codes of one."""
    return {status: problem_response(status, codes.get(f"s{status}", ())) for status in statuses}


def answer(
    description: str, schema: str, shown: dict[str, Any], *names: str, always: tuple[str, ...]
) -> Json:
    """Describe an answer of JSON; `names` are its headers beside `always`."""
    content = {"schema": ref("schemas", schema), "examples": shown_as(shown)}
    return {
        "description": description,
        "headers": headers((*always, *names)),
        "content": {"application/json": content},
    }


def shown_as(values: dict[str, Any]) -> Json:
    """Name examples."""
    return {name: {"value": value} for name, value in values.items()}
