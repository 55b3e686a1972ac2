"""What tests of merchants share: who gets in, and a DynamoDB in which others act too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from riel.app import App
from riel.errors import UnauthorizedError
from riel.services.authenticate import authenticate
from riel.services.merchants import list_merchants, seed_merchant
from riel.store.merchant_records import MerchantRecord
from riel.store.merchants import Limits
from tests.builders import WEBHOOK_SECRET

LIMITS = Limits(rate=50, burst=100)


class Meddler:
    """A DynamoDB client that counts reads, and lets somebody else act before a transaction.

    `is_empty` spares the reads of keys that nobody has; pages of a scan have one item.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.reads: Counter[str] = Counter()
        self.others: list[Callable[[], object]] = []
        self.is_empty = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get_item(self, **parameters: Any) -> Any:
        self.reads[parameters["Key"]["pk"]["S"]] += 1
        return {} if self.is_empty else self._inner.get_item(**parameters)

    def scan(self, **parameters: Any) -> Any:
        return self._inner.scan(**parameters, Limit=1)

    def transact_write_items(self, **parameters: Any) -> Any:
        if self.others:
            self.others.pop(0)()
        return self._inner.transact_write_items(**parameters)


def record_of(app: App, merchant_id: str) -> MerchantRecord:
    (found,) = [one for one in list_merchants(app) if one.merchant.merchant_id == merchant_id]
    return found


def seed(app: App, merchant_id: str, api_key: str) -> None:
    seed_merchant(
        app,
        merchant_id=merchant_id,
        name=merchant_id,
        api_key=api_key,
        webhook_secret=WEBHOOK_SECRET,
    )


def is_refused(app: App, api_key: str | None) -> bool:
    try:
        authenticate(app, api_key)
    except UnauthorizedError as error:
        assert error.status == 401
        return True
    return False
