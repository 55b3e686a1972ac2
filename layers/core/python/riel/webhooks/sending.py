"""One attempt to deliver one webhook: pinned address, total deadline, bounded answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from riel import __version__
from riel.webhooks.egress import Destination

DEADLINE_SECONDS = 15.0
MAX_ANSWER_BYTES = 16_384
FORBIDDEN = "ForbiddenDestination"
USER_AGENT = f"Riel/{__version__} (Standard Webhooks)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is 0 when nothing did, and `error` says why."""

    status: int
    error: str = ""
    retry_after_seconds: int | None = None

    @property
    def is_permanent(self) -> bool:
        """Whether trying again is pointless: 410 Gone, or an address that we refuse to call."""
        return self.status == 410 or self.error == FORBIDDEN

    @property
    def is_success(self) -> bool:
        """2xx alone; a redirect is a failure and is never followed."""
        return 200 <= self.status < 300


def new_client() -> httpx.Client:
    """Build the client for webhooks: no redirects, no proxy or credentials of the machine."""
    return httpx.Client(
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(DEADLINE_SECONDS, connect=5.0),
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=0),
    )


def post(
    client: httpx.Client,
    url: str,
    destination: Destination,
    address: str,
    headers: dict[str, str],
    body: bytes,
) -> Answer:
    """Send the webhook to `address`, which was judged, under the name that the URL has."""
    parts = urlsplit(url)
    literal = f"[{address}]" if ":" in address else address
    target = f"{destination.scheme}://{literal}:{destination.port}{parts.path or '/'}"
    if parts.query:
        target += "?" + parts.query
    request = client.build_request(
        "POST",
        target,
        headers={
            "host": parts.netloc,
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            **headers,
        },
        content=body,
        # TLS asks for, and verifies, the name; only the connection goes to the address.
        extensions={
            "sni_hostname": destination.host,
            "timeout": {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0},
        },
    )
    return _exchange(client, request)


def _exchange(client: httpx.Client, request: httpx.Request) -> Answer:
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        response = client.send(request, stream=True)
        try:
            _read_some(response, deadline)
        finally:
            response.close()
    except httpx.HTTPError as error:
        return Answer(0, type(error).__name__)
    if time.monotonic() > deadline:
        return Answer(0, "DeadlineExceeded")
    return Answer(response.status_code, "", _retry_after(response.headers.get("retry-after", "")))


def _read_some(response: httpx.Response, deadline: float) -> None:
    read = 0
    for chunk in response.iter_raw():
        read += len(chunk)
        if read >= MAX_ANSWER_BYTES or time.monotonic() > deadline:
            return


def _retry_after(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
