"""Which addresses Riel may call. Python's `is_private` is not enough: keep the table here.

Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates)
and IANA's registry of special-use domain names (RFC 6761).
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
from urllib.parse import quote

from riel import threads
from riel.errors import ForbiddenDestinationError, UnavailableError

MAX_URL_LENGTH = 2_048
_FORBIDDEN_V4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24"
        " 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16"
        " 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
        # Looks public, and is what a virtual machine on Azure asks about itself.
        " 168.63.129.16/32"
    ).split()
)
# Only 2000::/3 is global unicast; within it these are not the public Internet, or carry an
# IPv4 address inside (Teredo, 6to4), which would be judged by nobody.
_GLOBAL_V6 = ip_network("2000::/3")
_FORBIDDEN_V6 = tuple(
    ip_network(text)
    for text in "2001::/23 2001:db8::/32 2002::/16 3fff::/20 2620:4f:8000::/48".split()
)
# ISATAP (RFC 5214) carries an IPv4 address behind these 32 bits, whatever the prefix is.
_ISATAP = 0x0000_5EFE
_UNIVERSAL_AND_GROUP_BITS = 0x0300_0000
# What can never be a public name. `test` and `example` are not here: RFC 6761 asks software to
# treat them as any other name, and nobody answers for them.
_RESERVED_NAMES = ("localhost", "local", "internal", "arpa", "invalid", "onion", "alt")
# Where this API, its simulator and their like live: a webhook must not call back into us.
_OWN_DOMAIN = re.compile(
    r"(?:.*\.)?(?:execute-api|lambda-url)\.(?:[a-z0-9-]+\.)*"
    r"(?:amazonaws\.(?:com|com\.cn|eu)|aws|amazonwebservices\.com\.cn)"
)
_URL = re.compile(r"https://(?P<authority>[^/?#]*)(?P<target>.*)", re.ASCII)
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9a-f:.]*\]|[^\[\]:]*)(?P<port>:.*)?", re.ASCII)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_LOOPBACK_URL = re.compile(
    r"http://(?P<host>127\.0\.0\.1|localhost|\[::1\]):(?P<port>[0-9]{1,5})"
    r"(?P<target>(?:/[!-~]*)?)",
    re.ASCII,
)
# All that RFC 3986 lets stand in a path and a query, and % of what is escaped already.
_PLAIN_IN_TARGET = "!$%&'()*+,-./:;=?@_~"
_ZERO_WIDTH_JOINERS = str.maketrans("", "", "\u200c\u200d")
_IDEOGRAPHIC_DOT = "\u3002"  # between labels, the same as a full stop

Resolver = Callable[[str, int], list[str]]
"""Name and port to all its addresses, as text."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that passed the rules of text.

    `host` is in lower case, without brackets and without the dot of the root. `target` is what
    the request line asks for: the path and the query.
    """

    scheme: str
    host: str
    port: int
    loopback: bool = False
    target: str = "/"

    @property
    def authority(self) -> str:
        """Host and port, as one text."""
        return f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        """What the `Host` header says: the port only where it is not that of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if (self.scheme, self.port) == ("https", 443) else f"{host}:{self.port}"


def check_url(url: str, *, allow_loopback: bool = False) -> Destination:
    """Judge a webhook URL by its text alone; raise ForbiddenDestinationError with the rule."""
    if not url:
        raise ForbiddenDestinationError("the URL is empty: leave it out where there is none")
    if len(url) > MAX_URL_LENGTH:
        raise ForbiddenDestinationError(f"at most {MAX_URL_LENGTH} characters")
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise ForbiddenDestinationError("printable ASCII without spaces or backslashes only")
    if allow_loopback and (match := _LOOPBACK_URL.fullmatch(url)):
        host, port = match["host"].strip("[]"), _port(match["port"])
        return Destination("http", host, port, loopback=True, target=_target(match["target"]))
    match = _URL.fullmatch(url)
    if not match:
        raise ForbiddenDestinationError("the URL must start with https://")
    host = _public_host(match["authority"].lower())
    return Destination("https", host, 443, target=_target(match["target"]))


