"""Builds what tests are about; every field has a plain default."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from riel import ids
from riel.app import App
from riel.config import Config
from riel.domain.events import payment_created
from riel.domain.money import Money
from riel.domain.payment import Method, Payment, Status, Transition
from riel.gateways.base import Charged, ChargeRequest, Gateway, NotFound, Outcome
from riel.services.merchants import seed_merchant

NOON = datetime(2026, 4, 17, 12, tzinfo=UTC)
API_KEY = "secret-api-key"
WEBHOOK_SECRET = "whsec_cmllbC1kZW1vLXdlYmhvb2stc2VjcmV0LTAwMDE="
CONFIG = Config(
    payments_table="payments",
    outbox_table="outbox",
    merchants_table="merchants",
    idempotency_table="idempotency",
    limits_table="limits",
    simulator_url="http://127.0.0.1:9",
    lease_seconds=20,
    payments_max_receives=3,
    loopback_webhooks=True,
)


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class FakeGateway:
    """A PSP in memory: honours idempotency keys, and answers what it is told to."""

    name = "simulator"

    def __init__(self) -> None:
        self.charges: dict[str, Outcome] = {}
        self.sent: list[ChargeRequest] = []
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.answer: Outcome | None = None

    def charge(self, request: ChargeRequest) -> Outcome:
        self.sent.append(request)
        if self.before:
            raise self.before.pop(0)
        outcome = self.answer or Charged("ref-" + request.key, request.amount)
        outcome = self.charges.setdefault(request.key, outcome)
        if self.after:
            raise self.after.pop(0)
        return outcome

    def look_up(self, key: str) -> Outcome | NotFound:
        return self.charges.get(key, NotFound())


def make_payment(**fields: Any) -> Payment:
    key = fields.setdefault("idempotency_key", "key-1")
    merchant = fields.setdefault("merchant_id", "demo")
    livemode = fields.setdefault("livemode", False)
    defaults: dict[str, Any] = {
        "payment_id": ids.payment_id(merchant, livemode, key),
        "amount": Money(10_050, "MXN"),
        "method": Method.CARD,
        "gateway": "simulator",
        "fingerprint": "f",
        "history": (Transition(1, Status.PENDING, NOON, "created"),),
        "webhook_url": "http://127.0.0.1:9/hook",
    }
    return Payment(**{**defaults, **fields})


def make_app(gateway: Gateway | None = None, clock: FakeClock | None = None, **config: Any) -> App:
    """An app over moto's tables; call inside `mock_aws` (fixture `aws`)."""
    fields = {name: getattr(CONFIG, name) for name in CONFIG.__slots__}
    app = App(Config(**{**fields, **config}), clock=clock or FakeClock(), random=Random(7))
    if gateway:
        app.__dict__["gateways"] = {"simulator": gateway}
    return app


def seed_demo(app: App) -> None:
    seed_merchant(
        app, merchant_id="demo", name="Demo", api_key=API_KEY, webhook_secret=WEBHOOK_SECRET
    )


def store_payment(app: App, **fields: Any) -> Payment:
    payment = make_payment(**fields)
    event = payment_created(ids.event_id(payment.payment_id, 1), payment)
    assert app.payments.create(payment, event) is None
    return payment


def create_tables(dynamodb: Any, prefix: str = "") -> None:
    """The tables of the stateful stack, as far as single-threaded tests need them."""

    def create(name: str, keys: list[str], attributes: list[str], **more: Any) -> None:
        kinds = ["HASH", "RANGE"]
        dynamodb.create_table(
            TableName=prefix + name,
            KeySchema=[
                {"AttributeName": k, "KeyType": t} for k, t in zip(keys, kinds, strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in attributes],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )

    listing = {
        "IndexName": "listing",
        "KeySchema": [
            {"AttributeName": "listing_pk", "KeyType": "HASH"},
            {"AttributeName": "listing_sk", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    create(
        "payments",
        ["pk", "sk"],
        ["pk", "sk", "listing_pk", "listing_sk"],
        GlobalSecondaryIndexes=[listing],
    )
    create("outbox", ["pk", "sk"], ["pk", "sk"])
    for name in ("merchants", "idempotency", "limits"):
        create(name, ["pk"], ["pk"])
    create("simulator", ["pk"], ["pk"])
