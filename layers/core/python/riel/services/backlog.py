"""Back-pressure: payments for a gateway are refused while too many wait for it already.

The processor measures how many messages wait to be received (delayed ones and those in flight do
not), and how long a payment holds its place in a batch; it writes both into the limits table.
The API reads that, a few seconds old, and refuses a new payment with GatewayBusyError while the
wait would be longer than the stage allows. It says no on evidence alone: without a figure, or with
an old one, it accepts, because a queue keeps messages for 14 days and its age alarm wakes somebody.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from riel.domain.instants import epoch_milliseconds
from riel.errors import GatewayBusyError, StoreUnavailableError
from riel.observability import count, logger
from riel.store.expiring_cache import ExpiringCache
from riel.store.limits import count_visible

if TYPE_CHECKING:
    from riel.app import App

READ_EVERY_SECONDS = 5
STALE_SECONDS = 60
LONGEST_RETRY_SECONDS = 60
MEASURE_EVERY_SECONDS = 5
MEASURE_AGAIN_SECONDS = 60
"""After a failure: the store or the queue has other worries."""
FULL_BATCH = 10
LONGEST_MEASURE_SECONDS = 15
"""What two calls that hang take (a test compares them); with less time left it is not begun."""
NEW_WEIGHT = 0.2
"""Of the last batch, in the moving average of batches."""


def require_room(app: App, gateway: str) -> None:
    """Raise GatewayBusyError while a new payment would wait for too long at this gateway."""
    excess = app.backlogs.drain_seconds(gateway) - app.config.max_backlog_seconds
    if excess <= 0:
        return
    raise GatewayBusyError(gateway, min(max(math.ceil(excess), 1), LONGEST_RETRY_SECONDS))


class Backlogs:
    """What an environment of the API knows of the gateways' backlogs."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._seconds: ExpiringCache[float] = ExpiringCache(size=100, seconds=READ_EVERY_SECONDS)

    def drain_seconds(self, gateway: str) -> float:
        """How long what waits for a gateway takes to drain; 0 where nobody knows.

        Read at most every `READ_EVERY_SECONDS`, failures included.
        """
        now = self._app.clock()
        seconds = self._seconds.get(gateway, now)
        if seconds is None:
            seconds = self._read(gateway)
            self._seconds.put(gateway, seconds, now)
        return seconds

    def _read(self, gateway: str) -> float:
        try:
            backlog = self._app.limits.backlog(gateway)
        except StoreUnavailableError as error:
            logger.warning("backlog not read", extra={"gateway": gateway, "why": str(error)})
            count("BacklogNotRead")
            return 0.0
        if backlog is None:
            return 0.0
        age_ms = epoch_milliseconds(self._app.clock()) - backlog.measured_at_ms
        if abs(age_ms) > STALE_SECONDS * 1000:
            return 0.0
        return backlog.drain_seconds(self._app.config.payments_parallel)


class BacklogMeter:
    """Measures, in an environment of the processor, what waits for the gateways.

    One GetQueueAttributes for each queue and one UpdateItem for each gateway, at most every
    `MEASURE_EVERY_SECONDS`, and after a full batch alone: one that was not full has found the end
    of the queue.
    An environment that is younger than that does not measure, so a lone payment never pays for it.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._batch_seconds: float | None = None
        self._next_at = app.clock() + timedelta(seconds=MEASURE_EVERY_SECONDS)

    def after_batch(self, messages: int, seconds: float, seconds_left: float) -> None:
        """Note how long a batch took, and measure if it is time to.

        A payment holds its place until its whole batch is done, so the batch's time counts. A
        queue or a table that fails is logged: the batch's answer is worth more than the figure.
        """
        if not messages:
            return
        before = seconds if self._batch_seconds is None else self._batch_seconds
        self._batch_seconds = before + NEW_WEIGHT * (seconds - before)
        now = self._app.clock()
        is_due = now >= self._next_at and seconds_left > LONGEST_MEASURE_SECONDS
        if messages < FULL_BATCH or not is_due:
            return
        pause = MEASURE_EVERY_SECONDS
        try:
            self._measure(round(self._batch_seconds * 1000))
        except StoreUnavailableError as error:
            pause = MEASURE_AGAIN_SECONDS
            logger.warning("backlog not measured", extra={"why": str(error)})
            count("BacklogNotMeasured")
        self._next_at = now + timedelta(seconds=pause)

    def _measure(self, step_ms: int) -> None:
        # Gateways without a queue of their own share one, whose length stands for each of them.
        visible: dict[str, int] = {}
        for gateway in sorted(self._app.configured_gateways):
            queue = self._app.gateway_queue(gateway)
            if queue.url not in visible:
                visible[queue.url] = count_visible(queue)
            now = self._app.clock()
            self._app.limits.record_backlog(gateway, visible[queue.url], step_ms, now)