def resolve(destination: Destination, resolver: Resolver, seconds: float) -> list[str]:
    """Resolve now, judge every address, and return those that may be connected to.

    Raises ForbiddenDestinationError if any address is not public, UnavailableError if the name
    does not resolve within `seconds` (DNS trouble passes; a forbidden address does not).
    """
    try:
        # In a thread of its own, because the system's resolver knows no deadline. One that hangs
        # is left behind; it holds up neither this attempt nor the worker's end.
        asked = threads.start(lambda: resolver(destination.host, destination.port), "resolver")
        addresses = asked.result(timeout=seconds)
    except (OSError, UnicodeError) as error:
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
    # The dot of the root keeps the machine's search domains, and /etc/hosts, out of it.
    absolute = "." in host and _parse(host) is None
    # As bytes, because for a text Python would load its codec of international names.
    name = f"{host}.".encode() if absolute else host.encode()
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
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
    if (int(address) >> 32) & 0xFFFF_FFFF & ~_UNIVERSAL_AND_GROUP_BITS == _ISATAP:
        return False
    return not any(address in network for network in _FORBIDDEN_V6)


def is_loopback(text: str) -> bool:
    """Whether an address is 127.0.0.1 or ::1."""
    return text in ("127.0.0.1", "::1")


def _public_host(authority: str) -> str:
    if "@" in authority or "%" in authority:
        raise ForbiddenDestinationError("no user info and no escapes in the host")
    match = _HOST_AND_PORT.fullmatch(authority)
    if not match:
        raise ForbiddenDestinationError("not a host name")
    if match["port"] not in (None, ":443"):
        raise ForbiddenDestinationError("only port 443")
    if match["host"].startswith("["):
        return _public_literal(match["host"].strip("[]"), IPv6Address)
    return _public_name(match["host"])


def _public_name(host: str) -> str:
    name = host.removesuffix(".")
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(name) > 253:
        raise ForbiddenDestinationError("not a host name")
    if labels[-1][0].isdigit():
        # WHATWG URL: a last label that is a number makes the whole host an IPv4 address; and no
        # name ends in a label that only begins like one.
        return _public_literal(host, IPv4Address)
    if len(labels) < 2:
        raise ForbiddenDestinationError("a single label is not a public name")
    if labels[-1] in _RESERVED_NAMES:
        raise ForbiddenDestinationError("a reserved name is not a public name")
    if _OWN_DOMAIN.fullmatch(name):
        raise ForbiddenDestinationError("an API Gateway or function address is no endpoint")
    if any(label.startswith("xn--") and _is_disguised(label[4:]) for label in labels):
        raise ForbiddenDestinationError("not an international name in its plain spelling")
    return name


def _is_disguised(punycode: str) -> bool:
    """Whether a label decodes to what no international name has in it.

    That is another spelling of ASCII, an invisible character, or nothing that can be decoded.
    """
    import unicodedata  # noqa: PLC0415 - a library of a megabyte, and such names are rare

    try:
        text = punycode.encode().decode("punycode")
    except UnicodeError:
        return True
    if text.isascii() or _IDEOGRAPHIC_DOT in text:
        return True
    plain = unicodedata.normalize("NFKC", text).lower()
    return text != plain or not text.translate(_ZERO_WIDTH_JOINERS).isprintable()


def _public_literal(host: str, family: type[IPv4Address | IPv6Address]) -> str:
    # Only the canonical spelling of a literal is read at all: no octal, hex, short or mapped form.
    if not isinstance(_parse(host), family) or not is_public(host):
        raise ForbiddenDestinationError("the address is not public, or not in its plain spelling")
    return str(_parse(host))


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


def _target(text: str) -> str:
    """What a client sends for a path, a query and a fragment: a slash in front, no fragment."""
    path, mark, query = text.partition("#")[0].partition("?")
    return quote((path or "/") + mark + query, safe=_PLAIN_IN_TARGET)
