"""Each merchant's limit of requests, in each mode: a token bucket, leased in blocks.

The bucket stands in DynamoDB; an execution environment leases some of its tokens by one write and
spends them from memory, so the common request costs no call. How exact that is:

- What all environments spend from any moment on is at most `burst + rate * seconds`, plus what
  they had leased before it.
- The first lease is one token, so a hundred new environments do not divide the bucket among them.
  It doubles while it is spent within a second, up to a quarter of the burst, and is good for 1 to
  10 seconds then; it halves when some of it expires unspent, so idle environments hold little.
- A lease that lasted longer is followed by one of a fiftieth of the burst, good for a minute: a
  merchant that sends a request now and then pays one write for many of them too.
- An environment that was refused does not ask again until a quarter of the bucket, or a second's
  worth if that is less, has grown back: a flood costs it a few calls a second at most.

Lambda gives an environment one request at a time, so nothing here takes a lock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from riel.domain.rate_limit import SECOND_NS, Bucket, epoch_nanoseconds, whole_seconds
from riel.errors import RateLimitedError, StoreUnavailableError
from riel.observability import count, logger
from riel.store.limits import Leased, LimitStore, bucket_key
from riel.store.merchants import Caller

if TYPE_CHECKING:
    from riel.app import App

MAX_SHARES = 1_000
"""Buckets that an environment remembers; the least recently used is forgotten first."""
SHORTEST_LEASE_NS = 1 * SECOND_NS
LONGEST_LEASE_NS = 10 * SECOND_NS
SMALL_LEASE_NS = 60 * SECOND_NS
SMALLEST_SHARE = 50
"""Of this many environments each can hold a smallest lease."""
QUICK_NS = 1 * SECOND_NS
LONGEST_REFUSAL_NS = 1 * SECOND_NS
UNREACHABLE_NS = 2 * SECOND_NS
"""So long reads do not wait for a store that has just failed."""
POLICY = "default"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a merchant may still send: `remaining` of `limit` requests.

    All of them may be sent again in `reset_seconds`, or with none remaining the next one; an empty
    bucket fills in `window_seconds`. `remaining` is what this environment saw last, so others may
    have spent some of it since.
    """

    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int


def check_rate(app: App, caller: Caller, *, is_write: bool) -> Allowance | None:
    """Count one request against the caller's limit; raises RateLimitedError over it.

    While the limits table throttles or does not answer, writes fail closed, by
    StoreUnavailableError, for nobody's flood may reach the payments uncounted; reads fail open,
    with None, for a merchant must be able to ask what became of its money.
    """
    now = epoch_nanoseconds(app.clock())
    limiter = app.rate_limiter
    if not is_write and limiter.is_unreachable(now):
        return None
    limits = caller.merchant.limits
    pk = bucket_key(caller.merchant_id, caller.livemode)
    try:
        return limiter.spend(pk, Bucket(limits.rate, limits.burst), now)
    except RateLimitedError:
        count("RequestRateLimited")
        raise
    except StoreUnavailableError as error:
        if is_write:
            raise
        logger.warning("rate not checked", extra={"why": str(error)})
        count("RateNotChecked")
        return None


def refused(caller: Caller, error: RateLimitedError) -> Allowance:
    """Say what a refused caller may send: nothing, until the error's time is over."""
    limits = caller.merchant.limits
    window_seconds = whole_seconds(Bucket(limits.rate, limits.burst).window)
    return Allowance(limits.burst, window_seconds, 0, error.retry_after_seconds)


def rate_limit_headers(allowance: Allowance | None) -> dict[str, str]:
    """Word an allowance as draft-ietf-httpapi-ratelimit-headers-11 does; no words for None."""
    if allowance is None:
        return {}
    return {
        "RateLimit-Policy": f'"{POLICY}";q={allowance.limit};w={allowance.window_seconds}',
        "RateLimit": f'"{POLICY}";r={allowance.remaining};t={allowance.reset_seconds}',
    }


