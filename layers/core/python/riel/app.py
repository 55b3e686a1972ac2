"""The composition root: the only place that builds clients.

An `App` is built once for each execution environment and reused by its invocations. Everything
is built on first use, so a function pays for what it uses. Tests and simulations pass their own
clock, randomness or clients instead.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as BotoConfig

from riel import __version__
from riel.clock import Clock, utc_now
from riel.config import Config
from riel.store.limits import LimitStore
from riel.store.merchants import MerchantStore
from riel.store.payments import PaymentStore
from riel.webhooks.egress import Resolver, system_resolver

if TYPE_CHECKING:
    import httpx
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

    from riel.gateways.base import Gateway
    from riel.services.backlog import BacklogMeter, Backlogs
    from riel.services.rate_limit import RateLimiter
    from riel.services.stored_answers import StoredAnswers
    from riel.store.deliveries import DeliveryStore
    from riel.store.listing import ListingStore
    from riel.store.outbox import OutboxStore
    from riel.store.queues import Queue

# Two calls that hang, and the SDK's pauses between their attempts, must leave the API its time to
# answer 503 (a test compares them).
READ_TIMEOUT_SECONDS = 2
MAX_ATTEMPTS = 2
_BOTO = BotoConfig(
    connect_timeout=1,
    read_timeout=READ_TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
    max_pool_connections=50,
    # Our own items and keys are built in one place and tested; validating them again on every
    # call costs a fifth of the call.
    parameter_validation=False,
    # boto's own text has sixteen parts and is put together twice for every call, which costs nearly
    # a tenth of an accepted payment.
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
        self._making = threading.Lock()

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
        client: DynamoDBClient = self.client("dynamodb")
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """The SQS client."""
        client: SQSClient = self.client("sqs")
        return client

    @cached_property
    def payments(self) -> PaymentStore:
        """Payments and the outbox that changes with them."""
        tables = self.config.required("payments_table"), self.config.required("outbox_table")
        return PaymentStore(self.dynamodb, *tables)

    @cached_property
    def deliveries(self) -> DeliveryStore:
        """Webhook deliveries."""
        from riel.store.deliveries import DeliveryStore

        return DeliveryStore(self.dynamodb, self.config.required("payments_table"))

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
    def merchants(self) -> MerchantStore:
        """Merchants and API keys."""
        return MerchantStore(self.dynamodb, self.config.required("merchants_table"), self.clock)

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
    def payments_queue(self) -> Queue:
        """Payments that wait for their gateway step."""
        return self._queue("payments_queue")

    @cached_property
    def webhooks_queue(self) -> Queue:
        """Webhooks that wait to be sent."""
        return self._queue("webhooks_queue")

    @cached_property
    def webhooks_dlq(self) -> Queue:
        """Webhooks that are out of attempts."""
        return self._queue("webhooks_dlq")

    def _queue(self, name: str) -> Queue:
        from riel.store.queues import Queue

        return Queue(self.sqs, self.config.required(f"{name}_url"))

    @property
    def configured_gateways(self) -> frozenset[str]:
        """Names of the gateways that this stage has."""
        return frozenset({"simulator"}) if self.config.simulator_url else frozenset()

    @cached_property
    def gateways(self) -> dict[str, Gateway]:
        """The adapters of the configured gateways."""
        from riel.gateways.simulator import SimulatorGateway

        if not self.config.simulator_url:
            return {}
        return {"simulator": SimulatorGateway(self._simulator_client())}

    @cached_property
    def webhook_client(self) -> httpx.Client:
        """The HTTP client for merchants' endpoints."""
        from riel.webhooks.sending import new_client

        return new_client()

    def _simulator_client(self) -> httpx.Client:
        import httpx

        timeout = httpx.Timeout(self.config.gateway_timeout_seconds, connect=2.0)
        auth = self._function_url_auth() if self.config.simulator_auth == "iam" else None
        url = self.config.simulator_url.rstrip("/")
        limits = httpx.Limits(max_connections=50, max_keepalive_connections=20)
        return httpx.Client(
            base_url=url, timeout=timeout, auth=auth, limits=limits, trust_env=False
        )

    def _function_url_auth(self) -> httpx.Auth:
        from riel.gateways.aws_auth import SigV4Auth

        credentials = self._session.get_credentials()
        return SigV4Auth(credentials, self._session.region_name)
