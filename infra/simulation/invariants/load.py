"""How much may wait: queues grow with what there is to do, and never by themselves.

A payment that is deferred, looked up and told of at once has a few messages at the same moment;
duplicates and what comes late add to them. A copy that makes two copies would be past any bound
within a minute.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.simulation.invariants.books import Books
from infra.simulation.sqs import Sqs

WAITING_PER_SUBJECT = 4
SENT_PER_SUBJECT = 40
MARGIN = 20
"""For what faults repeat where there are few subjects."""


class Load:
    """Watches how many messages wait in all work queues together, and how many there ever were."""

    def __init__(self, sqs: Sqs, books: Books) -> None:
        self._queues = [queue for queue in sqs.queues.values() if queue.spec.dead_letters]
        self._books = books
        self._sqs = sqs
        self.most_waiting = 0

    def note(self) -> None:
        """Count what waits now."""
        waiting = sum(len(queue.messages) for queue in self._queues)
        self.most_waiting = max(self.most_waiting, waiting)

    def check(self) -> Iterator[tuple[str, str]]:
        """Name what was too much."""
        books = self._books
        subjects = len(books.payments) + len(books.refunds) + len(books.events) + len(books.inbox)
        if self.most_waiting > MARGIN + WAITING_PER_SUBJECT * subjects:
            yield "queues are bounded", f"{self.most_waiting} messages for {subjects} subjects"
        sent = self._sqs.sent
        if sent > MARGIN + SENT_PER_SUBJECT * subjects:
            yield "messages are bounded", f"{sent} were sent for {subjects} subjects"
