"""List the dead letters of a queue, each with its payment and the reason why it is there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from riel.domain.payment import Payment
from riel.errors import MalformedMessageError
from riel.services.dead_letters import (
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
from riel.services.deliver_webhook import Webhook
from riel.store.deliveries import Attempt
from riel.store.queues import Received

if TYPE_CHECKING:
    from riel.app import App


def list_dead_letters(app: App, source: DeadLetterQueue, limit: int = 500) -> list[DeadLetter]:
    """Look at up to `limit` dead letters of a queue and explain each, the oldest first."""
    held: dict[str, Received] = {}
    try:
        for _message in receive_each(source, held, limit):
            pass
    finally:
        give_back(source, held)
    messages = sorted(held.values(), key=sent_at_of)
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda message: _explain(app, source.name, message), messages))


def _explain(app: App, queue: str, message: Received) -> DeadLetter:
    letter = DeadLetter(
        queue=queue,
        message_id=message.message_id,
        sent_at=sent_at_of(message),
        receives=int(message.attributes.get("ApproximateReceiveCount", "0")),
        body=message.body,
        reason="",
    )
    try:
        return _EXPLAIN[queue](app, letter)
    except MalformedMessageError as error:
        return replace(letter, reason=f"{error.code}: {error}")


def _explain_payment(app: App, letter: DeadLetter) -> DeadLetter:
    payment_id = str(message_fields(letter.body).get("payment_id") or "")
    if not payment_id:
        raise MalformedMessageError("the message names no payment")
    payment = app.payments.get(payment_id)
    return replace(
        letter, payment_ids=(payment_id,), payment=payment, reason=_payment_reason(payment)
    )


def _payment_reason(payment: Payment | None) -> str:
    if payment is None:
        return "the payment does not exist"
    if payment.is_final:
        return f"nothing is left to do: the payment is {payment.status}"
    if payment.attention_reason or payment.attention:
        return payment.attention_reason or str(payment.attention)
    return "its workers ended without a word: a crash, a time-out, or it is being worked on"


def _explain_webhook(app: App, letter: DeadLetter) -> DeadLetter:
    webhook = Webhook.read(message_fields(letter.body))
    delivery = app.deliveries.get(webhook.payment_id, webhook.event_id)
    reason = _delivery_reason(delivery.attempts) if delivery else "no attempt was recorded"
    return replace(
        letter,
        payment_ids=(webhook.payment_id,),
        payment=app.payments.get(webhook.payment_id),
        reason=reason,
        about=f"{webhook.type} to {webhook.url}",
    )


def _delivery_reason(attempts: tuple[Attempt, ...]) -> str:
    last = attempts[-1]
    answer = f"HTTP {last.status}" if last.status else last.error
    times = "once" if len(attempts) == 1 else f"{len(attempts)} times"
    return f"{answer}, tried {times}"


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
    WEBHOOKS: _explain_webhook,
    OUTBOX_RELAY: _explain_records,
}
