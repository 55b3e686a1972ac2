"""A bucket in the limits table: what it leases, and to whom when several ask at once."""

from __future__ import annotations

from typing import Any

import pytest

from riel.app import App
from riel.domain.rate_limit import SECOND_NS, Bucket, epoch_nanoseconds
from riel.store.limits import CLOCK_SLACK_NS, Leased, LimitStore, Refused
from tests.builders import NOON

NOW = epoch_nanoseconds(NOON)


@pytest.fixture
def store(app: App) -> LimitStore:
    return app.limits


def test_lost_races_end_with_the_last_token_or_an_exact_refusal(
    app: App, store: LimitStore
) -> None:
    """Before each write of ours another environment takes all but one of what is left."""
    bucket = Bucket(rate=1, burst=100)
    rivals = [97, 2]
    busy: list[bool] = []

    def interfere() -> None:
        if not busy and rivals:
            busy.append(True)
            assert isinstance(store.lease("b", bucket, rivals.pop(0), NOW), Leased)
            busy.clear()

    before = "before-parameter-build.dynamodb.UpdateItem"
    app.dynamodb.meta.events.register(before, lambda **_: interfere())

    assert store.lease("b", bucket, 50, NOW) == Leased(1, NOW + 100 * SECOND_NS)
    assert store.lease("b", bucket, 50, NOW) == Refused(NOW + 100 * SECOND_NS)


def test_a_bucket_that_is_nearly_empty_gives_what_is_left(store: LimitStore) -> None:
    bucket = Bucket(rate=1, burst=100)
    store.lease("b", bucket, 90, NOW)

    found = store.lease("b", bucket, 50, NOW)

    assert found == Leased(10, NOW + 100 * SECOND_NS)


def test_more_than_a_bucket_is_never_leased(store: LimitStore) -> None:
    assert store.lease("b", Bucket(1, 5), 50, NOW) == Leased(5, NOW + 5 * SECOND_NS)


def test_a_bucket_expires_after_it_is_full_again(aws: Any, store: LimitStore) -> None:
    store.lease("b", Bucket(1, 100), 100, NOW)

    item = aws.get_item(TableName="limits", Key={"pk": {"S": "b"}})["Item"]
    assert int(item["expires_at"]["N"]) * SECOND_NS > int(item["tat_ns"]["N"]) + CLOCK_SLACK_NS
