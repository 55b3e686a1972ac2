"""List the dead letters of a queue, each with its payment and the reason why it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from riel import threads
from riel.domain.payment import Payment
from riel.domain.refund import Refund
from riel.errors import MalformedMessageError
from riel.services.dead_letters import (
    GATEWAY_EVENTS,
    OUTBOX_RELAY,
    PAYMENTS,
    WEBHOOKS,
    DeadLetter,
    DeadLetterQueue,
    give_back,
    image_of,
    message_fields,
    receive_each,
    record_problem,
    sent_at_of,
    stream_records,
)
from riel.services.webhook_message import Webhook
from riel.store.deliveries import FAILED, Delivery
from riel.store.inbox import OPEN
from riel.store.queues import Received

if TYPE_CHECKING:
    from riel.app import App

SILENT_END = "its workers ended without a word: a crash, a time-out, or it is being worked on"


def list_dead_letters(app: App, source: DeadLetterQueue, limit: int = 500) -> list[DeadLetter]:
    """Look at up to `limit` dead letters of a queue and explain each, the oldest first."""
    held: dict[str, Received] = {}
    try:
        for _message in receive_each(source, held, limit):
            pass
    finally:
        give_back(source, held)
    messages = sorted(held.values(), key=sent_at_of)
    with threads.pool(8) as pool:
        return list(pool.map(lambda message: explain(app, source, message), messages))


def explain(app: App, source: DeadLetterQueue, message: Received) -> DeadLetter:
    """Say what one message of a dead-letter queue is about, and why it is there."""
    letter = DeadLetter(
        queue=source.name,
        message_id=message.message_id,
        sent_at=sent_at_of(message),
        receives=int(message.attributes.get("ApproximateReceiveCount", "0")),
        body=message.body,
        reason="",
    )
    try:
        return _EXPLAIN[source.kind](app, letter)
    except MalformedMessageError as error:
        return replace(letter, reason=f"{error.code}: {error}")


def _explain_payment(app: App, letter: DeadLetter) -> DeadLetter:
    fields = message_fields(letter.body)
    payment_id, refund_id = str(fields.get("payment_id") or ""), fields.get("refund_id")
    if not payment_id:
        raise MalformedMessageError("the message names no payment")
    payment = app.payments.get(payment_id)
    letter = replace(letter, payment_ids=(payment_id,), payment=payment)
    if not refund_id:
        return replace(letter, reason=_reason("payment", payment))
    part = str(refund_id)
    reason = _reason("refund", app.refunds.get(payment_id, part))
    return replace(letter, reason=reason, about=f"refund {part}", part=part)


def _reason(kind: str, subject: Payment | Refund | None) -> str:
    if subject is None:
        return f"the {kind} does not exist"
    if subject.is_final:
        return f"nothing is left to do: the {kind} is {subject.status}"
    if subject.attention_reason or subject.attention:
        return subject.attention_reason or str(subject.attention)
    return SILENT_END


def _explain_event(app: App, letter: DeadLetter) -> DeadLetter:
    inbox_id = str(message_fields(letter.body).get("inbox_id") or "")
    if not inbox_id:
        raise MalformedMessageError("the message names no event")
    event = app.inbox.get(inbox_id)
    if event is None:
        return replace(letter, reason="the event does not exist")
    letter = replace(letter, about=f"{event.type or 'event'} of {event.gateway}")
    if event.state not in OPEN:
        return replace(letter, reason=f"nothing is left to do: the event is {event.state}")
    # A look is worth the PSP's answer even where the payment is final, so its state is no reason.
    reason = event.done or SILENT_END
    if not event.payment_id:
        return replace(letter, reason=reason)
    payment = app.payments.get(event.payment_id)
    return replace(letter, payment_ids=(event.payment_id,), payment=payment, reason=reason)


def _explain_webhook(app: App, letter: DeadLetter) -> DeadLetter:
    webhook = Webhook.read(message_fields(letter.body))
    delivery = app.deliveries.get(webhook.payment_id, webhook.event_id)
    about = f"delivery {webhook.event_id}"
    if (known := delivery or webhook).url:
        about += f", {known.type} to {known.url}"
    return replace(
        letter,
        payment_ids=(webhook.payment_id,),
        payment=app.payments.get(webhook.payment_id),
        reason=_delivery_reason(delivery),
        about=about,
        part=webhook.event_id,
    )


def _delivery_reason(delivery: Delivery | None) -> str:
    if delivery is None or not delivery.attempts:
        return "no attempt was recorded"
    if delivery.state != FAILED:
        return f"nothing is left to do: the delivery is {delivery.state}"
    last, tried = delivery.attempts[-1], delivery.attempt_count
    answer = f"HTTP {last.status}" if last.status else last.error
    return f"{answer}, tried {'once' if tried == 1 else f'{tried} times'}"


def _explain_records(app: App, letter: DeadLetter) -> DeadLetter:
    notice = message_fields(letter.body)
    records = stream_records(app, notice)
    problems = [problem for record in records if (problem := record_problem(record))]
    found = (image_of(record).get("payment_id", {}).get("S") for record in records)
    context = notice.get("requestContext", {})
    condition = str(context.get("condition", "unknown condition"))
    size = notice.get("DDBStreamBatchInfo", {}).get("batchSize", len(records))
    told = "; ".join(problems) or f"{size} stream record(s)"
    payment_ids = tuple(dict.fromkeys(str(payment_id) for payment_id in found if payment_id))
    payment = app.payments.get(payment_ids[0]) if len(payment_ids) == 1 else None
    return replace(letter, payment_ids=payment_ids, payment=payment, reason=f"{condition}: {told}")


_EXPLAIN: dict[str, Callable[[App, DeadLetter], DeadLetter]] = {
    PAYMENTS: _explain_payment,
    GATEWAY_EVENTS: _explain_event,
    WEBHOOKS: _explain_webhook,
    OUTBOX_RELAY: _explain_records,
}
