"""The AWS endpoint serves programs, not web pages."""

from __future__ import annotations

import httpx
import pytest

from tests.integration.local.conftest import SampleStage

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Host": "rebound.example.com:4566"},
        {"Host": "localhost.example.com"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_what_a_web_page_sends_is_refused(stage: SampleStage, headers: dict[str, str]) -> None:
    for path in ("/", "/_ministack/health", "/_ministack/reset"):
        answer = httpx.post(f"{stage.aws.endpoint}{path}", headers=headers)
        assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/config"])
def test_nobody_resets_a_running_stage(stage: SampleStage, path: str) -> None:
    assert httpx.post(f"{stage.aws.endpoint}{path}").status_code == 403


@pytest.mark.parametrize("host", ["localhost:4566", "127.0.0.1", "[::1]:4566", "s3.localhost"])
def test_programs_pass(stage: SampleStage, host: str) -> None:
    answer = httpx.get(f"{stage.aws.endpoint}/_ministack/health", headers={"Host": host})
    assert answer.status_code == 200
    assert "events" in stage.aws.dynamodb.list_tables()["TableNames"]
