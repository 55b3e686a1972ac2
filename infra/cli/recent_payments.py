"""A merchant's payments, newest first, over the days that the listing index is cut into."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from riel.app import App
from riel.domain.payment import Payment

DAYS = 7
_READERS = 8


class RecentPayments:
    """Reads the newest payments of one merchant; `day` restricts it to one UTC day."""

    def __init__(self, app: App, merchant: str, livemode: bool, day: str = "") -> None:
        self._app = app
        self.merchant = merchant
        self._livemode = livemode
        self._day = day

    def read(self, limit: int) -> list[Payment]:
        """Return up to `limit` payments as they are now."""
        ids: list[str] = []
        for day in self._days():
            if len(ids) >= limit:
                break
            missing = limit - len(ids)
            ids += self._app.payments.recent(self.merchant, self._livemode, day, missing)
        with ThreadPoolExecutor(_READERS) as pool:
            found = pool.map(self._app.payments.get, ids)
            return [payment for payment in found if payment is not None]

    def _days(self) -> list[str]:
        if self._day:
            return [self._day]
        today = self._app.clock()
        return [(today - timedelta(days=n)).date().isoformat() for n in range(DAYS)]
