"""The demo merchant: written through the product's own code, so that it is stored as any other."""

from __future__ import annotations

from typing import Final

from infra.local.aws import CREDENTIALS
from infra.local.engine import REGION
from infra.names import Names
from infra.stages import LOCAL
from riel.app import App
from riel.config import Config
from riel.services.merchants import seed_merchant
from riel.store.merchants import Limits

DEMO_MERCHANT_ID: Final = "demo"
# The published keys of the contract: they open this machine's local stage and nothing else.
DEMO_API_KEY: Final = "secret-api-key"
DEMO_WEBHOOK_SECRET: Final = "whsec_cmllbC1kZW1vLXdlYmhvb2stc2VjcmV0LTAwMDE="


def seed_demo_merchant(endpoint: str, merchants_table: str) -> None:
    """Write the merchant `demo` into a deployed merchants table; one that is there stays as it is.

    Only the local stage calls this, so no other stage ever knows the published key.
    """
    app = App(
        Config(merchants_table=merchants_table, webhook_key=Names(LOCAL.name).webhook_key),
        aws={
            "endpoint_url": endpoint,
            "region_name": REGION,
            "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        },
    )
    seed_merchant(
        app,
        merchant_id=DEMO_MERCHANT_ID,
        name="Demo",
        api_key=DEMO_API_KEY,
        webhook_secret=DEMO_WEBHOOK_SECRET,
        limits=Limits(LOCAL.merchant_limits.rate, LOCAL.merchant_limits.burst),
    )
