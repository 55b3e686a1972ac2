"""Take dead letters out of their queue for good, without losing them; and send one back after all.

A letter that nobody will send back keeps its queue's alarm on, and hides the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from riel.errors import FieldProblem, InvalidRequestError, InvalidStateError, NotFoundError
from riel.services.dead_letters import DeadLetter, DeadLetterQueue, give_back, receive_each
from riel.services.list_dead_letters import explain
from riel.services.redrive_dead_letters import MAX_MESSAGES, send_back
from riel.store.quarantine import MAX_BODY_BYTES, PutAside
from riel.store.queues import Received

if TYPE_CHECKING:
    from riel.app import App

MAX_REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class QuarantineOrder:
    """Which letters to put aside, and what to note of it.

    Those of one payment, or the one with a message id; without either, all of them.
    """

    by: str
    reason: str
    payment_id: str = ""
    message_id: str = ""
    dry_run: bool = False

    def means(self, letter: DeadLetter) -> bool:
        """Whether the order is about this letter."""
        if self.message_id:
            return letter.message_id == self.message_id
        return not self.payment_id or self.payment_id in letter.payment_ids


@dataclass(slots=True)
class Quarantined:
    """What was put aside, and what was left: message id and reason of each."""

    letters: list[DeadLetter] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)


def quarantine_dead_letters(
    app: App, source: DeadLetterQueue, order: QuarantineOrder
) -> Quarantined:
    """Put letters aside. Each is written first and deleted then, so a cut-off run loses none.

    A letter of several payments goes as a whole, whichever of them the order names. Raises
    InvalidRequestError for a reason that says nothing, or too much.
    """
    if not 0 < len(order.reason.strip()) <= MAX_REASON_LENGTH:
        rule = f"has to have 1 to {MAX_REASON_LENGTH} characters"
        raise InvalidRequestError((FieldProblem("reason", "reason_invalid", rule),))
    done = Quarantined()
    held: dict[str, Received] = {}
    try:
        for message in receive_each(source, held, MAX_MESSAGES):
            letter = explain(app, source, message)
            if order.means(letter) and _put_aside(app, source, order, message, letter, done):
                del held[message.message_id]
    finally:
        give_back(source, held)
    return done


def release_letter(app: App, source: DeadLetterQueue, message_id: str, by: str) -> PutAside:
    """Send a letter in quarantine back to where it came from.

    Raises NotFoundError for one that is not there, and InvalidStateError for one that nobody can
    send. It is sent first and noted then: a cut-off run may send it twice, which is absorbed.
    """
    letter = app.quarantine.get(source.name, message_id)
    if letter is None or letter.released_at:
        raise NotFoundError(f"no letter {message_id} of {source.name} is in quarantine")
    if problem := send_back(app, source, letter.body):
        raise InvalidStateError(problem)
    app.quarantine.mark_released(letter, by, app.clock())
    return letter


def _put_aside(
    app: App,
    source: DeadLetterQueue,
    order: QuarantineOrder,
    message: Received,
    letter: DeadLetter,
    done: Quarantined,
) -> bool:
    """Keep one letter; True when it is gone from the dead-letter queue."""
    if len(message.body.encode()) > MAX_BODY_BYTES:
        done.left.append((message.message_id, "too large to be kept"))
        return False
    done.letters.append(letter)
    if order.dry_run:
        return False
    app.quarantine.put(_record(app, order, letter))
    source.queue.delete(message.receipt)
    return True


def _record(app: App, order: QuarantineOrder, letter: DeadLetter) -> PutAside:
    return PutAside(
        queue=letter.queue,
        message_id=letter.message_id,
        body=letter.body,
        sent_at=letter.sent_at,
        receives=letter.receives,
        cause=letter.reason,
        reason=order.reason.strip(),
        by=order.by,
        at=app.clock(),
        payment_ids=letter.payment_ids,
    )
