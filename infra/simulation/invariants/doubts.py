"""What the product may send to a PSP: nothing again that it has not looked for, and not too soon.

Both PSPs here honour idempotency keys for ever, as real ones do for a day. So a request that is
repeated in haste does no harm here, and the harm that it can do elsewhere is watched for instead.
"""

from __future__ import annotations

from collections.abc import Callable

from infra.simulation.functions import MAX_SKEW_SECONDS
from infra.simulation.gateways import Asked, Psp
from riel.gateways.registry import CAPABILITIES

Report = Callable[[str, str], None]
"""Is told of a violation: its name, and what happened."""
SENT_BLINDLY = "nothing is sent again unseen"
SENT_TOO_SOON = "nothing is sent twice at once"
_SENDS = ("/charges", "/refunds")
_NOTHING_HAPPENED = (0, 429, 503)
_NOT_FOUND = 404
_UNDER_WAY_SECONDS = (
    min(can.longest_request_seconds for can in CAPABILITIES.values()) - 2 * MAX_SKEW_SECONDS
)
"""How long a request may still be under way, less what two clocks may differ."""


class Doubts:
    """Watches all requests of a run."""

    def __init__(self, psp: Psp, report: Report) -> None:
        self._report = report
        self._sent: dict[str, Asked] = {}
        self._looked: dict[tuple[str, str], Asked] = {}
        psp.on_asked = self._see

    def _see(self, asked: Asked) -> None:
        if asked.method == "GET":
            self._looked[asked.task, asked.key] = asked
        elif asked.path.endswith(_SENDS):
            before = self._sent.get(asked.key)
            if before is not None and before.status not in _NOTHING_HAPPENED:
                self._judge(before, asked)
            self._sent[asked.key] = asked

    def _judge(self, before: Asked, again: Asked) -> None:
        look = self._looked.get((again.task, again.key))
        told = f"{again.task} sends {again.key} again, which {before.task} has sent"
        if look is None or look.at < before.at or look.status != _NOT_FOUND:
            self._report(SENT_BLINDLY, f"{told}, and did not look for it")
        elif again.at < before.at + _UNDER_WAY_SECONDS:
            seconds = again.at - before.at
            self._report(SENT_TOO_SOON, f"{told} {seconds:.1f} s ago, so it may be under way")
