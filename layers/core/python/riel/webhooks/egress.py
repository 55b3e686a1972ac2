"""Which addresses Riel may call. Python's `is_private` is not enough: keep the table here.

Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates).
A URL is judged twice: its text when the payment is accepted (no DNS), and every address that its
name resolves to at each attempt; the address that was judged is the one that is connected to, so
a name that changes its answer in between gains nothing.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from riel.errors import ForbiddenDestinationError, UnavailableError

MAX_URL_LENGTH = 2_048
_FORBIDDEN_V4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24"
        " 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16"
        " 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    ).split()
)
# Only 2000::/3 is global unicast; within it these are not the public Internet, or carry an
# IPv4 address inside (Teredo, 6to4), which would be judged by nobody.
_GLOBAL_V6 = ip_network("2000::/3")
_FORBIDDEN_V6 = tuple(
    ip_network(text)
    for text in "2001::/23 2001:db8::/32 2002::/16 3fff::/20 2620:4f:8000::/48".split()
)
_RESERVED_NAMES = ("localhost", "local", "internal", "home.arpa")
# Where this API, its simulator and their like live: a webhook must not call back into us.
_OWN_DOMAIN = re.compile(
    r".*\.(?:execute-api\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?|lambda-url\.[a-z0-9-]+\.on\.aws)"
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_LOOPBACK_URL = re.compile(
    r"http://(127\.0\.0\.1|localhost|\[::1\]):([0-9]{1,5})(/[!-~]*)?", re.ASCII
)

Resolver = Callable[[str, int], list[str]]
"""Name and port to all its addresses, as text."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that passed the rules of text. `host` is without brackets."""

    scheme: str
    host: str
    port: int
    loopback: bool = False


def check_url(url: str, *, allow_loopback: bool = False) -> Destination:
    """Judge a webhook URL by its text alone; raise ForbiddenDestinationError with the rule."""
    if len(url) > MAX_URL_LENGTH:
        raise ForbiddenDestinationError(f"at most {MAX_URL_LENGTH} characters")
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise ForbiddenDestinationError("printable ASCII without spaces or backslashes only")
    if allow_loopback and (match := _LOOPBACK_URL.fullmatch(url)):
        return Destination("http", match[1].strip("[]"), _port(match[2]), loopback=True)
    if not url.startswith("https://"):
        raise ForbiddenDestinationError("the URL must start with https://")
    return Destination("https", _public_host(url), 443)


def resolve(destination: Destination, resolver: Resolver) -> list[str]:
    """Resolve now, judge every address, and return those that may be connected to.

    Raises ForbiddenDestinationError if any address is not public, UnavailableError if the name
    does not resolve at the moment (DNS trouble passes; a forbidden address does not).
    """
    try:
        addresses = resolver(destination.host, destination.port)
    except OSError as error:
        raise UnavailableError(f"the name does not resolve: {error}") from error
    if not addresses:
        raise UnavailableError("the name has no address")
    for address in addresses:
        allowed = is_loopback(address) if destination.loopback else is_public(address)
        if not allowed:
            raise ForbiddenDestinationError("the name resolves to an address that is not public")
    return addresses


def system_resolver(host: str, port: int) -> list[str]:
    """All addresses of a name, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def is_public(text: str) -> bool:
    """Whether an address is on the public Internet; whatever does not parse is not."""
    address = _parse(text)
    if address is None:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _FORBIDDEN_V4)
    if address.scope_id or address not in _GLOBAL_V6:
        return False
    return not any(address in network for network in _FORBIDDEN_V6)


def is_loopback(text: str) -> bool:
    """Whether an address is 127.0.0.1 or ::1."""
    return text in ("127.0.0.1", "::1")


def _public_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ForbiddenDestinationError("not a URL") from error
    if "@" in parts.netloc or "%" in parts.netloc:
        raise ForbiddenDestinationError("no user info and no escapes in the host")
    if port not in (None, 443) or parts.netloc.endswith(("0443", ":")):
        raise ForbiddenDestinationError("only port 443")
    if parts.netloc.startswith("["):
        if parts.netloc.partition("]")[2] not in ("", ":443"):
            raise ForbiddenDestinationError("not a host name")
        return _public_literal(host)
    _check_name(host)
    return host


def _check_name(host: str) -> None:
    labels = host.removesuffix(".").split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise ForbiddenDestinationError("not a host name")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        # WHATWG URL: a last label that is a number makes the whole host an IPv4 address.
        _public_literal(host)
        return
    if len(labels) < 2:
        raise ForbiddenDestinationError("a single label is not a public name")
    name = ".".join(labels)
    if any(name == reserved or name.endswith("." + reserved) for reserved in _RESERVED_NAMES):
        raise ForbiddenDestinationError("a reserved name is not a public name")
    if _OWN_DOMAIN.fullmatch(name):
        raise ForbiddenDestinationError("an API Gateway or function address is no endpoint")


def _public_literal(host: str) -> str:
    # Only the canonical spelling of a literal is read at all: no octal, hex, short or mapped form.
    if not is_public(host):
        raise ForbiddenDestinationError("the address is not public, or not in its plain spelling")
    return host


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise ForbiddenDestinationError("not a port")
    return port
