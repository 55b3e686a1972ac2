"""A webhook is sent by h11 on a socket: no general client is imported for it."""

from __future__ import annotations

import pytest

from tests.unit.api.test_cold_start import imported_by

READY = "import functions.webhook_sender.handler as h; h._app.webhook_client"


@pytest.mark.parametrize("name", ["httpx", "httpcore", "anyio", "idna", "encodings.idna"])
def test_sending_imports_nothing_that_one_post_does_not_need(name: str) -> None:
    modules = imported_by(f"import os; os.environ.update(AWS_DEFAULT_REGION='us-east-1'); {READY}")

    assert {"h11", "riel.webhooks.sending"} <= set(modules)
    assert not [found for found in modules if found == name or found.startswith(f"{name}.")]
