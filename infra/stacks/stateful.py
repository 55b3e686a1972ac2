"""What must never be lost: the tables, the key of merchants' secrets, and a gateway's secret."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.components.gateway_secret import GatewaySecret
from infra.components.table import Table
from infra.components.webhook_key import WebhookKey
from infra.names import SIMULATOR
from infra.stages import SimulatorPlace, Stage


class StatefulStack(Stack):
    """The tables and keys of a stage; the stateless stack comes and goes without touching them."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, **options: Any
    ) -> None:
        super().__init__(scope, construct_id, **options)
        # Only what came from a gateway's webhook carries a time to live; all else stays for ever.
        self.payments = Table(
            self,
            "Payments",
            stage=stage,
            name="payments",
            sort_key=True,
            time_to_live="expires_at",
        )
        self.payments.add_keys_only_index("listing")
        # Sparse: what waits for minutes or days, and never the card payment that just goes through.
        self.payments.add_keys_only_index("due")
        # The only table with a stream: an event is published because it stands here.
        self.outbox = Table(
            self,
            "Outbox",
            stage=stage,
            name="outbox",
            sort_key=True,
            time_to_live="expires_at",
            stream=dynamodb.StreamViewType.NEW_IMAGE,
        )
        self.merchants = Table(self, "Merchants", stage=stage, name="merchants")
        self.webhook_key = WebhookKey(self, "WebhookKey", stage=stage)
        # Answers of the POSTs that are not payments; each expires by itself.
        self.idempotency = Table(
            self, "Idempotency", stage=stage, name="idempotency", time_to_live="expires_at"
        )
        # Token buckets of merchants and backlogs of gateways: what is lost here is counted anew.
        self.limits = Table(self, "Limits", stage=stage, name="limits", time_to_live="expires_at")
        self.simulator: Table | None = None
        if stage.simulator is SimulatorPlace.FUNCTION:
            self.simulator = Table(self, "Simulator", stage=stage, name=SIMULATOR)
        self.simulator_secret: GatewaySecret | None = None
        if stage.simulator is not SimulatorPlace.NONE:
            self.simulator_secret = GatewaySecret(
                self, "SimulatorSecret", stage=stage, gateway=SIMULATOR
            )
