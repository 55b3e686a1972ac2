"""Dead letters of webhooks: which delivery of their payment each is about."""

from __future__ import annotations

import io

from rich.console import Console

from infra.cli.dead_letter_screens import letter_document, letters_table, print_letters
from riel import ids
from riel.app import App
from riel.services.dead_letters import WEBHOOKS, DeadLetterQueue
from riel.services.list_dead_letters import list_dead_letters
from riel.services.webhook_message import Webhook
from riel.store.deliveries import FAILED, Attempt
from tests.builders import NOON
from tests.integration.test_deliveries_api import store_delivery
from tests.payments import store_awaiting

ATTEMPT = Attempt("2026-04-17T12:00:01.000Z", 500, 12)


def test_two_letters_of_one_payment_are_told_apart(app: App) -> None:
    """One has a delivery, the other was never recorded and is known by its message alone."""
    payment = store_awaiting(app)
    delivery = store_delivery(app, payment, ATTEMPT, state=FAILED)
    unrecorded = ids.event_id(payment.payment_id, 1)
    for webhook in (
        Webhook.of_delivery(delivery),
        Webhook("demo", payment.payment_id, unrecorded),
    ):
        app.webhooks_dlq.send(webhook.fields())

    letters = list_dead_letters(app, DeadLetterQueue(WEBHOOKS, app.webhooks_dlq))

    kind = f"payment.awaiting_payment to {payment.webhook_url}"
    assert {letter.about for letter in letters} == {
        f"delivery {delivery.event_id}, {kind}",
        f"delivery {unrecorded}",
    }
    assert {letter_document(letter, NOON)["payment_id"] for letter in letters} == {
        payment.payment_id
    }
    out = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    out.print(letters_table(letters, NOON))
    print_letters(out, "local", WEBHOOKS, letters, NOON)
    assert isinstance(out.file, io.StringIO)
    listed, _, shown = out.file.getvalue().partition("webhooks  2 dead letters")
    for event_id in (delivery.event_id, unrecorded):
        assert event_id in listed
        assert f"delivery {event_id}" in shown
