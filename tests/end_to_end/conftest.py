"""The merchant of the end-to-end tests."""

from __future__ import annotations

import pytest

from infra.local.platform import LocalPlatform
from tests.end_to_end.client import Merchant


@pytest.fixture(scope="session")
def merchant(platform: LocalPlatform) -> Merchant:
    return Merchant(platform)
