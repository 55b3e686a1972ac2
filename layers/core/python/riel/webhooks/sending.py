"""One attempt to deliver one webhook: pinned address, one deadline over all, no redirect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from riel import __version__
from riel.deadline import Deadline
from riel.webhooks.egress import Destination

DEADLINE_SECONDS = 15.0
FORBIDDEN = "ForbiddenDestination"
_NOT_CONNECTED = ("ConnectError", "ConnectTimeout")
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
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=0),
    )


def post(
    client: httpx.Client,
    url: str,
    destination: Destination,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    deadline: Deadline,
) -> Answer:
    """Send the webhook to one of `addresses`, which were judged, under the name in the URL.

    The next address is tried only when the one before could not be connected to.
    """
    answer = Answer(0, "NoAddress")
    with deadline.enforced():
        for address in addresses:
            request = _request(client, url, destination, address, headers, body, deadline)
            answer = _exchange(client, request, deadline)
            if answer.error not in _NOT_CONNECTED:
                break
    return answer


def _request(
    client: httpx.Client,
    url: str,
    destination: Destination,
    address: str,
    headers: Mapping[str, str],
    body: bytes,
    deadline: Deadline,
) -> httpx.Request:
    parts = urlsplit(url)
    literal = f"[{address}]" if ":" in address else address
    target = f"{destination.scheme}://{literal}:{destination.port}{parts.path or '/'}"
    if parts.query:
        target += "?" + parts.query
    rest = deadline.remaining
    # TLS asks for, and verifies, the name; only the connection goes to the address.
    extensions = {
        "sni_hostname": destination.host,
        "timeout": {"connect": min(5.0, rest), "read": rest, "write": rest, "pool": rest},
        "trace": deadline.trace,
    }
    own = {
        "host": parts.netloc,
        "content-type": "application/json",
        "user-agent": USER_AGENT,
    }
    return client.build_request(
        "POST", target, headers={**own, **headers}, content=body, extensions=extensions
    )


def _exchange(client: httpx.Client, request: httpx.Request, deadline: Deadline) -> Answer:
    try:
        response = client.send(request, stream=True)
    except (httpx.HTTPError, OSError) as error:
        return Answer(0, "DeadlineExceeded" if deadline.is_over else type(error).__name__)
    # The status decides; a body that is slow, long or cut changes nothing, so none is read.
    response.close()
    return Answer(response.status_code, "", _retry_after(response.headers.get("retry-after", "")))


def _retry_after(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
