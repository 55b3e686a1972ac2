"""A PSP waits seconds for its answer, and a cold start is most of it: no client is imported."""

from __future__ import annotations

import pytest

from tests.unit.api.test_cold_start import imported_by

# Asked for as the first event asks for it.
READY = "import functions.gateway_webhooks.handler as h; h._app.event_readers; h._app.inbox"
NOT_FOR_RECEIVING = (
    "httpx", "httpcore", "pydantic", "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.batch", "riel.gateways.simulator",
    "riel.services.process_payment", "riel.services.process_gateway_event",
)  # fmt: skip


@pytest.mark.parametrize("name", NOT_FOR_RECEIVING)
def test_taking_an_event_imports_nothing_that_only_looking_into_it_needs(name: str) -> None:
    set_up = (
        "import os; os.environ.update(RIEL_SIMULATOR_SECRET='s', RIEL_PAYMENTS_TABLE='t',"
        " AWS_DEFAULT_REGION='us-east-1')"
    )
    modules = imported_by(f"{set_up}; {READY}")

    assert "riel.gateways.simulator_events" in modules
    assert not [found for found in modules if found == name or found.startswith(f"{name}.")]
