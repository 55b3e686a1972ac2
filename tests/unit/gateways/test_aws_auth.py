"""Calls to a function URL carry a Signature Version 4 that botocore itself would make."""

from __future__ import annotations

import httpx
from botocore.credentials import Credentials

from riel.gateways.aws_auth import SigV4Auth


def test_a_request_is_signed_over_its_body_and_goes_out_with_the_same_host() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "secret", "session"), "us-east-1")
    client = httpx.Client(
        transport=httpx.MockTransport(respond),
        base_url="https://abc.lambda-url.us-east-1.on.aws",
        auth=auth,
    )
    client.post("/charges", json={"amount": 1})
    client.post("/charges", json={"amount": 2})

    first, second = seen
    assert first.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/us-east-1/lambda/aws4_request" in first.headers["authorization"]
    assert first.headers["x-amz-security-token"] == "session"
    assert first.headers["host"] == "abc.lambda-url.us-east-1.on.aws"
    assert first.headers["authorization"] != second.headers["authorization"]
