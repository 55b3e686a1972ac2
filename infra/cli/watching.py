"""`riel payments watch`: a screen that moves, or a line for each change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from rich.console import Group
from rich.live import Live
from rich.text import Text

from infra.cli.output import console
from infra.cli.payment_screens import payments_table
from infra.cli.recent_payments import RecentPayments
from riel.domain.payment import Payment

PERIOD_SECONDS = 1.0


def watch_screen(recent: RecentPayments, limit: int, seconds: float) -> None:
    """Redraw a table of the newest payments."""
    with Live(console=console(), auto_refresh=False) as live:
        for payments in _readings(recent, limit, seconds):
            title = Text(f"Payments of {recent.merchant}, newest first (Ctrl-C ends)", style="dim")
            live.update(Group(title, payments_table(payments)), refresh=True)


def watch_lines(
    recent: RecentPayments, limit: int, seconds: float, on_change: Callable[[Payment], None]
) -> None:
    """Tell each payment when it is first seen and at each change, the oldest first."""
    known: dict[str, Payment] = {}
    for payments in _readings(recent, limit, seconds):
        for payment in reversed(payments):
            if known.get(payment.payment_id) != payment:
                on_change(payment)
        known = {payment.payment_id: payment for payment in payments}


def _readings(recent: RecentPayments, limit: int, seconds: float) -> Iterator[list[Payment]]:
    deadline = time.monotonic() + seconds
    while True:
        yield recent.read(limit)
        rest = deadline - time.monotonic() if seconds else PERIOD_SECONDS
        if rest <= 0:
            return
        time.sleep(min(PERIOD_SECONDS, rest))
