"""Signs requests to a Lambda function URL with IAM authentication (Signature Version 4)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import httpx
from botocore.auth import SigV4Auth as Signer
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from botocore.credentials import Credentials


class SigV4Auth(httpx.Auth):
    """httpx authentication by the function's own role; no secret to keep or rotate."""

    requires_request_body = True

    def __init__(self, credentials: Credentials | Any, region: str) -> None:
        self._credentials = credentials
        self._region = region

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the signature's headers to the request."""
        signed = AWSRequest(
            method=request.method,
            url=str(request.url),
            data=request.content,
            headers={"content-type": request.headers.get("content-type", "application/json")},
        )
        Signer(self._credentials, "lambda", self._region).add_auth(signed)
        request.headers.update(dict(signed.headers))
        yield request
