"""One attempt to deliver one webhook: judged addresses, one deadline over all, no redirect."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import certifi
import h11

from riel import __version__
from riel.deadline import Deadline
from riel.errors import ForbiddenDestinationError, UnavailableError
from riel.webhooks.egress import Destination, Resolver, resolve
from riel.webhooks.wire import Wire, connect

DEADLINE_SECONDS = 15.0
"""For the whole of an attempt: the name's look-up, connection, TLS, request, headers, body."""
MAX_STATUS = 599
"""RFC 9110, 15: there are five classes of status, whatever three digits an endpoint sends."""
MAX_TEXT = 256
"""Characters of an answer that are kept."""
USER_AGENT = f"Riel/{__version__} (Standard Webhooks)"

FORBIDDEN = "forbidden_destination"
NOT_RESOLVED = "name_not_resolved"
CONNECTION_FAILED = "connection_failed"
"""No address could be connected to, or the connection broke before there was an answer."""
TLS_FAILED = "tls_failed"
"""The certificate is not good for the name, or the two sides could not agree."""
DEADLINE_EXCEEDED = "deadline_exceeded"
PROTOCOL_ERROR = "protocol_error"
"""What came back is no HTTP answer, or one without a status of HTTP's, or too large a head."""
EVENT_EXPIRED = "event_expired"

_WHOLE_SECONDS = re.compile(r"-?[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is 0 when nothing did, and `error` says why.

    `text` is the beginning of the body, without what could harm a terminal or a page.
    """

    status: int
    error: str = ""
    retry_after_seconds: int | None = None
    text: str = ""

    @property
    def is_gone(self) -> bool:
        """410 Gone: the endpoint wants no more webhooks."""
        return self.status == 410

    @property
    def is_success(self) -> bool:
        """2xx alone; a redirect is a failure and is never followed."""
        return 200 <= self.status < 300


class WebhookClient:
    """Makes attempts. Nothing is kept from one to the next but the trusted certificates."""

    def __init__(self, trusted: ssl.SSLContext | None = None, seconds: float | None = None) -> None:
        """`trusted` stands in for the public authorities, `seconds` for DEADLINE_SECONDS."""
        # With a file given, no file of the machine and no variable of its environment counts.
        self._tls = trusted or ssl.create_default_context(cafile=certifi.where())
        self._tls.set_alpn_protocols(["http/1.1"])
        self._seconds = DEADLINE_SECONDS if seconds is None else seconds

    def post(
        self,
        destination: Destination,
        resolver: Resolver,
        headers: Mapping[str, str],
        body: bytes,
        now: datetime,
    ) -> Answer:
        """Make one attempt; `now` is what a date in the answer is compared with."""
        deadline = Deadline(self._seconds)
        try:
            addresses = resolve(destination, resolver, deadline.remaining)
            with connect(destination, addresses, self._tls, deadline) as connection:
                wire = Wire(connection, deadline)
                response = wire.post(destination.target, _headers(destination, headers, body), body)
                # Whatever becomes of the body, the answer has been given.
                text = readable(wire.beginning(4 * MAX_TEXT))
        except ForbiddenDestinationError:
            return Answer(0, FORBIDDEN)
        except UnavailableError:
            return Answer(0, NOT_RESOLVED)
        except h11.RemoteProtocolError:
            return Answer(0, PROTOCOL_ERROR)
        except OSError as error:
            return Answer(0, _why(error, deadline))
        if response.status_code > MAX_STATUS:
            return Answer(0, PROTOCOL_ERROR)
        wait = dict(response.headers).get(b"retry-after", b"").decode("latin-1")
        return Answer(response.status_code, "", retry_after(wait, now), text)


def retry_after(text: str, now: datetime) -> int | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds, or a date; None for anything else.

    What lies in the past is 0.
    """
    if _WHOLE_SECONDS.fullmatch(text):
        return max(0, int(text))
    try:
        until = parsedate_to_datetime(text)
        # A date without a zone is in UTC, as all of HTTP's are.
        seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return max(0, round(seconds))


def readable(body: bytes) -> str:
    """Turn the beginning of a body into a line of text that does no harm where it is shown."""
    text = body.decode("utf-8", "replace")[:MAX_TEXT]
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def _headers(
    destination: Destination, headers: Mapping[str, str], body: bytes
) -> Mapping[str, str]:
    own = {
        "host": destination.host_header,
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    return {**own, **headers}


def _why(error: OSError, deadline: Deadline) -> str:
    if isinstance(error, TimeoutError) and deadline.is_over:
        return DEADLINE_EXCEEDED
    return TLS_FAILED if isinstance(error, ssl.SSLError) else CONNECTION_FAILED
