"""Which addresses may be called: judged by text at acceptance, by address at each attempt."""

from __future__ import annotations

import socket

import pytest

from riel.errors import ForbiddenDestinationError, UnavailableError
from riel.webhooks.egress import (
    Destination,
    Resolver,
    check_url,
    is_public,
    resolve,
    system_resolver,
)

FORBIDDEN = """
http://example.com/ https://localhost/ https://LOCALHOST./ https://a.localhost/ https://printer/
https://db.internal/ https://nas.local/ https://127.0.0.1/ https://127.1/ https://2130706433/
https://0x7f.1/ https://0x7f000001/ https://0177.0.0.1/ https://017700000001/ https://10.0.0.1/
https://172.16.0.1/ https://192.168.1.1/ https://169.254.169.254/latest/meta-data/
https://169.254.170.2/ https://100.64.0.1/ https://192.0.0.192/ https://198.18.0.1/ https://0.0.0.0/
https://224.0.0.1/ https://255.255.255.255/ https://192.88.99.1/ https://[::1]/ https://[::]/
https://[::ffff:10.0.0.1]/ https://[::ffff:8.8.8.8]/ https://[fd00:ec2::254]/ https://[fe80::1]/
https://[fe80::1%25eth0]/ https://[64:ff9b::a00:1]/ https://[2002:a00:1::]/ https://[2001:db8::1]/
https://[2001::1]/ https://[3fff::1]/ https://[ff02::1]/ https://user@example.com/
https://user:pw@example.com/ https://example.com:22/ https://example.com:80/ https://example.com:0443x/
https://example.com:0443/ https://example.com:/
https://[2606:4700::1111].evil.com/ https://[2606:4700::1111]x/
https://example.com\\@localhost/ https://exa%6dple.com/ https:///path https:// //example.com/
ftp://example.com/ file:///etc/passwd https://1.2.3/ https://1.2.3.4.5/ https://-a.example.com/
https://8.8.8.8./ https://a1b2c3.execute-api.us-east-1.amazonaws.com/x
https://abc.lambda-url.us-east-1.on.aws/ https://router.home.arpa/
https://0x08.8.8.8/ gopher://example.com/ HTTPS://example.com/
""".split()


@pytest.mark.parametrize("allow_loopback", [False, True])
def test_an_empty_one_is_called_empty(allow_loopback: bool) -> None:
    with pytest.raises(ForbiddenDestinationError, match="the URL is empty"):
        check_url("", allow_loopback=allow_loopback)


@pytest.mark.parametrize(
    "url", [*FORBIDDEN, "https://exämple.com/", "https://a b.com/", "https://a.com/\n"]
)
def test_fc_70_forbidden_by_its_text(url: str) -> None:
    with pytest.raises(ForbiddenDestinationError):
        check_url(url)
    with pytest.raises(ForbiddenDestinationError):
        check_url(url, allow_loopback=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/webhook",
        "https://example.com",
        "https://example.com:443/a?b=c#d",
        "https://xn--exmple-cua.com/hook",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://EXAMPLE.com/",
    ],
)
def test_public_addresses_are_allowed(url: str) -> None:
    assert check_url(url).port == 443


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://127.0.0.1:8080/x", "127.0.0.1", 8080),
        ("http://localhost:1/", "localhost", 1),
        ("http://[::1]:65535/hook", "::1", 65535),
    ],
)
def test_loopback_is_for_the_local_stage_alone(url: str, host: str, port: int) -> None:
    allowed = check_url(url, allow_loopback=True)

    target = "/" + url.rpartition("/")[2]
    assert allowed == Destination("http", host, port, loopback=True, target=target)
    with pytest.raises(ForbiddenDestinationError):
        check_url(url)


def test_the_longest_url_is_2048_characters() -> None:
    url = "https://example.com/" + "a" * (2048 - 20)

    check_url(url)
    with pytest.raises(ForbiddenDestinationError):
        check_url(url + "a")


def test_one_private_address_among_the_resolved_ones_forbids_the_name() -> None:
    destination = check_url("https://example.com/")

    with pytest.raises(ForbiddenDestinationError):
        resolve(destination, lambda _h, _p: ["93.184.215.14", "10.0.0.1"], 60)


def test_the_address_that_was_judged_is_the_one_that_is_returned() -> None:
    destination = check_url("https://example.com/")

    assert resolve(destination, lambda _h, _p: ["93.184.215.14"], 60) == ["93.184.215.14"]


def test_a_name_that_does_not_resolve_is_trouble_that_passes() -> None:
    def fails(_host: str, _port: int) -> list[str]:
        raise OSError("no answer")

    resolvers: list[Resolver] = [fails, lambda _h, _p: []]
    for resolver in resolvers:
        with pytest.raises(UnavailableError):
            resolve(check_url("https://example.com/"), resolver, 60)


def test_localhost_must_resolve_to_loopback() -> None:
    destination = check_url("http://localhost:80/", allow_loopback=True)

    assert resolve(destination, lambda _h, _p: ["::1", "127.0.0.1"], 60) == ["::1", "127.0.0.1"]
    with pytest.raises(ForbiddenDestinationError):
        resolve(destination, lambda _h, _p: ["8.8.8.8"], 60)


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("hooks.example.com", b"hooks.example.com."),
        ("localhost", b"localhost"),
        ("8.8.8.8", b"8.8.8.8"),
        ("2606:4700::1111", b"2606:4700::1111"),
    ],
)
def test_a_name_is_asked_for_from_the_root_so_that_no_search_domain_counts(
    monkeypatch: pytest.MonkeyPatch, host: str, asked: bytes
) -> None:
    # The system's search domains can not be set for one process, so its call is watched instead.
    calls = []

    def getaddrinfo(name: bytes, port: int, **_: object) -> list[tuple[object, ...]]:
        calls.append(name)
        twice = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))
        return [twice, twice]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert system_resolver(host, 443) == ["8.8.8.8"]
    assert calls == [asked]


def test_the_system_resolves_loopback() -> None:
    assert set(system_resolver("localhost", 80)) <= {"127.0.0.1", "::1"}


def test_what_is_not_an_address_is_not_public() -> None:
    assert not is_public("example.com")
    assert not is_public("fe80::1%eth0")
