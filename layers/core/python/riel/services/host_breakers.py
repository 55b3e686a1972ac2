"""Who may be called now: a host has to earn that its webhooks are sent side by side.

A worker whose batch holds one endpoint that hangs is busy for all, and a merchant can have as many
hosts as its DNS has names. So of all the hosts of a merchant that have not proven that they are
prompt, one is tried at a time, by one attempt, whatever the number of environments; the others'
webhooks wait their turn. One attempt that ends promptly proves a host for a day: by any status, and
by a refusal too, for what ends at once holds up nobody. Several slow ones in a row take that back:
this is a circuit breaker that begins half open.

What is known stands in the limits table. Where that can not be reached, webhooks go out all the
same (metric `WebhookHostUnknown`): isolation is worth less than delivery.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel.domain.instants import epoch_milliseconds
from riel.errors import StoreUnavailableError
from riel.observability import count, logger
from riel.store.expiring_cache import ExpiringCache
from riel.store.hosts import Host
from riel.webhooks.sending import DEADLINE_SECONDS

if TYPE_CHECKING:
    from riel.app import App

PROVEN_FOR = timedelta(days=1)
KNOWN_SECONDS = 10
"""For how long an environment goes by what another may have changed."""
UNPROVEN_KNOWN_SECONDS = 1
"""Shorter, for whoever waits for a host's first answer is to learn of it at once."""
TAKEN_KNOWN_SECONDS = 0.5
"""Somebody else's probe: a crowd that waits for it asks the table but twice a second."""
MAX_HOSTS = 1_000
PROBE_LEASE = timedelta(seconds=DEADLINE_SECONDS + 5)
"""Longer than any attempt. After it, somebody else may try: the worker has died."""
SHORTEST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=1)
"""Between two tries of a host that did not answer in time; doubled with each miss."""
MAX_MISSES = 10
"""That are told apart."""
WAIT_SECONDS = 1
PROMPT_SECONDS = 5.0
"""What takes longer proves nothing: such a host is called, but not side by side."""
SLOW_ATTEMPTS = 3
"""In a row, in one environment, take a proof back."""
IN_A_ROW_SECONDS = 300
"""Slow attempts further apart are not in a row."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an attempt may go: at once, or not before so many seconds.

    `probe_until_ms` is the end of the lease of an attempt that tries an unproven host, else 0.
    """

    merchant_id: str
    authority: str
    wait_seconds: float = 0.0
    probe_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    host: Host
    read_at: datetime


