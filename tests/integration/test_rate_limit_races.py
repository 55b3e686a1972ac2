"""Environments that race for one bucket, on the engine: the model has no real races."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.local.aws import Aws
from riel.domain.rate_limit import Bucket, epoch_nanoseconds
from riel.errors import RateLimitedError
from riel.services.rate_limit import RateLimiter
from riel.store.limits import LimitStore
from tests.builders import NOON, make_app

TABLE = "races-limits"
ENVIRONMENTS = 8


@pytest.fixture
def store(engine_aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[LimitStore]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine_aws.endpoint)
    engine_aws.dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield make_app(limits_table=TABLE).limits
    engine_aws.dynamodb.delete_table(TableName=TABLE)


@pytest.mark.parametrize("burst", [1, 7, 500])
def test_however_environments_race_the_burst_passes_exactly_once(
    store: LimitStore, burst: int
) -> None:
    bucket, now = Bucket(rate=3, burst=burst), epoch_nanoseconds(NOON)

    def spend_all(limiter: RateLimiter) -> int:
        passed = 0
        while True:
            try:
                limiter.spend(f"race-{burst}", bucket, now)
            except RateLimitedError:
                return passed
            passed += 1

    with ThreadPoolExecutor(ENVIRONMENTS) as threads:
        limiters = [RateLimiter(store) for _ in range(ENVIRONMENTS)]
        passed = list(threads.map(spend_all, limiters))

    assert sum(passed) == burst
