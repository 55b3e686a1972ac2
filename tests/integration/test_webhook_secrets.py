"""Webhook secrets: sealed, opened for their merchant alone, and rotated under way."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config as BotoConfig
from standardwebhooks import Webhook as Verifier

from riel import ids
from riel.app import App
from riel.errors import InvalidStateError, NotFoundError, StoreUnavailableError
from riel.services.deliver_webhook import deliver_webhook
from riel.services.merchants import NewMerchant, create_merchant, set_limits
from riel.services.rotate_webhook_secret import OVERLAP, rotate_webhook_secret
from riel.services.webhook_message import Webhook
from riel.services.webhook_secrets import CACHE_SECONDS, WebhookSecrets
from riel.store.deliveries import Delivery
from riel.store.merchants import CACHE_SECONDS as MERCHANT_CACHE_SECONDS
from riel.store.merchants import Limits, Merchant, SealedSecret
from riel.store.secret_box import SecretBox
from tests.builders import CONFIG, NOON, WEBHOOK_SECRET, FakeClock, make_payment
from tests.endpoint import Endpoint
from tests.merchants import LIMITS, Meddler, record_of
from tests.payments import store_completed

MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def shop(app: App) -> NewMerchant:
    return create_merchant(app, "Shop", False, LIMITS)


@pytest.fixture
def decrypts(app: App) -> list[dict[str, Any]]:
    """Grows by the parameters of each Decrypt."""
    made: list[dict[str, Any]] = []
    client = app.client("kms")
    client.meta.events.register(
        "provide-client-params.kms.Decrypt", lambda params, **_: made.append(params)
    )
    app.__dict__["secret_box"] = SecretBox(client, CONFIG.webhook_key)
    return made


def merchant_of(app: App, merchant_id: str) -> Merchant:
    return record_of(app, merchant_id).merchant


def break_down(app: App) -> None:
    """Nothing listens on this port."""
    once = BotoConfig(retries={"total_max_attempts": 1}, connect_timeout=1)
    client: Any = boto3.client("kms", endpoint_url="http://127.0.0.1:9", config=once)
    app.__dict__["secret_box"] = SecretBox(client, CONFIG.webhook_key)


def test_no_secret_stands_in_the_table_and_none_in_what_a_log_may_show(
    app: App, aws: Any, shop: NewMerchant
) -> None:
    merchant_id = shop.record.merchant.merchant_id
    rotated = rotate_webhook_secret(app, merchant_id)

    stored = json.dumps(aws.scan(TableName="merchants")["Items"])
    shown = repr((shop, rotated, record_of(app, merchant_id)))

    for secret in (shop.webhook_secret, rotated.webhook_secret, WEBHOOK_SECRET):
        for text in (stored, shown):
            assert secret.removeprefix("whsec_") not in text
    for hidden in (shop.api_key, shop.record.merchant.cursor_secret):
        assert hidden not in shown
    found = app.webhook_secrets.of(merchant_of(app, merchant_id))
    assert found == (rotated.webhook_secret, shop.webhook_secret)


def test_the_item_keeps_each_secret_with_its_times_the_newest_first(app: App, aws: Any) -> None:
    rotate_webhook_secret(app, "demo")

    key = {"pk": {"S": "merchant#demo"}}
    kept = aws.get_item(TableName="merchants", Key=key)["Item"]["webhook_secrets"]["L"]

    assert [set(secret["M"]) for secret in kept] == [
        {"sealed", "created_at"},
        {"sealed", "created_at", "until"},
    ]
    assert kept[1]["M"]["until"] == {"S": "2026-04-18T12:00:00.000Z"}


def test_a_sealed_secret_opens_for_no_other_merchant_even_where_it_is_already_open(
    app: App, shop: NewMerchant
) -> None:
    mine, demo = shop.record.merchant, merchant_of(app, "demo")
    thief = replace(mine, webhook_secrets=demo.webhook_secrets)

    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="InvalidCiphertext"):
            app.webhook_secrets.of(thief)
        assert app.webhook_secrets.of(demo) == (WEBHOOK_SECRET,)


def test_a_secret_is_decrypted_once_in_five_minutes(
    app: App, clock: FakeClock, decrypts: list[dict[str, Any]]
) -> None:
    secrets, demo = WebhookSecrets(app), merchant_of(app, "demo")

    for _ in range(3):
        assert secrets.of(demo) == (WEBHOOK_SECRET,)
    clock.advance(CACHE_SECONDS - 1)
    secrets.of(demo)
    assert [call["EncryptionContext"] for call in decrypts] == [{"merchant": "demo"}]

    clock.advance(1)
    secrets.of(demo)
    assert len(decrypts) == 2


def test_an_ended_secret_is_not_even_decrypted(
    app: App, clock: FakeClock, decrypts: list[dict[str, Any]]
) -> None:
    rotated = rotate_webhook_secret(app, "demo")
    clock.now = NOON + OVERLAP

    assert app.webhook_secrets.of(merchant_of(app, "demo")) == (rotated.webhook_secret,)
    assert len(decrypts) == 1


def test_a_secret_ends_at_its_moment_though_it_is_remembered(app: App, clock: FakeClock) -> None:
    rotated = rotate_webhook_secret(app, "demo")
    demo = merchant_of(app, "demo")

    clock.now = NOON + OVERLAP - MOMENT
    assert app.webhook_secrets.of(demo) == (rotated.webhook_secret, WEBHOOK_SECRET)
    clock.now = NOON + OVERLAP
    assert app.webhook_secrets.of(demo) == (rotated.webhook_secret,)


def test_a_merchant_without_a_live_secret_is_never_answered_with_none(app: App) -> None:
    demo = merchant_of(app, "demo")
    for secrets in ((), (replace(demo.webhook_secrets[0], until=NOON),)):
        with pytest.raises(StoreUnavailableError, match="demo has no webhook secret"):
            app.webhook_secrets.of(replace(demo, webhook_secrets=secrets))


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base 64!", WEBHOOK_SECRET])
def test_what_nobody_sealed_is_no_secret(app: App, sealed: str) -> None:
    demo = replace(merchant_of(app, "demo"), webhook_secrets=(SealedSecret(sealed, NOON),))

    with pytest.raises(StoreUnavailableError) as refused:
        app.webhook_secrets.of(demo)

    assert WEBHOOK_SECRET not in "".join(traceback.format_exception(refused.value))


def test_a_failure_of_kms_tells_no_secret_and_creates_no_merchant(app: App, aws: Any) -> None:
    before = aws.scan(TableName="merchants")["Count"]
    app.__dict__["secret_box"] = SecretBox(app.client("kms"), "alias/none")
    with pytest.raises(StoreUnavailableError, match="NotFound"):
        create_merchant(app, "Shop", False, LIMITS)

    break_down(app)
    for attempt in (
        lambda: app.secret_box.seal(WEBHOOK_SECRET, "demo"),
        lambda: create_merchant(app, "Shop", False, LIMITS),
        lambda: rotate_webhook_secret(app, "demo"),
    ):
        with pytest.raises(StoreUnavailableError, match="EndpointConnectionError") as refused:
            attempt()
        assert "whsec_" not in "".join(traceback.format_exception(refused.value))
    assert aws.scan(TableName="merchants")["Count"] == before
    assert len(merchant_of(app, "demo").webhook_secrets) == 1


def test_a_webhook_that_can_not_be_signed_waits_and_is_not_an_attempt(
    app: App, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    message = event_of(app, endpoint)
    working = app.secret_box
    break_down(app)

    told = deliver_webhook(app, message)

    assert told.startswith("put off for 1 s")
    assert endpoint.received == []
    assert app.deliveries.get(message.payment_id, message.event_id) is None
    assert app.webhooks_queue.depth()["delayed"] == 1
    printed = capsys.readouterr()
    assert "whsec_" not in printed.out + printed.err

    app.__dict__["secret_box"] = working
    assert deliver_webhook(app, replace(message, waits=1)) == "delivered"


def test_a_second_rotation_is_refused_until_the_first_is_over(app: App, clock: FakeClock) -> None:
    first = rotate_webhook_secret(app, "demo")
    clock.now = NOON + OVERLAP - MOMENT
    before = record_of(app, "demo")

    with pytest.raises(InvalidStateError, match=r"demo has two .* until 2026-04-18T12:00:00.000Z"):
        rotate_webhook_secret(app, "demo")
    assert record_of(app, "demo") == before

    clock.now = NOON + OVERLAP
    second = rotate_webhook_secret(app, "demo")

    demo = merchant_of(app, "demo")
    assert app.webhook_secrets.of(demo) == (second.webhook_secret, first.webhook_secret)
    assert len(demo.webhook_secrets) == 2, "what has ended is forgotten"
    assert second.both_until == NOON + 2 * OVERLAP


def test_at_once_ends_all_others_even_during_a_rotation(app: App) -> None:
    rotate_webhook_secret(app, "demo")

    new = rotate_webhook_secret(app, "demo", at_once=True)

    demo = merchant_of(app, "demo")
    assert new.both_until is None
    assert len(demo.webhook_secrets) == 1
    assert app.webhook_secrets.of(demo) == (new.webhook_secret,)
    assert rotate_webhook_secret(app, "demo").both_until, "and the next one overlaps again"


def test_a_rotation_changes_nothing_else_of_a_merchant(app: App) -> None:
    """Its cursors above all: a page that was begun goes on."""
    before = record_of(app, "demo")

    rotate_webhook_secret(app, "demo")

    after = record_of(app, "demo")
    same = replace(after.merchant, webhook_secrets=before.merchant.webhook_secrets)
    assert replace(after, merchant=same, version=before.version) == before


def test_an_unknown_merchant_has_no_secret_to_rotate(app: App) -> None:
    with pytest.raises(NotFoundError, match="there is no merchant mer_none"):
        rotate_webhook_secret(app, "mer_none")


def test_of_two_operators_at_once_one_rotates_and_no_limit_is_lost(app: App) -> None:
    meddler = Meddler(app.dynamodb)
    app.__dict__["dynamodb"] = meddler
    meddler.others = [lambda: set_limits(app, "demo", Limits(7, 9))]
    mine = rotate_webhook_secret(app, "demo")
    assert merchant_of(app, "demo").limits == Limits(7, 9)

    meddler.others = [lambda: rotate_webhook_secret(app, "demo", at_once=True)]
    rotate_webhook_secret(app, "demo", at_once=True)
    demo = merchant_of(app, "demo")
    assert len(app.webhook_secrets.of(demo)) == 1
    assert mine.webhook_secret not in app.webhook_secrets.of(demo)

    meddler.others = [lambda: rotate_webhook_secret(app, "demo")]
    with pytest.raises(InvalidStateError):
        rotate_webhook_secret(app, "demo")


def test_an_own_rotation_whose_answer_was_lost_is_not_done_twice(app: App) -> None:
    meddler = Meddler(app.dynamodb)
    app.__dict__["dynamodb"] = meddler
    write = meddler.transact_write_items

    def twice(**parameters: Any) -> Any:
        write(**parameters)
        return write(**parameters)

    meddler.__dict__["transact_write_items"] = twice
    new = rotate_webhook_secret(app, "demo")

    assert app.webhook_secrets.of(merchant_of(app, "demo")) == (new.webhook_secret, WEBHOOK_SECRET)


def test_fc_72_a_secret_rotated_between_two_tries_gives_two_signatures_for_a_day(
    app: App, clock: FakeClock, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500, 500, 500, 200]
    deliver_webhook(app, event_of(app, endpoint))
    rotated = rotate_webhook_secret(app, "demo")

    for moment in (
        NOON + timedelta(seconds=MERCHANT_CACHE_SECONDS),
        NOON + OVERLAP - timedelta(seconds=1),
        NOON + OVERLAP,
    ):
        clock.now = moment
        deliver_webhook(app, Webhook.of_delivery(delivery_of(app)))

    new = rotated.webhook_secret
    assert [signers(sent, new, WEBHOOK_SECRET) for sent in endpoint.received] == [
        [WEBHOOK_SECRET],
        [new, WEBHOOK_SECRET],
        [new, WEBHOOK_SECRET],
        [new],
    ]
    assert len({body for _, body in endpoint.received}) == 1
    assert len({headers["webhook-id"] for headers, _ in endpoint.received}) == 1
    assert delivery_of(app).state == "delivered"


def test_fc_72_a_secret_that_leaked_between_two_tries_signs_no_more(
    app: App, clock: FakeClock, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500, 200]
    deliver_webhook(app, event_of(app, endpoint))
    rotated = rotate_webhook_secret(app, "demo", at_once=True)

    clock.advance(MERCHANT_CACHE_SECONDS)
    deliver_webhook(app, Webhook.of_delivery(delivery_of(app)))

    new = rotated.webhook_secret
    assert [signers(sent, new, WEBHOOK_SECRET) for sent in endpoint.received] == [
        [WEBHOOK_SECRET],
        [new],
    ]


def event_of(app: App, endpoint: Endpoint) -> Webhook:
    """The relay's message about a completed payment; its event stands in the outbox."""
    payment = store_completed(app, webhook_url=endpoint.url)
    event_id = ids.event_id(payment.payment_id, payment.sequence)
    event = app.outbox.get(app.clock(), payment.payment_id, event_id)
    assert event is not None
    return Webhook.of_event(event)


def delivery_of(app: App) -> Delivery:
    (found,) = app.deliveries.of_payment(make_payment().payment_id)
    return found


def signers(sent: tuple[dict[str, str], bytes], *secrets: str) -> list[str]:
    """Whose signatures a webhook carries, in their order; by the reference library."""
    headers, body = sent
    assert set(headers) >= {"webhook-id", "webhook-timestamp", "webhook-signature"}
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    by = {Verifier(one).sign(headers["webhook-id"], at, body.decode()): one for one in secrets}
    return [by[signature] for signature in headers["webhook-signature"].split()]
