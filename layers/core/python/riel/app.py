"""The composition root: the only place that builds clients.

An `App` is built once for each execution environment and reused by its invocations. Everything
is built on first use, so a function pays for what it uses. Tests and simulations pass their own
clock, randomness or clients instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config as BotoConfig

from riel import __version__, threads
from riel.clock import Clock, utc_now
from riel.config import Config
from riel.store.limits import LimitStore
from riel.store.merchants import MerchantStore
from riel.store.payments import PaymentStore
from riel.webhooks.egress import Resolver, system_resolver

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

    from riel.gateways.base import EventReader, Gateway, KeptEventReader
    from riel.gateways.routing import Route
    from riel.services.backlog import BacklogMeter, Backlogs
    from riel.services.breaker import Breakers
    from riel.services.gateway_secrets import GatewaySecrets
    from riel.services.host_breakers import HostBreakers
    from riel.services.rate_limit import RateLimiter
    from riel.services.stored_answers import StoredAnswers
    from riel.services.switches import Switches
    from riel.services.webhook_secrets import WebhookSecrets
    from riel.store.acknowledgements import AcknowledgementStore
    from riel.store.deliveries import DeliveryStore
    from riel.store.due import DueStore
    from riel.store.effects import EffectStore
    from riel.store.endpoints import EndpointStore
    from riel.store.hosts import HostStore
    from riel.store.inbox import InboxStore
    from riel.store.listing import ListingStore
    from riel.store.outbox import OutboxStore
    from riel.store.quarantine import QuarantineStore
    from riel.store.queues import Queue
    from riel.store.refunds import RefundStore
    from riel.store.secret_box import SecretBox
    from riel.store.secrets import SecretStore
    from riel.store.switches import SwitchStore
    from riel.store.watermarks import WatermarkStore
    from riel.store.whole_payments import WholePaymentStore
    from riel.webhooks.sending import WebhookClient

# Two calls that hang, and the pauses between, leave the API time to answer 503: a test compares.
READ_TIMEOUT_SECONDS = 2
MAX_ATTEMPTS = 2
_BOTO = BotoConfig(
    connect_timeout=1,
    read_timeout=READ_TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
    max_pool_connections=50,
    # One place builds our items and keys; validating them again costs a fifth of each call.
    parameter_validation=False,
    # boto's own has sixteen parts, made anew twice a call: a tenth of an accepted payment.
    user_agent=f"riel/{__version__}",
)


class App:
    """Clients and stores, built on first use."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock = utc_now,
        random: Random | None = None,
        resolver: Resolver = system_resolver,
        aws: Mapping[str, Any] | None = None,
    ) -> None:
        """`aws` holds extra arguments for every client (`endpoint_url`, `region_name`, …)."""
        self.config = config
        self.clock = clock
        self.random = random or Random()
        self.resolver = resolver
        self._aws = dict(aws or {})
        self._session = boto3.session.Session()
        # Clients may be shared between threads; making two of them at once may not.
        self._making = threads.Lock()

    @classmethod
    def from_environment(cls) -> App:
        """Build the app of a Lambda function."""
        return cls(Config.from_environment())

    def client(self, service: str) -> Any:
        """Build a client of any AWS service; the operator's command line uses this too."""
        with self._making:
            return self._session.client(service, config=_BOTO, **self._aws)  # type: ignore[call-overload]

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The DynamoDB client."""
        return cast("DynamoDBClient", self.client("dynamodb"))

    @cached_property
    def sqs(self) -> SQSClient:
        """The SQS client."""
        return cast("SQSClient", self.client("sqs"))

    @cached_property
    def payments(self) -> PaymentStore:
        """Payments and the outbox that changes with them."""
        tables = self.config.required("payments_table"), self.config.required("outbox_table")
        return PaymentStore(self.dynamodb, *tables)

    @cached_property
    def refunds(self) -> RefundStore:
        """Refunds, and what their payments count of them."""
        from riel.store.refunds import RefundStore

        required = self.config.required
        return RefundStore(self.dynamodb, required("payments_table"), required("outbox_table"))

    @cached_property
    def deliveries(self) -> DeliveryStore:
        """Webhook deliveries."""
        from riel.store.deliveries import DeliveryStore

        return DeliveryStore(self.dynamodb, self.config.required("payments_table"))

    @cached_property
    def whole_payments(self) -> WholePaymentStore:
        """Payments with their refunds and deliveries."""
        from riel.store.whole_payments import WholePaymentStore

        return WholePaymentStore(self.dynamodb, self.config.required("payments_table"))

    @cached_property
    def endpoints(self) -> EndpointStore:
        """Merchants' endpoints that fail."""
        from riel.store.endpoints import EndpointStore

        return EndpointStore(self.dynamodb, self.config.required("payments_table"), self.clock)

    @cached_property
    def hosts(self) -> HostStore:
        """Hosts that webhooks go to."""
        from riel.store.hosts import HostStore

        return HostStore(self.dynamodb, self.config.required("limits_table"))

    @cached_property
    def host_breakers(self) -> HostBreakers:
        """Whom this environment's webhooks may call now."""
        from riel.services.host_breakers import HostBreakers

        return HostBreakers(self)

    @cached_property
    def secret_box(self) -> SecretBox:
        """What is kept sealed under KMS."""
        from riel.store.secret_box import SecretBox

        return SecretBox(self.client("kms"), self.config.required("webhook_key"))

    @cached_property
    def webhook_secrets(self) -> WebhookSecrets:
        """The secrets by which merchants' webhooks are signed."""
        from riel.services.webhook_secrets import WebhookSecrets

        return WebhookSecrets(self)

    @cached_property
    def inbox(self) -> InboxStore:
        """Events of PSPs, and what became of them."""
        from riel.store.inbox import InboxStore

        return InboxStore(self.dynamodb, self.config.required("payments_table"))

    @cached_property
    def acknowledgements(self) -> AcknowledgementStore:
        """What operators have dealt with."""
        from riel.store.acknowledgements import AcknowledgementStore

        return AcknowledgementStore(self.dynamodb, self.config.required("payments_table"))

    @cached_property
    def secrets(self) -> SecretStore:
        """Secrets Manager."""
        from riel.store.secrets import SecretStore

        return SecretStore(self.client("secretsmanager"))

    @cached_property
    def gateway_secrets(self) -> GatewaySecrets:
        """What this environment knows of the secrets by which gateways sign."""
        from riel.services.gateway_secrets import GatewaySecrets

        return GatewaySecrets(self)

    @cached_property
    def listing(self) -> ListingStore:
        """Payments by time."""
        from riel.store.listing import ListingStore

        return ListingStore(self.dynamodb, self.config.required("payments_table"))

    @cached_property
    def outbox(self) -> OutboxStore:
        """The outbox by range of time."""
        from riel.store.outbox import OutboxStore

        return OutboxStore(self.dynamodb, self.config.required("outbox_table"))

    @cached_property
    def due(self) -> DueStore:
        """What waits for a time."""
        from riel.store.due import DueStore

        return DueStore(self.dynamodb, self.config.required("payments_table"))

    @cached_property
    def effects(self) -> EffectStore:
        """What events should have caused."""
        from riel.store.effects import EffectStore

        return EffectStore(self.dynamodb, self.config.required("payments_table"))

    @cached_property
    def quarantine(self) -> QuarantineStore:
        """Dead letters that an operator put aside."""
        from riel.store.quarantine import QuarantineStore

        return QuarantineStore(self.dynamodb, self.config.required("payments_table"))

    @cached_property
    def watermarks(self) -> WatermarkStore:
        """How far the sweeper has come with the outbox."""
        from riel.store.watermarks import WatermarkStore

        return WatermarkStore(self.dynamodb, self.config.required("limits_table"))

    @cached_property
    def merchants(self) -> MerchantStore:
        """Merchants and API keys."""
        return MerchantStore(self.dynamodb, self.config.required("merchants_table"), self.clock)

    @cached_property
    def switch_store(self) -> SwitchStore:
        """Kill switches as they are stored."""
        from riel.store.switches import SwitchStore

        return SwitchStore(self.dynamodb, self.config.required("merchants_table"))

    @cached_property
    def switches(self) -> Switches:
        """What this environment knows of the kill switches."""
        from riel.services.switches import Switches

        return Switches(self)

    @cached_property
    def limits(self) -> LimitStore:
        """Token buckets of merchants and backlogs of gateways."""
        return LimitStore(self.dynamodb, self.config.required("limits_table"))

    @cached_property
    def rate_limiter(self) -> RateLimiter:
        """What this environment has leased of the merchants' limits."""
        from riel.services.rate_limit import RateLimiter

        return RateLimiter(self.limits)

    @cached_property
    def backlogs(self) -> Backlogs:
        """What this environment knows of the payments that wait."""
        from riel.services.backlog import Backlogs

        return Backlogs(self)

    @cached_property
    def backlog_meter(self) -> BacklogMeter:
        """Measures the payments that wait, in the processor."""
        from riel.services.backlog import BacklogMeter

        return BacklogMeter(self)

    @cached_property
    def stored_answers(self) -> StoredAnswers:
        """Answers of the POSTs that are not payments."""
        from riel.services.stored_answers import StoredAnswers

        return StoredAnswers(self)

    @cached_property
    def breakers(self) -> Breakers:
        """What this environment has seen of the gateways' failures."""
        from riel.services.breaker import Breakers

        config = self.config
        return Breakers(config.breaker_failures, timedelta(seconds=config.breaker_seconds))

    @cached_property
    def payments_queue(self) -> Queue:
        """Payments that wait for their gateway step."""
        return self._queue("payments_queue")

    @cached_property
    def webhooks_queue(self) -> Queue:
        """Webhooks that wait to be sent; fair between merchants."""
        return self._queue("webhooks_queue", group_by="merchant_id")

    @cached_property
    def webhooks_dlq(self) -> Queue:
        """Webhooks that are out of attempts."""
        return self._queue("webhooks_dlq")

    @cached_property
    def gateway_events_queue(self) -> Queue:
        """Events of PSPs that wait to be looked into."""
        return self._queue("gateway_events_queue")

    def gateway_queue(self, gateway: str) -> Queue:
        """The queue in which a gateway's payments wait: its own, so that it slows no other."""
        return self._gateway_queues.get(gateway) or self.payments_queue

    def queue_named(self, name: str) -> Queue | None:
        """Find the queue of a gateway's steps, or of PSPs' events, by its own name."""
        config = self.config
        shared = config.payments_queue_url, config.gateway_events_queue_url
        urls = (*shared, *config.gateway_queues.values())
        return next((self._open(url) for url in urls if url.rpartition("/")[2] == name), None)

    @cached_property
    def _gateway_queues(self) -> dict[str, Queue]:
        return {name: self._open(url) for name, url in self.config.gateway_queues.items()}

    def _queue(self, name: str, group_by: str = "") -> Queue:
        return self._open(self.config.required(f"{name}_url"), group_by)

    def _open(self, url: str, group_by: str = "") -> Queue:
        from riel.store.queues import Queue

        return Queue(self.sqs, url, group_by)

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """Which payments go to which gateways."""
        from riel.gateways.routing import parse_routes

        return parse_routes(self.config.routes)

    @property
    def configured_gateways(self) -> frozenset[str]:
        """Names of the gateways that this stage has."""
        return frozenset(name for route in self.routes for name in route.gateways)

    @cached_property
    def gateways(self) -> dict[str, Gateway]:
        """The adapters of the configured gateways."""
        from riel.gateways.simulator import SimulatorGateway
        from riel.gateways.simulator_client import new_client

        config = self.config
        if not config.simulator_url:
            return {}
        signs = self._session if config.simulator_auth == "iam" else None
        client = new_client(config.simulator_url, config.gateway_timeout_seconds, signs)
        return {name: SimulatorGateway(client, name) for name in ("simulator", "standby")}

    @cached_property
    def event_readers(self) -> dict[str, EventReader]:
        """How the events of each gateway are verified and read, without what a call to it needs."""
        from riel.gateways.simulator_events import parse_event

        if not self.config.simulator_secret:
            return {}
        return dict.fromkeys(("simulator", "standby"), parse_event)

    @cached_property
    def kept_event_readers(self) -> dict[str, KeptEventReader]:
        """How the events of each gateway are read again, once they were verified and kept."""
        from riel.gateways.simulator_events import read_event

        return dict.fromkeys(("simulator", "standby"), read_event)

    @cached_property
    def webhook_client(self) -> WebhookClient:
        """What sends to merchants' endpoints."""
        from riel.webhooks.sending import WebhookClient

        return WebhookClient()
