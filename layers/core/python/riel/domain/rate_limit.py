"""A token bucket in one number: the generic cell rate algorithm, in whole nanoseconds.

The number is the *theoretical arrival time* (TAT): the instant at which the bucket is full again.
A bucket whose TAT has passed is full; taking a token moves the TAT on by the time that a token
takes to grow back; what would move it further ahead than a whole bucket's time does not fit. So
the tokens granted from any moment on are at most `burst + rate * seconds`.
Source: ITU-T I.371, annex A (the virtual scheduling algorithm).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

SECOND_NS = 1_000_000_000
ROUNDING_NS = 1_000
"""What a thousand leases of one token may lose by rounding; no clock of ours is finer than that."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_nanoseconds(instant: datetime) -> int:
    """Nanoseconds since 1970, exactly (no float in between)."""
    delta = instant - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_NS + delta.microseconds * 1_000


def whole_seconds(nanoseconds: int) -> int:
    """Seconds, rounded up: who waits for so long has waited long enough."""
    return -(-nanoseconds // SECOND_NS)


@dataclass(frozen=True, slots=True)
class Bucket:
    """`rate` tokens grow back each second, up to `burst` of them; both are at least one."""

    rate: int
    burst: int

    def __post_init__(self) -> None:
        if self.rate < 1 or self.burst < 1:
            raise ValueError(f"a bucket needs a rate and a burst of at least one: {self}")

    def time_of(self, tokens: int) -> int:
        """Nanoseconds in which so many tokens grow back, rounded up: never a token too many."""
        return -(-tokens * SECOND_NS // self.rate)

    @property
    def window(self) -> int:
        """Nanoseconds in which an empty bucket fills."""
        return self.time_of(self.burst)

    @property
    def depth(self) -> int:
        """How far ahead of the present the TAT may be."""
        return self.window + ROUNDING_NS

    def fitting(self, tat: int, now: int) -> int:
        """How many tokens are in the bucket; zero or less when none is."""
        left = (now + self.depth - max(tat, now)) * self.rate // SECOND_NS
        return min(left, self.burst)

    def free_at(self, tat: int, tokens: int = 1) -> int:
        """The instant from which so many tokens are in the bucket."""
        return tat + self.time_of(tokens) - self.depth
