"""Builds what tests are about; every field has a plain default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from infra.names import Names
from riel import ids
from riel.app import App
from riel.config import Config
from riel.domain.events import payment_created
from riel.domain.money import Money
from riel.domain.payment import Method, NextAction, Payment, Status, Transition
from riel.errors import SignatureInvalidError
from riel.gateways.base import (
    Awaiting,
    Charged,
    ChargeRequest,
    Declined,
    Gateway,
    GatewayEvent,
    NotFound,
    Outcome,
    Refunded,
    RefundOutcome,
    RefundRequest,
    Voided,
)
from riel.gateways.capabilities import Capabilities
from riel.gateways.registry import CAPABILITIES
from riel.services.merchants import seed_merchant
from riel.store.outbox import Place

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
    # As the local stage calls it, so that tests of the engine find the key of that stage.
    webhook_key=Names("local").webhook_key,
    routes="card=simulator>standby;oxxo=simulator;spei=simulator",
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
    """A PSP in memory: honours idempotency keys, and answers what it is told to.

    `before` and `after` are raised by the next charges or refunds: before anything happens, or
    after it has. `answer` and `refund_answer` replace what it would say of itself.
    """

    def __init__(self, name: str = "simulator") -> None:
        self.name = name
        self.capabilities: Capabilities = CAPABILITIES[name]
        self.charges: dict[str, Outcome] = {}
        self.refunds: dict[str, RefundOutcome] = {}
        self.sent: list[ChargeRequest] = []
        self.refunds_sent: list[RefundRequest] = []
        self.voids: list[str] = []
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.answer: Outcome | None = None
        self.refund_answer: RefundOutcome | None = None
        self.event: GatewayEvent | None = None

    def charge(self, request: ChargeRequest) -> Outcome:
        self.sent.append(request)
        if self.before:
            raise self.before.pop(0)
        outcome = self.charges.setdefault(request.key, self.answer or self._agreed(request))
        if self.after:
            raise self.after.pop(0)
        return outcome

    def look_up(self, key: str) -> Outcome | NotFound:
        return self.charges.get(key, NotFound())

    def void(self, key: str) -> Outcome | NotFound:
        self.voids.append(key)
        known = self.charges.get(key)
        if isinstance(known, Awaiting):
            self.charges[key] = Voided(
                known.payment_id, known.amount, known.reference, known.received
            )
        return self.look_up(key)

    def refund(self, request: RefundRequest) -> RefundOutcome:
        self.refunds_sent.append(request)
        if self.before:
            raise self.before.pop(0)
        agreed = Refunded(request.refund_id, request.amount, "ref-" + request.key)
        outcome = self.refunds.setdefault(request.key, self.refund_answer or agreed)
        if self.after:
            raise self.after.pop(0)
        return outcome

    def look_up_refund(self, key: str) -> RefundOutcome | NotFound:
        return self.refunds.get(key, NotFound())

    def parse_event(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
    ) -> GatewayEvent:
        if self.event is None:
            raise SignatureInvalidError("nothing was signed")
        return self.event

    def pay(self, payment_id: str, minor: int) -> None:
        """The payer brings money for a voucher, whatever has become of it."""
        ((key, charge),) = (
            (key, charge) for key, charge in self.charges.items() if charge.payment_id == payment_id
        )
        assert not isinstance(charge, Declined), "nobody can pay what was declined"
        received = Money(charge.received.minor + minor, charge.amount.currency)
        if received.minor >= charge.amount.minor:
            self.charges[key] = Charged(payment_id, charge.amount, charge.reference, received)
        else:
            assert not isinstance(charge, Charged), "money never goes away"
            self.charges[key] = replace(charge, received=received)

    def _agreed(self, request: ChargeRequest) -> Outcome:
        payment_id, amount, reference = request.payment_id, request.amount, "ref-" + request.key
        if request.method is Method.CARD:
            return Charged(payment_id, amount, reference, amount)
        expires_at = request.expires_at or NOON + timedelta(days=3)
        action = NextAction("oxxo_voucher", expires_at, reference="12345678901234")
        if request.method is Method.SPEI:
            action = NextAction("spei_transfer", expires_at, clabe="646180157000000004")
        return Awaiting(payment_id, amount, reference, action, Money(0, amount.currency))


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
    """An app over whatever AWS there is: the fixture `aws` has a model of it."""
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


def lane_at(app: App, minute: datetime) -> dict[str, Place]:
    """A lane of the sweeper that has come to this minute with all of the app's queues."""
    urls = (app.config.payments_queue_url, app.config.webhooks_queue_url)
    return {url.rpartition("/")[2]: Place(minute) for url in urls}


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

    def index(name: str) -> dict[str, Any]:
        kinds = (("pk", "HASH"), ("sk", "RANGE"))
        schema = [{"AttributeName": f"{name}_{key}", "KeyType": kind} for key, kind in kinds]
        return {
            "IndexName": name,
            "KeySchema": schema,
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }

    create(
        "payments",
        ["pk", "sk"],
        ["pk", "sk", "listing_pk", "listing_sk", "due_pk", "due_sk"],
        GlobalSecondaryIndexes=[index("listing"), index("due")],
    )
    create("outbox", ["pk", "sk"], ["pk", "sk"])
    for name in ("merchants", "idempotency", "limits"):
        create(name, ["pk"], ["pk"])
    create("simulator", ["pk"], ["pk"])
