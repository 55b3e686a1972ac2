"""The product's port answers as API Gateway does, not as the engine does."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.integration.local.conftest import SampleStage
from tests.integration.local.sample_stack import HOOKS_ROUTE

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_api_is_at_the_root_of_the_port(stage: SampleStage, host: str) -> None:
    url = stage.api.replace("localhost", host)
    answer = httpx.get(f"{url}/health", params={"a": "1 2"})
    assert answer.status_code == 200
    assert answer.json()["path"] == "/health"
    assert answer.json()["query"] in {"a=1+2", "a=1%202"}
    assert answer.headers["apigw-requestid"]


def test_paths_of_the_engine_are_only_paths_of_the_api(stage: SampleStage) -> None:
    for path in ("/_ministack/health", "/_aws/execute-api/x/y", "/", "/restapis/a/b"):
        assert httpx.get(f"{stage.api}{path}").json()["path"] == path


def test_an_encoded_path_stays_encoded(stage: SampleStage) -> None:
    answer = httpx.get(f"{stage.api}/keys/a%2Fb%25c")
    assert answer.status_code == 200
    assert answer.json()["path"] in {"/keys/a%2Fb%25c", "/keys/a/b%c", "/keys/a/b%25c"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "abcdefgh.execute-api.localhost"},
        {"Authorization": "AWS4-HMAC-SHA256 Credential=111111111111/20260101/eu-west-1/s3/aws4"},
        {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
        {"Content-Encoding": "aws-chunked"},
        {"x-amz-target": "DynamoDB_20120810.ListTables"},
    ],
)
def test_headers_of_aws_sdks_do_not_change_the_way(
    stage: SampleStage, headers: dict[str, str]
) -> None:
    assert httpx.post(f"{stage.api}/x", content=b"{}", headers=headers).json()["path"] == "/x"


def test_a_failing_function_is_a_generic_500(stage: SampleStage) -> None:
    answer = httpx.get(f"{stage.api}/raise")
    assert answer.status_code == 500
    assert answer.json() == {"message": "Internal Server Error"}
    assert "secret" not in answer.text


def test_the_functions_own_502_is_kept(stage: SampleStage) -> None:
    answer = httpx.get(f"{stage.api}/problem")
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {"code": "upstream"}


def test_several_headers_of_one_name_are_kept(stage: SampleStage) -> None:
    assert httpx.get(f"{stage.api}/cookies").headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_body_beyond_api_gateways_limit_is_413(stage: SampleStage) -> None:
    answer = httpx.post(f"{stage.api}/x", content=b"x" * (10 * 1024 * 1024 + 1))
    assert answer.status_code == 413


def test_a_burst_waits_instead_of_being_refused(stage: SampleStage) -> None:
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: client.get(f"{stage.api}/sleep"), range(60)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1}',
        b'{ "a" : 1.0,\r\n\t"b": "\\u00e9 \xc3\xa9" }\n',
        b"\xef\xbb\xbf{}",
        '"\U0001f600\u2028\x00"'.encode(),
    ],
)
def test_a_route_of_its_own_gets_the_bytes_of_a_text_as_they_were_sent(
    stage: SampleStage, body: bytes
) -> None:
    """A signature is over bytes: one blank more or less and it does not hold."""
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{stage.api}/hooks/psp/events", content=body, headers=headers).json()
    assert answer["route"] == HOOKS_ROUTE
    assert answer["parameters"] == {"name": "psp"}
    assert answer["base64"] is False
    assert answer["body"].encode() == body


@pytest.mark.parametrize("content_type", ["application/octet-stream", "", "application/gzip"])
def test_what_is_no_text_arrives_whole_in_base64(stage: SampleStage, content_type: str) -> None:
    body = bytes(range(256))
    headers = {"content-type": content_type} if content_type else {}
    answer = httpx.post(f"{stage.api}/hooks/psp/events", content=body, headers=headers).json()
    assert answer["base64"] is True
    assert base64.b64decode(answer["body"]) == body


def test_only_its_own_method_and_path_lead_to_a_route(stage: SampleStage) -> None:
    for method, path in (
        ("GET", "/hooks/psp/events"),
        ("POST", "/hooks/psp"),
        ("POST", "/hooks/a/b/events"),
    ):
        answer = httpx.request(method, f"{stage.api}{path}").json()
        assert answer["route"] == "$default", (method, path)