class HostBreakers:
    """The breakers of one environment, over what all environments know."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._known: ExpiringCache[_Known] = ExpiringCache(MAX_HOSTS, KNOWN_SECONDS)
        self._taken: ExpiringCache[int] = ExpiringCache(MAX_HOSTS, TAKEN_KNOWN_SECONDS)
        self._in_a_row: ExpiringCache[int] = ExpiringCache(MAX_HOSTS, IN_A_ROW_SECONDS)
        self._lock = threading.Lock()

    def admit(self, merchant_id: str, authority: str) -> Admission:
        """Ask before an attempt. Whoever may go tells by `note` how long it took."""
        now = self._app.clock()
        try:
            return self._admit(Admission(merchant_id, authority), now)
        except StoreUnavailableError as error:
            _unknown(error)
            return Admission(merchant_id, authority)

    def note(self, admission: Admission, seconds: float, *, answered: bool) -> None:
        """Note that an attempt that was let go has ended, after so many seconds."""
        try:
            self._note(admission, seconds <= PROMPT_SECONDS, answered, self._app.clock())
        except StoreUnavailableError as error:
            _unknown(error)

    def _admit(self, asked: Admission, now: datetime) -> Admission:
        host, now_ms = self._host(asked, now), epoch_milliseconds(now)
        if host.proven_until_ms > now_ms:
            return asked
        if rest := _rest_ms(host, now_ms):
            return replace(asked, wait_seconds=self._spread(rest, 2 * rest))
        until_ms = epoch_milliseconds(now + PROBE_LEASE)
        taken_until_ms = self._take_probe(asked, now, until_ms)
        if not taken_until_ms:
            return replace(asked, probe_until_ms=until_ms)
        if until_ms - taken_until_ms < WAIT_SECONDS * 1000:
            return replace(asked, wait_seconds=WAIT_SECONDS)
        # Whoever tries has not been quick: nothing is won by asking all the time.
        return replace(asked, wait_seconds=self._spread(0, taken_until_ms - now_ms))

    def _spread(self, shortest_ms: int, longest_ms: int) -> float:
        """Choose the seconds of a wait at random, so that no crowd comes back at one moment."""
        return max(self._app.random.uniform(shortest_ms, longest_ms) / 1000, WAIT_SECONDS)

    def _take_probe(self, asked: Admission, now: datetime, until_ms: int) -> int:
        """Become the one who tries: 0, or until when somebody else does."""
        now_ms = epoch_milliseconds(now)
        if (taken := self._taken.get(asked.merchant_id, now) or 0) > now_ms:
            return taken
        taken = self._app.hosts.take_probe(asked.merchant_id, now_ms, until_ms)
        self._taken.put(asked.merchant_id, taken, now)
        return taken

    def _end_probe(self, admission: Admission, now: datetime) -> None:
        self._app.hosts.end_probe(admission.merchant_id, admission.probe_until_ms)
        self._taken.put(admission.merchant_id, 0, now)

    def _note(self, admission: Admission, is_prompt: bool, answered: bool, now: datetime) -> None:
        host, half_life = self._host(admission, now), epoch_milliseconds(now + PROVEN_FOR / 2)
        if admission.probe_until_ms:
            learned = _proven(host, now) if is_prompt else _slow(host, answered, now)
            self._learn(admission, learned, now)
            self._end_probe(admission, now)
        elif host.proven_until_ms <= epoch_milliseconds(now):
            return  # doubted meanwhile: only whoever tries it decides
        elif self._are_enough_slow(admission, is_prompt, now):
            self._doubt(admission, _slow(host, answered, now), now)
        elif is_prompt and host.proven_until_ms < half_life:
            self._learn(admission, _proven(Host(), now), now)

    def _are_enough_slow(self, admission: Admission, is_prompt: bool, now: datetime) -> bool:
        """Count the slow attempts in a row; once they are enough, begin anew."""
        key = _key(admission)
        with self._lock:
            in_a_row = 0 if is_prompt else (self._in_a_row.get(key, now) or 0) + 1
            self._in_a_row.put(key, in_a_row % SLOW_ATTEMPTS, now)
            return in_a_row >= SLOW_ATTEMPTS

    def _doubt(self, admission: Admission, host: Host, now: datetime) -> None:
        # A merchant's trouble, not ours: its webhooks now go one at a time. Of many merchants at
        # once it is our own way out that is slow.
        count("WebhookHostDoubted")
        about = {"merchant_id": admission.merchant_id, "host": admission.authority}
        logger.warning("a host of webhooks has become slow", extra=about)
        self._learn(admission, host, now)

    def _host(self, admission: Admission, now: datetime) -> Host:
        known = self._known.get(_key(admission), now)
        if known and not _is_old(known, now):
            return known.host
        host = self._app.hosts.get(admission.merchant_id, admission.authority)
        self._known.put(_key(admission), _Known(host, now), now)
        return host

    def _learn(self, admission: Admission, host: Host, now: datetime) -> None:
        # Here first: this environment knows it even where the table can not be told.
        self._known.put(_key(admission), _Known(host, now), now)
        self._app.hosts.put(admission.merchant_id, admission.authority, host)


def _is_old(known: _Known, now: datetime) -> bool:
    now_ms = epoch_milliseconds(now)
    if known.host.proven_until_ms > now_ms or _rest_ms(known.host, now_ms):
        return False
    return now - known.read_at >= timedelta(seconds=UNPROVEN_KNOWN_SECONDS)


def _proven(host: Host, now: datetime) -> Host:
    # The misses stay: a host that is prompt once and then slow again rests longer each time.
    return Host(epoch_milliseconds(now + PROVEN_FOR), 0, host.misses)


def _slow(host: Host, answered: bool, now: datetime) -> Host:
    if answered:
        return Host(0, 0, host.misses)  # it works, one at a time
    rest = min(SHORTEST_REST * 2**host.misses, LONGEST_REST)
    return Host(0, epoch_milliseconds(now + rest), min(host.misses + 1, MAX_MISSES))


def _rest_ms(host: Host, now_ms: int) -> int:
    rest = host.rests_until_ms - now_ms
    # Longer than any rest: said by a clock that is wrong.
    return rest if 0 < rest <= LONGEST_REST // timedelta(milliseconds=1) else 0


def _key(admission: Admission) -> str:
    return f"{admission.merchant_id}#{admission.authority}"


def _unknown(error: StoreUnavailableError) -> None:
    count("WebhookHostUnknown")
    logger.warning("what is known of a host can not be reached", extra={"why": str(error)[:200]})
