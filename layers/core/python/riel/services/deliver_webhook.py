"""Tell the merchant: at least once, signed, retried over days, or visibly dead.

One turn of a delivery is: read how far it is, ask whether the endpoint may be called now, send,
record. The record arranges the next turn in the same write; the delayed copy that follows it only
makes the next attempt punctual. So whatever dies on the way, the delivery goes on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel.domain.instants import to_text
from riel.errors import (
    BrokenError,
    ForbiddenDestinationError,
    UnavailableError,
)
from riel.observability import count, logger
from riel.services import endpoint_health
from riel.services.endpoint_health import note_failure, note_success
from riel.services.redeliver_webhook import redeliver
from riel.services.webhook_message import MAX_COPIES, Webhook
from riel.store.deliveries import (
    COPY_GRACE,
    DELIVERED,
    ENDPOINT_STOPPED,
    FAILED,
    GONE,
    OUT_OF_ATTEMPTS,
    PENDING,
    Attempt,
    Delivery,
)
from riel.store.queues import MAX_DELAY_SECONDS
from riel.webhooks import egress, schedule, sending, signing

if TYPE_CHECKING:
    from riel.app import App
    from riel.services.host_breakers import Admission
    from riel.store.endpoints import Endpoint
    from riel.webhooks.egress import Destination

SENDER_ENDED = "sender_ended"
_BESIDE = "recorded beside another worker"
"""The error of an attempt whose workers died: nobody knows what the endpoint saw."""
LONGEST_COPY_SECONDS = 30
"""What waits for longer is held, so that the delivery says when it is tried next."""
SHORTEST_HOLD, LONGEST_HOLD = timedelta(minutes=1), timedelta(hours=1)
CLOCKS_DIFFER = timedelta(seconds=1)
RECORD_ATTEMPTS = 3
_NOT_THE_ENDPOINT = (sending.EVENT_EXPIRED, SENDER_ENDED)
"""Errors that say nothing about whether the endpoint works."""


def deliver_webhook(app: App, webhook: Webhook, receives: int = 1) -> str:
    """Do one turn of a delivery; return what was done, for the log.

    `receives` is how often the message was received. The last receive sends nothing: workers have
    died of this turn, so it counts as a failed attempt, and the schedule goes on.
    """
    delivery = app.deliveries.get(webhook.payment_id, webhook.event_id) or webhook.new_delivery()
    if delivery.state == FAILED:
        return _failed_before(app, webhook, delivery, receives)
    if _is_held(app, webhook, delivery):
        return "nothing to do: it is held for later"
    is_last = receives >= app.config.webhooks_max_receives
    is_late = webhook.turn < delivery.turn
    # A message that is late, or comes again, still serves when the present turn's own was lost.
    if delivery.state != PENDING or (is_late and (is_last or not _is_overdue(app, delivery))):
        return f"nothing to do: {delivery.state}"
    endpoint = app.endpoints.get(delivery.merchant_id, delivery.url)
    if endpoint.is_stopped and not delivery.is_asked_for:
        return _stopped(app, delivery)
    if is_last:
        done = _without_sending(app, delivery, endpoint, SENDER_ENDED)
    else:
        done = _try(app, replace(webhook, turn=delivery.turn), delivery, endpoint)
    if done == _BESIDE and receives > 1:
        found = app.deliveries.get(webhook.payment_id, webhook.event_id)
        if found is not None and found.state == FAILED:
            # Who was faster may have had this message before, and never heard that it was.
            return _failed_before(app, webhook, found, receives)
    return done


def _is_overdue(app: App, delivery: Delivery) -> bool:
    return delivery.next_at is None or delivery.next_at <= app.clock()


def _is_held(app: App, webhook: Webhook, delivery: Delivery) -> bool:
    """Whether another message of the turn has put it off for long, so that the index brings it.

    A message that was not put off itself may be the one that makes the turn punctual, and come
    before its time by as much as two clocks differ.
    """
    if webhook.turn != delivery.turn or not webhook.waits or delivery.next_at is None:
        return False
    return delivery.next_at > app.clock() + CLOCKS_DIFFER


def _failed_before(app: App, webhook: Webhook, delivery: Delivery, receives: int) -> str:
    """The delivery has failed; only a dead letter of its own is about the turn that it is in."""
    if delivery.turn == webhook.turn:
        # SQS itself has sent the letter back.
        return redeliver(app, delivery)
    if receives > 1 and delivery.failure != ENDPOINT_STOPPED:
        # Whoever had this message may have died between the record and the letter.
        return _dead_letter(app, delivery)
    return f"nothing to do: {delivery.state}"


def _stopped(app: App, delivery: Delivery) -> str:
    app.deliveries.save(delivery, delivery.given_up(ENDPOINT_STOPPED))
    count("WebhookNotSent")
    return "failed: the endpoint is stopped"


def _try(app: App, webhook: Webhook, delivery: Delivery, endpoint: Endpoint) -> str:
    merchant = app.merchants.get(delivery.merchant_id)
    if merchant is None:
        raise BrokenError(f"merchant {delivery.merchant_id} is unknown")
    try:
        destination = egress.check_url(delivery.url, allow_loopback=app.config.loopback_webhooks)
    except ForbiddenDestinationError:
        return _without_sending(app, delivery, endpoint, sending.FORBIDDEN)
    body = webhook.body or _frozen_body(app, delivery)
    if not body:
        return _without_sending(app, delivery, endpoint, sending.EVENT_EXPIRED)
    try:
        secrets = app.webhook_secrets.of(merchant)
    except UnavailableError as error:
        logger.warning("webhook secrets", extra={"why": str(error)[:200]})
        return _put_off(app, webhook, delivery, 1, "the merchant's secret can not be read")
    # Signed before the host's turn is taken: whatever can fail there would keep it from others.
    at = app.clock()
    headers = _headers(delivery, body.encode(), secrets, at)
    admission = app.host_breakers.admit(delivery.merchant_id, destination.authority)
    if seconds := admission.wait_seconds:
        return _put_off(app, webhook, delivery, seconds, "its host has to answer another first")
    answer, seconds_taken = _send(app, admission, destination, headers, body.encode())
    latency_ms = round(seconds_taken * 1000)
    attempt = Attempt(to_text(at), answer.status, latency_ms, answer.error, answer.text)
    return _follow(app, delivery, endpoint, attempt, answer)


def _without_sending(app: App, delivery: Delivery, endpoint: Endpoint, error: str) -> str:
    """Record an attempt that ended before anything was sent."""
    attempt = Attempt(to_text(app.clock()), 0, 0, error)
    return _follow(app, delivery, endpoint, attempt, sending.Answer(0, error))


def _headers(
    delivery: Delivery, body: bytes, secrets: tuple[str, ...], at: datetime
) -> dict[str, str]:
    headers = signing.headers(secrets, delivery.event_id, at, body)
    if delivery.traceparent:
        headers["traceparent"] = delivery.traceparent
    return headers


def _send(
    app: App,
    admission: Admission,
    destination: Destination,
    headers: Mapping[str, str],
    body: bytes,
) -> tuple[sending.Answer, float]:
    """Make the attempt; return the answer and how many seconds it took."""
    started, answered = time.monotonic(), False
    try:
        answer = app.webhook_client.post(destination, app.resolver, headers, body, app.clock())
        answered = answer.status != 0
    finally:
        # In every case, for another of the merchant's hosts may wait for this one's end.
        seconds_taken = time.monotonic() - started
        app.host_breakers.note(admission, seconds_taken, answered=answered)
    return answer, seconds_taken


def _frozen_body(app: App, delivery: Delivery) -> str:
    """The body as it was frozen; empty once the event is no longer kept, after 14 days."""
    event = app.outbox.get(delivery.event_at, delivery.payment_id, delivery.event_id)
    return event.body if event else ""


def _follow(
    app: App, delivery: Delivery, endpoint: Endpoint, attempt: Attempt, answer: sending.Answer
) -> str:
    """Record an attempt and arrange what follows from it."""
    after = _record(app, delivery, attempt, answer)
    _note_endpoint(app, delivery, endpoint, answer)
    if after is None:
        return _BESIDE
    if after.state == DELIVERED:
        count("WebhookDelivered")
        return DELIVERED
    return _dead_letter(app, after) if after.state == FAILED else _come_back(app, after)


def _record(app: App, read: Delivery, attempt: Attempt, answer: sending.Answer) -> Delivery | None:
    """Write the attempt down; None when another has overtaken it, so that nothing follows.

    Raises UnavailableError when others keep recording theirs.
    """
    found = read
    for _ in range(RECORD_ATTEMPTS):
        decides = _decides(read, found, answer)
        tried = found.after(attempt)
        after = _judged(app, tried, answer) if decides else found.beside(attempt)
        if app.deliveries.save(found, after):
            return after if decides else None
        again = app.deliveries.get(read.payment_id, read.event_id)
        if again is None:
            raise BrokenError(f"{read.event_id}: its delivery vanished")
        if attempt in again.attempts:
            # Our own write: its answer was lost, and the client sent it again.
            return again if decides and again.turn == after.turn else None
        found = again
    raise UnavailableError("others keep recording this delivery at the same time")


def _decides(read: Delivery, found: Delivery, answer: sending.Answer) -> bool:
    """Whether an attempt of the turn that was read says where the delivery found now goes."""
    if found.turn == read.turn:
        return True
    # What arrived was delivered, whatever another made of it; but not for him who asked since.
    is_asked_for_since = found.state == PENDING and found.tries == 0
    return answer.is_success and not is_asked_for_since


def _note_endpoint(
    app: App, delivery: Delivery, endpoint: Endpoint, answer: sending.Answer
) -> None:
    try:
        if answer.is_success:
            note_success(app, endpoint, failed_before=bool(delivery.attempts))
        elif answer.error not in _NOT_THE_ENDPOINT:
            note_failure(app, endpoint, at_once=_stops_at_once(answer))
    except UnavailableError as error:
        # For later attempts; this one was made and recorded, and must not be repeated for it.
        logger.warning("endpoint's health not noted", extra={"why": str(error)[:200]})


def _stops_at_once(answer: sending.Answer) -> str:
    """Why nothing more is sent to an endpoint after this answer alone, if that is so."""
    if answer.error == sending.FORBIDDEN:
        return endpoint_health.FORBIDDEN
    return endpoint_health.GONE if answer.is_gone else ""


def _judged(app: App, tried: Delivery, answer: sending.Answer) -> Delivery:
    """Say where the attempt leaves the delivery, and when it is tried again."""
    if answer.is_success:
        return replace(tried, state=DELIVERED, failure="")
    if answer.error in (sending.FORBIDDEN, sending.EVENT_EXPIRED):
        return replace(tried, state=FAILED, failure=answer.error)
    if answer.is_gone:
        return replace(tried, state=FAILED, failure=GONE)
    plan = app.config.webhook_retry_seconds
    delay = schedule.next_delay(tried.tries - 1, plan, app.random, answer.retry_after_seconds)
    if delay is None:
        return replace(tried, state=FAILED, failure=OUT_OF_ATTEMPTS)
    next_at = app.clock() + timedelta(seconds=delay)
    due_at = next_at + COPY_GRACE if delay <= MAX_DELAY_SECONDS else next_at
    return replace(tried, next_at=next_at, due_at=due_at)


def _come_back(app: App, delivery: Delivery) -> str:
    """Have a near attempt made punctually; a far one is brought by the index alone."""
    if delivery.next_at is None:
        raise BrokenError(f"{delivery.event_id}: pending without a next attempt")
    seconds = max(0, round((delivery.next_at - app.clock()).total_seconds()))
    count("WebhookRetried")
    if seconds <= MAX_DELAY_SECONDS:
        app.webhooks_queue.send(Webhook.of_delivery(delivery).fields(), seconds)
    return f"pending: again in {seconds} s"


def _dead_letter(app: App, delivery: Delivery) -> str:
    app.webhooks_dlq.send(Webhook.of_delivery(delivery).fields())
    count("WebhookDeadLettered")
    return f"failed: {delivery.failure}"


def _put_off(app: App, webhook: Webhook, delivery: Delivery, seconds: float, why: str) -> str:
    """Let the turn wait without an attempt: first by copies, then in the index of what is due."""
    # Some are put off whenever a new host is called; many for long tell of hosts that hang.
    count("WebhookPutOff")
    if webhook.waits < MAX_COPIES and seconds <= LONGEST_COPY_SECONDS:
        delay = max(round(seconds), 2**webhook.waits)
        app.webhooks_queue.send(replace(webhook, waits=webhook.waits + 1).fields(), delay)
        return f"put off for {delay} s: {why}"
    if delivery.is_stored and not delivery.is_asked_for and _is_too_old(app, delivery):
        return _give_up(app, delivery)
    now = app.clock()
    shortest = max(SHORTEST_HOLD, timedelta(seconds=seconds))
    hold = min(max((now - delivery.event_at) / 4, shortest), LONGEST_HOLD)
    due_at = now + hold * app.random.uniform(1 - schedule.JITTER, 1 + schedule.JITTER)
    app.deliveries.save(delivery, replace(delivery, next_at=due_at, due_at=due_at))
    return f"put off until {to_text(due_at)}: {why}"


def _is_too_old(app: App, delivery: Delivery) -> bool:
    age = app.clock() - delivery.event_at
    return age > schedule.longest_life(app.config.webhook_retry_seconds)


def _give_up(app: App, delivery: Delivery) -> str:
    """End a delivery that waits for its turn for longer than its attempts should have taken."""
    failed = delivery.given_up(OUT_OF_ATTEMPTS)
    saved = app.deliveries.save(delivery, failed)
    # Not saved it may be all the same: a call is repeated when its answer is lost.
    if saved or app.deliveries.get(delivery.payment_id, delivery.event_id) == failed:
        return _dead_letter(app, failed)
    return _BESIDE
