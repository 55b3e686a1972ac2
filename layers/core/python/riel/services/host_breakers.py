"""Who may be called now: a host has to earn that its webhooks are sent side by side.

A worker whose batch holds one endpoint that hangs is busy for all, and a merchant can have as many
hosts as its DNS has names. So of a merchant's hosts that are new, one is tried at a time, by one
attempt, whatever the number of environments; whoever has not ended within eight seconds is waited
for no longer. Of those that were slow when they were tried last, one is tried at a time too, in a
turn of their own, so that they hold up no new one. One attempt that ends promptly proves a host for
a day: by any status, and by a refusal too, for what ends at once holds up nobody. Several slow ones
in a row take that back: this is a circuit breaker that begins half open. When too many of a
merchant's attempts are slow, whatever their hosts, all its hosts have to prove themselves anew: to
have been prompt once is easy.

What is known stands in the limits table. Where that can not be reached, webhooks go out all the
same (metric `WebhookHostUnknown`): isolation is worth less than delivery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel import threads
from riel.domain.instants import epoch_milliseconds
from riel.errors import StoreUnavailableError
from riel.observability import count, logger
from riel.store.expiring_cache import ExpiringCache
from riel.store.hosts import NEW, SLOW, Host
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
LEASES = {NEW: timedelta(seconds=8), SLOW: timedelta(seconds=DEADLINE_SECONDS + 5)}
"""A slow host's is longer than any attempt: after it the worker has died. Of new hosts that hang
two are tried at once at most, so the next one need not wait for a whole attempt."""
FREE_MISSES = 4
"""After which a host rests between two tries: a delivery's first retries come by their schedule."""
SHORTEST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=1)
"""Doubled with each miss."""
MAX_MISSES = 10
"""That are told apart."""
WAIT_SECONDS = 1
PROMPT_SECONDS = 5.0
"""What takes longer proves nothing: such a host is called, but not side by side.

Not shorter, though a host may always take almost as long: five seconds are what merchants are told,
and many an honest endpoint needs them for a cold start or for work that it should do later.
"""
SLOW_ATTEMPTS = 3
"""In a row, in one environment, take a proof back."""
MERCHANT_SLOW_ATTEMPTS = 10
"""To hosts that were proven, more than prompt ones, in one environment, take all proofs back.

Three hosts that begin to hang at once do not come to as many: each is doubted by itself first.
"""
IN_A_ROW_SECONDS = 300
"""Slow attempts further apart are not in a row."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an attempt may go: at once, or not before so many seconds.

    `probe_until_ms` is the end of the lease of an attempt that tries an unproven host, else 0;
    `turn` is which of the merchant's two leases that is.
    """

    merchant_id: str
    authority: str
    wait_seconds: float = 0.0
    probe_until_ms: int = 0
    turn: str = ""


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
        self._slow: ExpiringCache[int] = ExpiringCache(MAX_HOSTS, IN_A_ROW_SECONDS)
        self._doubted: ExpiringCache[int] = ExpiringCache(MAX_HOSTS, KNOWN_SECONDS)
        self._lock = threads.Lock()

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
            self._note(admission, seconds, answered, self._app.clock())
        except StoreUnavailableError as error:
            _unknown(error)

    def _admit(self, asked: Admission, now: datetime) -> Admission:
        host, now_ms = self._host(asked, now), epoch_milliseconds(now)
        if host.proven_until_ms > now_ms:
            return asked
        if rest := _rest_ms(host, now_ms):
            return replace(asked, wait_seconds=self._spread(rest, 2 * rest))
        asked = replace(asked, turn=SLOW if host.misses else NEW)
        until_ms = epoch_milliseconds(now + LEASES[asked.turn])
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
        now_ms, lease = epoch_milliseconds(now), (asked.merchant_id, asked.turn)
        if (taken := self._taken.get("#".join(lease), now) or 0) > now_ms:
            return taken
        taken = self._app.hosts.take_probe(*lease, now_ms, until_ms)
        self._taken.put("#".join(lease), taken, now)
        return taken

    def _end_probe(self, admission: Admission, now: datetime) -> None:
        lease = admission.merchant_id, admission.turn
        self._app.hosts.end_probe(*lease, admission.probe_until_ms)
        self._taken.put("#".join(lease), 0, now)

    def _note(self, admission: Admission, seconds: float, answered: bool, now: datetime) -> None:
        host, is_prompt = self._host(admission, now), seconds <= PROMPT_SECONDS
        slow, half_life = _slow(host, seconds, answered, now), now + PROVEN_FOR / 2
        if admission.probe_until_ms:
            self._learn(admission, _proven(host, now) if is_prompt else slow, now)
            self._end_probe(admission, now)
            return
        if host.proven_until_ms <= epoch_milliseconds(now):
            return  # doubted meanwhile: only whoever tries it decides
        if self._are_too_many_slow(admission, is_prompt, now):
            self._doubt_merchant(admission, now)
        if self._are_enough_slow(admission, is_prompt, now):
            self._doubt(admission, slow, now)
        elif is_prompt and host.proven_until_ms < epoch_milliseconds(half_life):
            self._learn(admission, _proven(Host(), now), now)

    def _are_enough_slow(self, admission: Admission, is_prompt: bool, now: datetime) -> bool:
        """Count the slow attempts in a row; once they are enough, begin anew."""
        key = _key(admission)
        with self._lock:
            in_a_row = 0 if is_prompt else (self._in_a_row.get(key, now) or 0) + 1
            self._in_a_row.put(key, in_a_row % SLOW_ATTEMPTS, now)
            return in_a_row >= SLOW_ATTEMPTS

    def _are_too_many_slow(self, admission: Admission, is_prompt: bool, now: datetime) -> bool:
        """Count a merchant's slow attempts, less its prompt ones; once too many, begin anew.

        A prompt one takes back one, not all: else one host that answers would cover for nine
        that hang.
        """
        with self._lock:
            before = self._slow.get(admission.merchant_id, now) or 0
            after = max(before - 1, 0) if is_prompt else before + 1
            if after != before:
                self._slow.put(admission.merchant_id, after % MERCHANT_SLOW_ATTEMPTS, now)
            return after >= MERCHANT_SLOW_ATTEMPTS

    def _doubt_merchant(self, admission: Admission, now: datetime) -> None:
        count("WebhookMerchantDoubted")
        about = {"merchant_id": admission.merchant_id}
        logger.warning("a merchant's hosts of webhooks have become slow", extra=about)
        self._doubted.put(admission.merchant_id, epoch_milliseconds(now), now)
        self._app.hosts.doubt(admission.merchant_id, epoch_milliseconds(now))

    def _doubt(self, admission: Admission, host: Host, now: datetime) -> None:
        # A merchant's trouble, not ours: its webhooks now go one at a time. Of many merchants at
        # once it is our own way out that is slow.
        count("WebhookHostDoubted")
        about = {"merchant_id": admission.merchant_id, "host": admission.authority}
        logger.warning("a host of webhooks has become slow", extra=about)
        self._learn(admission, host, now)

    def _host(self, admission: Admission, now: datetime) -> Host:
        known = self._known.get(_key(admission), now)
        if known:
            host = self._believed(admission, known.host, now)
            if not _is_old(host, known.read_at, now):
                return host
        host = self._app.hosts.get(admission.merchant_id, admission.authority)
        self._known.put(_key(admission), _Known(host, now), now)
        return self._believed(admission, host, now)

    def _believed(self, admission: Admission, host: Host, now: datetime) -> Host:
        """The host without its proof, if that is older than the doubt about its merchant."""
        if host.proven_until_ms <= epoch_milliseconds(now):
            return host
        proven_at_ms = host.proven_until_ms - PROVEN_FOR // timedelta(milliseconds=1)
        is_doubted = proven_at_ms <= self._doubted_at_ms(admission.merchant_id, now)
        return replace(host, proven_until_ms=0) if is_doubted else host

    def _doubted_at_ms(self, merchant_id: str, now: datetime) -> int:
        at_ms = self._doubted.get(merchant_id, now)
        if at_ms is None:
            at_ms = self._app.hosts.doubted_at_ms(merchant_id)
            self._doubted.put(merchant_id, at_ms, now)
        # One that is yet to come: said by a clock that is wrong.
        return at_ms if at_ms <= epoch_milliseconds(now) else 0

    def _learn(self, admission: Admission, host: Host, now: datetime) -> None:
        # Here first: this environment knows it even where the table can not be told.
        self._known.put(_key(admission), _Known(host, now), now)
        self._app.hosts.put(admission.merchant_id, admission.authority, host)