@dataclass(slots=True)
class _Share:
    """What this environment holds of one bucket, and knows of it. Instants in nanoseconds."""

    bucket: Bucket
    size: int = 0
    left: int = 0
    leased_at: int = 0
    tat: int = 0
    refused_at: int = 0
    refused_until: int = 0

    @property
    def smallest(self) -> int:
        """How many tokens a lease has that nobody is in a hurry for."""
        return max(1, self.bucket.burst // SMALLEST_SHARE)

    @property
    def life(self) -> int:
        """How long a lease is good for: a small one long, others until the bucket is full again."""
        if self.size <= self.smallest:
            return SMALL_LEASE_NS
        return min(max(self.bucket.window, SHORTEST_LEASE_NS), LONGEST_LEASE_NS)

    # Both also ask for their beginning: after a clock was set back, neither must last for longer.
    def has_token(self, now: int) -> bool:
        return self.left > 0 and self.leased_at <= now < self.leased_at + self.life

    def is_refused(self, now: int) -> bool:
        return self.refused_at <= now < self.refused_until

    def next_size(self, now: int) -> int:
        """How many tokens the next lease asks for, judged by how the last one went."""
        if self.left:
            return max(self.smallest, self.size // 2)
        if not self.size:
            return 1
        if now - self.leased_at <= QUICK_NS:
            return min(2 * self.size, max(1, self.bucket.burst // 4))
        return max(self.smallest, self.size)


class RateLimiter:
    """The shares of one environment."""

    def __init__(self, store: LimitStore) -> None:
        self._store = store
        self._shares: OrderedDict[str, _Share] = OrderedDict()
        self._unreachable_since = 0

    def __len__(self) -> int:
        return len(self._shares)

    def is_unreachable(self, now: int) -> bool:
        """Whether the store failed a moment ago, so that who can do without it need not ask."""
        return 0 <= now - self._unreachable_since < UNREACHABLE_NS

    def spend(self, pk: str, bucket: Bucket, now: int) -> Allowance:
        """Spend one token; raises RateLimitedError or StoreUnavailableError."""
        share = self._share(pk, bucket)
        if not share.has_token(now):
            if share.is_refused(now):
                raise _over(share, now)
            self._lease(pk, share, now)
        share.left -= 1
        return _allowance(share, now)

    def _share(self, pk: str, bucket: Bucket) -> _Share:
        share = self._shares.get(pk)
        if share is None or share.bucket != bucket:
            share = self._shares[pk] = _Share(bucket)
        self._shares.move_to_end(pk)
        if len(self._shares) > MAX_SHARES:
            self._shares.popitem(last=False)
        return share

    def _lease(self, pk: str, share: _Share, now: int) -> None:
        size = share.next_size(now)
        try:
            found = self._store.lease(pk, share.bucket, size, now, share.tat)
        except StoreUnavailableError:
            self._unreachable_since = now
            raise
        share.tat, share.size, share.left = found.tat, size, 0
        if not isinstance(found, Leased):
            logger.info("rate limited", extra={"bucket": pk})
            share.refused_at, share.refused_until = now, _ask_again_at(share, now)
            raise _over(share, now)
        share.leased_at, share.left = now, found.tokens


def _ask_again_at(share: _Share, now: int) -> int:
    bucket = share.bucket
    worth_asking = bucket.free_at(share.tat, max(1, bucket.burst // 4))
    return max(bucket.free_at(share.tat), min(worth_asking, now + LONGEST_REFUSAL_NS))


def _over(share: _Share, now: int) -> RateLimitedError:
    return RateLimitedError(max(1, whole_seconds(share.refused_until - now)))


def _allowance(share: _Share, now: int) -> Allowance:
    bucket = share.bucket
    unspent = max(0, bucket.fitting(share.tat, now)) + share.left
    remaining = min(unspent, bucket.burst)
    missing = bucket.burst - remaining if remaining else 1
    return Allowance(
        limit=bucket.burst,
        window_seconds=whole_seconds(bucket.window),
        remaining=remaining,
        reset_seconds=whole_seconds(bucket.time_of(missing)),
    )
