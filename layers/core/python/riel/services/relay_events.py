"""Carry events from the outbox to the queues. Stateless: a repeat is absorbed further on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riel.domain.events import CREATED, REFUND_CREATED, TOLD_TO_MERCHANTS, Event
from riel.errors import MalformedMessageError
from riel.observability import count, logger
from riel.services.webhook_message import Webhook
from riel.store.outbox import read_event
from riel.store.queues import Queue

if TYPE_CHECKING:
    from riel.app import App

MAX_LOGGED = 100
CANCELED = "payment.canceled"
LAST_SEQUENCE_WITHOUT_GATEWAY = 2
"""A payment that was canceled before a gateway had it: created, canceled."""


@dataclass(frozen=True, slots=True)
class _Letter:
    position: str
    queue: Queue
    body: Mapping[str, Any]


def relay_records(app: App, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Publish the inserts of a stream batch; return the sequence numbers that failed.

    A record that can not be read does not keep its siblings: they are published first, and the
    mapping isolates the poison by its own rules. Whatever is not an insert of an event, such as
    a deletion by TTL, is passed over.
    """
    failed: list[str] = []
    letters: list[_Letter] = []
    for record in records:
        if record.get("eventName") != "INSERT":
            continue
        change = record["dynamodb"]
        try:
            letters += _letters(
                app, change["SequenceNumber"], read_event(change.get("NewImage", {}))
            )
        except MalformedMessageError as error:
            logger.error("poison stream record", extra={"reason": str(error)})
            failed.append(change["SequenceNumber"])
    failed += _post(letters)
    if failed:
        count("OutboxRelayFailed", len(failed))
    told = [letter.body["payment_id"] for letter in letters[:MAX_LOGGED]]
    logger.info("relayed", extra={"payment_ids": told, "failed": failed[:MAX_LOGGED]})
    return sorted(set(failed), key=int)


def publish(app: App, events: Iterable[Event]) -> int:
    """Publish events again, as `riel outbox replay` does; return how many were not taken."""
    letters = [letter for event in events for letter in _letters(app, event.event_id, event)]
    return len(_post(letters))


def _letters(app: App, position: str, event: Event) -> list[_Letter]:
    if event.type not in (CREATED, REFUND_CREATED, *TOLD_TO_MERCHANTS):
        raise MalformedMessageError(f"unknown event type {event.type!r:.60}")
    letters: list[_Letter] = []
    if _needs_gateway(event):
        # Events from before there were several gateways name none.
        letters.append(_Letter(position, app.gateway_queue(event.gateway), _step(event)))
    if event.type in TOLD_TO_MERCHANTS and event.webhook_url:
        letters.append(_Letter(position, app.webhooks_queue, Webhook.of_event(event).fields()))
    return letters


def _needs_gateway(event: Event) -> bool:
    if event.type == CANCELED:
        # The gateway has a voucher out that nobody must pay any more.
        return event.sequence > LAST_SEQUENCE_WITHOUT_GATEWAY
    return event.type in (CREATED, REFUND_CREATED)


def _step(event: Event) -> dict[str, Any]:
    body = {
        "payment_id": event.payment_id,
        "event_id": event.event_id,
        "gateway": event.gateway,
        "traceparent": event.traceparent,
    }
    return body | {"refund_id": event.refund_id} if event.refund_id else body


def _post(letters: Sequence[_Letter]) -> list[str]:
    by_queue: dict[str, list[_Letter]] = {}
    for letter in letters:
        by_queue.setdefault(letter.queue.url, []).append(letter)
    failed: list[str] = []
    for group in by_queue.values():
        refused = group[0].queue.send_many([letter.body for letter in group])
        failed += [group[n].position for n in refused]
    if letters:
        count("OutboxEventPublished", len(letters) - len(failed))
    return failed