def _is_old(host: Host, read_at: datetime, now: datetime) -> bool:
    now_ms = epoch_milliseconds(now)
    if host.proven_until_ms > now_ms or _rest_ms(host, now_ms):
        return False
    return now - read_at >= timedelta(seconds=UNPROVEN_KNOWN_SECONDS)


def _proven(host: Host, now: datetime) -> Host:
    # The misses stay: a host that is prompt once and then slow again rests longer each time.
    return Host(epoch_milliseconds(now + PROVEN_FOR), 0, host.misses)


def _slow(host: Host, seconds: float, answered: bool, now: datetime) -> Host:
    if answered:
        # It works, one at a time; half of the turn is for its merchant's other slow hosts.
        rest = min(timedelta(seconds=seconds), LONGEST_REST)
        return Host(0, epoch_milliseconds(now + rest), max(host.misses, 1))
    misses = min(host.misses + 1, MAX_MISSES)
    if misses < FREE_MISSES:
        return Host(0, 0, misses)
    rest = min(SHORTEST_REST * 2 ** (misses - FREE_MISSES), LONGEST_REST)
    return Host(0, epoch_milliseconds(now + rest), misses)


def _rest_ms(host: Host, now_ms: int) -> int:
    rest = host.rests_until_ms - now_ms
    # Longer than any rest: said by a clock that is wrong.
    return rest if 0 < rest <= LONGEST_REST // timedelta(milliseconds=1) else 0


def _key(admission: Admission) -> str:
    return f"{admission.merchant_id}#{admission.authority}"


def _unknown(error: StoreUnavailableError) -> None:
    count("WebhookHostUnknown")
    logger.warning("what is known of a host can not be reached", extra={"why": str(error)[:200]})
