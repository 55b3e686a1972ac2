"""The SDK's own retries, with a backoff that is drawn like all else."""

from __future__ import annotations

import random
from typing import Any

from botocore.retries.quota import RetryQuota
from botocore.retries.standard import (
    ExponentialBackoff,
    RetryEventAdapter,
    RetryHandler,
    RetryPolicy,
    RetryQuotaChecker,
    StandardRetryConditions,
)


class SdkRetries:
    """What decides for one client whether a call is made again, and when."""

    def __init__(self, max_attempts: int) -> None:
        self._policy = RetryPolicy(
            retry_checker=StandardRetryConditions(max_attempts=max_attempts),
            retry_backoff=ExponentialBackoff(random=_draw),
        )
        self.forget()

    def forget(self) -> None:
        """Begin with a full quota: it is kept in the client, and runs must not share it."""
        self._quota = RetryQuotaChecker(RetryQuota())
        self._handler = RetryHandler(
            retry_policy=self._policy,
            retry_event_adapter=RetryEventAdapter(),
            retry_quota=self._quota,  # type: ignore[arg-type]  # the stubs name the inner quota
        )

    def attach(self, client: Any) -> None:
        """Decide in place of the client's own."""
        name = client.meta.service_model.service_id.hyphenize()
        events, unique_id = client.meta.events, f"retry-config-{name}"
        events.unregister(f"needs-retry.{name}", unique_id=unique_id)
        events.register(f"needs-retry.{name}", self.needs_retry, unique_id=unique_id)
        events.register(f"after-call.{name}", self.release)

    def needs_retry(self, **told: Any) -> float | None:
        """Return how many seconds to wait before the next attempt; None if there is none."""
        delay: float | None = self._handler.needs_retry(**told)
        return delay

    def release(self, **told: Any) -> None:
        """Give back what a call that is over took of the quota."""
        self._quota.release_retry_quota(**told)


def _draw() -> float:
    return random.random()  # as it is now, not as it was when the SDK was imported
