"""Send an event again because its merchant asks: once per idempotency key, in whatever state it is.

A record that expired repeats the webhook, with the same id: that is what a repeat is known by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riel import ids
from riel.errors import NotFoundError
from riel.services.list_deliveries import is_kept, read_deliveries
from riel.services.redeliver_webhook import redeliver
from riel.store.deliveries import PENDING, Delivery
from riel.store.items import from_fields
from riel.store.keys import OUTBOX_LIFE
from riel.store.merchants import Caller

if TYPE_CHECKING:
    from riel.app import App

EXPIRED = f"the event is older than {OUTBOX_LIFE.days} days: what was sent is no longer kept"
_BODY_FINGERPRINT = "empty"
"""The body of the request says nothing, so all of them are alike."""


@dataclass(frozen=True, slots=True)
class Redelivery:
    """The answer, or with `refusal` why nothing is sent.

    `request_id` is that of the request which was answered first; a repeat shows it again.
    """

    delivery_id: str
    request_id: str
    state: str = PENDING
    refusal: str = ""
    is_replay: bool = False


def redeliver_event(
    app: App, caller: Caller, key: str, payment_id: str, delivery_id: str, request_id: str
) -> Redelivery:
    """Begin a new run of the schedule, once per idempotency key.

    Raises NotFoundError (also for foreign ids), IdempotencyKeyInUseError, StoreUnavailableError.
    """
    delivery = _find(app, caller, payment_id, delivery_id)

    def work() -> dict[str, Any]:
        answer = {"delivery_id": delivery_id, "request_id": request_id}
        if not is_kept(delivery, app.clock()):
            return {**answer, "refusal": EXPIRED}
        redeliver(app, delivery)
        return answer

    record = ids.redelivery_id(caller.merchant_id, caller.livemode, delivery_id, key)
    answer, is_replay = app.stored_answers.answer(record, _BODY_FINGERPRINT, work)
    return from_fields(Redelivery, {**answer, "is_replay": is_replay})


def _find(app: App, caller: Caller, payment_id: str, delivery_id: str) -> Delivery:
    for told in read_deliveries(app, caller, payment_id):
        if told.delivery.event_id == delivery_id:
            return told.delivery
    raise NotFoundError("no such delivery")
