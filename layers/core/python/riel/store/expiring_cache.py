"""A bounded memory for what was read: it forgets by age, and the least recently used first."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from riel import threads

T = TypeVar("T")


class ExpiringCache(Generic[T]):
    """Remembers at most `size` values, each for `seconds` from the moment that it was asked for.

    Safe between threads; two that miss at once both read, and the later one is remembered.
    """

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._life = timedelta(seconds=seconds)
        self._entries: OrderedDict[str, tuple[datetime, T]] = OrderedDict()
        self._lock = threads.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, now: datetime) -> T | None:
        """Return what is remembered and not yet too old, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            # Nor may one last longer because the clock was set back.
            if not now < entry[0] <= now + self._life:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return entry[1]

    def put(self, key: str, value: T, asked_at: datetime) -> None:
        """Remember a value that was asked for at that time, not when its answer came."""
        with self._lock:
            self._entries[key] = (asked_at + self._life, value)
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
