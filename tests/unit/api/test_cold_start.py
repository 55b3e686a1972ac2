"""What a cold start of the API imports: counted, because every module of it is billed.

`make benchmark` measures what it costs; this notices the commit that adds to it.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
import sys

import pytest

MODULES_BESIDE_BOTO3 = 275
"""How many modules more than boto3 with one client. Raise it only with `make benchmark` green."""

NOT_FOR_POSTING = (
    # The gateways' and webhooks' client, tracing, and what only other routes or functions use.
    "httpx", "httpcore", "aws_xray_sdk", "awscrt", "jinja2", "pydantic.v1", "email_validator",
    "aws_lambda_powertools.utilities.batch", "aws_lambda_powertools.utilities.parser",
    "functions.api.answers", "functions.api.answer_parts", "functions.api.webhook_answers",
    "functions.api.openapi", "functions.api.listing_query",
    "functions.api.reference", "functions.api.refund_request",
    "riel.domain.refund", "riel.gateways.base", "riel.gateways.simulator", "riel.webhooks.sending",
    "riel.webhooks.signing",
    "riel.store.deliveries", "riel.store.queues", "riel.store.whole_payments",
    "riel.store.listing", "riel.store.merchant_records", "riel.store.refunds",
    "riel.services.allowed_actions", "riel.services.cancel_payment",
    "riel.services.create_refund", "riel.services.health", "riel.services.list_deliveries",
    "riel.services.list_payments",
    "riel.services.merchants", "riel.services.read_payment", "riel.services.read_refunds",
    "riel.services.redeliver_deliveries", "riel.services.stored_answers",
)  # fmt: skip

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "test",
    "RIEL_SIMULATOR_URL": "http://127.0.0.1:9",
    **{
        f"RIEL_{table}_TABLE": "table"
        for table in ("PAYMENTS", "OUTBOX", "MERCHANTS", "IDEMPOTENCY", "LIMITS")
    },
}


@functools.cache
def imported_by(statement: str) -> frozenset[str]:
    """The modules of a fresh interpreter after one statement."""
    # -S: what an environment's own .pth files import is not the function's doing.
    run = f"import sys; sys.path[:] = {sys.path!r}; {statement}; import json;"
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"{run} print(json.dumps(list(sys.modules)))"],
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
    )
    return frozenset(json.loads(result.stdout.splitlines()[-1]))


def test_a_cold_start_imports_no_more_than_its_budget() -> None:
    boto3 = imported_by("import boto3; boto3.client('dynamodb')")

    beside = sorted(imported_by("import functions.api.handler") - boto3)

    assert "functions.api.routes" in beside
    assert len(beside) <= MODULES_BESIDE_BOTO3, beside


@pytest.mark.parametrize("name", NOT_FOR_POSTING)
def test_a_cold_start_does_not_import_what_posting_does_not_need(name: str) -> None:
    modules = imported_by("import functions.api.handler")

    if name.startswith(("riel.", "functions.")):
        assert importlib.util.find_spec(name), "a name that is gone proves nothing"
    assert not [found for found in modules if found == name or found.startswith(f"{name}.")]
