"""A merchant's payments, newest first, for the operator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from infra.cli.errors import OperatorError
from infra.cli.options import stage_option
from infra.names import command
from riel.app import App
from riel.domain.payment import Payment
from riel.store.listing import Span
from riel.store.merchants import Caller, Merchant


class RecentPayments:
    """Reads the newest payments of one merchant; `day` (`2026-04-17`) restricts it to a UTC day."""

    def __init__(self, app: App, merchant: str, livemode: bool, day: str = "") -> None:
        self._app = app
        self.merchant = merchant
        self._livemode = livemode
        self._span = _span(day) if day else Span()
        self._listing = app.listing

    def read(self, limit: int) -> list[Payment]:
        """Return up to `limit` payments as they are now; raises OperatorError for no merchant."""
        positions = self._listing.newest(self._owner(), self._span, limit)
        found = self._listing.payments(positions)
        return [payment for _, payment in found if payment is not None]

    def _owner(self) -> Caller:
        # Asked each time, through the store's cache: during a watch the merchant may get more
        # shards.
        return Caller(known_merchant(self._app, self.merchant), self._livemode)


def known_merchant(app: App, merchant_id: str) -> Merchant:
    """Read a merchant; raises OperatorError when there is none of this id."""
    merchant = app.merchants.get(merchant_id)
    if merchant is None:
        stage = app.config.stage
        raise OperatorError(
            f"There is no merchant {merchant_id} on the stage {stage}.",
            f"List them with: {command()} merchants list{stage_option(stage)}",
        )
    return merchant


def _span(day: str) -> Span:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return Span.of(midnight, midnight + timedelta(days=1))
