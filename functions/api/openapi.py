"""Write the OpenAPI document and the documentation page from the code.

`python -m functions.api.openapi` writes both; with `--check` it compares and tells what to run.
Never imported by the handler: the API reads the written files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from functions.api.answers import ANSWERS
from functions.api.reference import DOCUMENT_FILE, FOLDER, PAGE_FILE
from functions.api.reference.examples import ORDER, REFUND_ORDER
from functions.api.reference.merchant_events import webhooks
from functions.api.reference.operations import paths
from functions.api.reference.page import render
from functions.api.reference.parts import (
    GATEWAY_MESSAGE,
    HEADERS,
    PARAMETERS,
    Json,
    field_code_schema,
)
from functions.api.refund_request import CreateRefundRequest
from functions.api.schemas import CreatePaymentRequest, EmptyRequest
from riel.domain.currencies import EXPONENTS

COMMAND = "python -m functions.api.openapi"
_TAGS = {
    "Payments": "Take a payment, look at it, cancel it.",
    "Refunds": "Give money back, and see what became of it.",
    "Webhooks": "See what you were told of a payment, and be told again.",
    "Idempotency": "Find out what a retry would find.",
    "Service": "Whether the API is well, and what it can do.",
    "Events": "What Riel sends to your `webhook_url`.",
}
_FIELDS = {
    "amount": "Major units above zero: a decimal string, or an integer. At most 12 digits before"
    " the point and as many after it as the currency has; no sign, no exponent, no leading zero,"
    " and never a JSON float. `oxxo` takes 10.00 to 10000.00.",
    "currency": "ISO 4217, upper-case. `oxxo` and `spei` take MXN only.",
    "method": "How the payer pays. Without a gateway for it: `503` with `method_unavailable`.",
    "description": "For people. No card numbers.",
    "metadata": "Up to 50 pairs of texts of yours; they come back with the payment and its events."
    " Keys have 1 to 40 characters, values at most 500. No card numbers.",
    "webhook_url": "Where events go: `https`, port 443, a public host. On the local stage also"
    " `http://127.0.0.1:PORT`.",
    "payment_method_token": "The PSP's token for the card. Never a card number.",
    "reference": "Your own order id. At most one payment that has not failed, expired or been"
    " canceled may have it. No card numbers.",
}
_REFUND_FIELDS = {
    "amount": "Major units, written as a payment's amount is, with the decimals of the payment's"
    " currency. Left out: all that can still be refunded.",
    "reason": "Why, for people. It comes back with the refund, and the payer is not told. No card"
    " numbers.",
}
_MORE: dict[str, Json] = {
    "amount": {
        "type": ["string", "integer"],
        "minimum": 1,
        "maximum": 999_999_999_999,
        "pattern": r"^(?:[1-9][0-9]{0,11}(?:\.[0-9]{1,4})?"
        r"|0\.(?:[1-9][0-9]{0,3}|0[1-9][0-9]{0,2}|00[1-9][0-9]?|000[1-9]))$",
    },
    "currency": {"enum": sorted(EXPONENTS)},
    "webhook_url": {"format": "uri", "maxLength": 2_048},
}


def build() -> Json:
    """Build the document; the same code gives the same document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Riel",
            "version": "1.0.0",
            "summary": "Takes payments, never charges twice, and tells what became of them.",
            "description": (FOLDER / "guides.md").read_text(encoding="utf-8"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "security": [{"ApiKey": []}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths(),
        "webhooks": webhooks(),
        "components": {
            "securitySchemes": {
                "ApiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "Names the merchant and the mode.",
                }
            },
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "schemas": _schemas(),
        },
    }


def _schemas() -> dict[str, Json]:
    requests = (CreatePaymentRequest, CreateRefundRequest, EmptyRequest)
    models = [(model, "validation") for model in (*requests, *ANSWERS)]
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: dict[str, Json] = {
        name: _without_titles(schema) for name, schema in found["$defs"].items()
    }
    for name, schema in schemas.items():
        # Answers may grow, so what describes them must not forbid what it does not know.
        if not name.endswith("Request"):
            schema.pop("additionalProperties", None)
    _describe(schemas["CreatePaymentRequest"], _FIELDS, ORDER)
    _describe(schemas["CreateRefundRequest"], _REFUND_FIELDS, REFUND_ORDER)
    schemas["ProblemField"]["properties"]["code"] = field_code_schema()
    schemas["GatewayMessage"] = GATEWAY_MESSAGE
    return dict(sorted(schemas.items()))


def _describe(schema: Json, words: Mapping[str, str], shown: Mapping[str, Any]) -> None:
    """Give a request's fields what pydantic does not know: meaning, examples, and their form."""
    properties: dict[str, Json] = schema["properties"]
    for name, field in properties.items():
        target = next((s for s in field.get("anyOf", ()) if s.get("type") != "null"), field)
        target.update(_MORE.get(name, {}))
        field["description"] = words[name]
        field["examples"] = [shown[name]]
        if name == "amount":
            field.pop("default", None)  # absent is not a text that could be sent
    schema["properties"] = {name: properties[name] for name in words}


def _without_titles(schema: Any) -> Any:
    """Drop pydantic's titles, which repeat the names (a field named `title` is no title)."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }


def files() -> dict[Path, str]:
    """Both files as they have to be."""
    document = build()
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    return {DOCUMENT_FILE: text, PAGE_FILE: render(document)}


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with `--check` say whether they are as they have to be."""
    expected = files()
    if "--check" not in arguments:
        for path, text in expected.items():
            path.write_text(text, encoding="utf-8", newline="\n")
        return 0
    stale = [path for path, text in expected.items() if _read(path) != text]
    for path in stale:
        sys.stderr.write(f"{path.name} is out of date; run: {COMMAND}\n")
    return 1 if stale else 0


def _read(path: Path) -> str:
    return path.read_bytes().decode() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
