"""Every spelling of the corpus, at each place where an address is judged: none may slip through."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.api.schemas import read_order
from riel.errors import ForbiddenDestinationError, InvalidRequestError
from riel.webhooks.egress import Destination, check_url, is_loopback, is_public, resolve

CORPUS = Path(__file__).with_name("egress_corpus.txt")
SIZE = 1_007
"""Spellings in the corpus; the documentation tells it too."""
NAMED = Destination("https", "hooks.example.com", 443)
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Spelling:
    """A line of the corpus. `host` is empty for a whole URL, `answer` where DNS is not asked."""

    verdict: str
    url: str
    host: str = ""
    answer: str = ""


def read_corpus() -> Iterator[Spelling]:
    for line in CORPUS.read_text("ascii").splitlines():
        if line and not line.startswith("#"):
            verdict, kind, *written = line.split()
            text, *answer = [w.encode().decode("unicode_escape").strip('"') for w in written]
            if kind == "url":
                yield Spelling(verdict, text, answer="".join(answer))
            else:
                bracketed = f"[{text}]" if ":" in text and "[" not in text else text
                yield Spelling(verdict, f"https://{bracketed}/", text)


SPELLINGS = tuple(read_corpus())


def is_accepted(url: str, *, allow_loopback: bool = False) -> bool:
    try:
        check_url(url, allow_loopback=allow_loopback)
    except ForbiddenDestinationError:
        return False
    return True


def is_accepted_by_the_api(url: str, *, allow_loopback: bool = False) -> bool:
    body = {"amount": "1.00", "currency": "USD", "webhook_url": url}
    try:
        read_order(json.dumps(body).encode(), allow_loopback=allow_loopback)
    except InvalidRequestError as error:
        assert [problem.field for problem in error.problems] == ["webhook_url"]
        return False
    return True


def is_taken_from_dns(*answers: str) -> bool:
    try:
        resolve(NAMED, lambda _host, _port: list(answers), PATIENCE_SECONDS)
    except ForbiddenDestinationError:
        return False
    return True


def test_no_spelling_of_the_corpus_slips_through(capsys: pytest.CaptureFixture[str]) -> None:
    bypasses = []
    for one in SPELLINGS:
        if one.verdict == "refused":
            for local in (False, True):
                if is_accepted(one.url, allow_loopback=local):
                    bypasses.append(("acceptance", one))
                if is_accepted_by_the_api(one.url, allow_loopback=local):
                    bypasses.append(("API", one))
            if one.host and is_taken_from_dns("8.8.8.8", one.host):
                bypasses.append(("DNS", one))
        elif one.verdict == "by-address" and is_taken_from_dns("8.8.8.8", one.answer):
            bypasses.append(("DNS", one))

    with capsys.disabled():
        sys.stdout.write(f"\negress corpus: {len(SPELLINGS)} spellings, {len(bypasses)} bypasses\n")
    assert bypasses == []
    assert len(SPELLINGS) == len(set(SPELLINGS)) == SIZE


def test_what_is_public_is_not_refused() -> None:
    allowed = [one for one in SPELLINGS if one.verdict != "refused"]

    assert [one for one in allowed if not is_accepted(one.url)] == []
    assert [one for one in allowed if not is_accepted_by_the_api(one.url)] == []
    assert [one for one in allowed if one.host and not is_taken_from_dns(one.host)] == []
    assert {one.verdict for one in SPELLINGS} == {"refused", "allowed", "by-address"}


def spellings_of_ipv4() -> st.SearchStrategy[str]:
    """What `inet_aton` might take: one to four numbers, in any base, padded, overflowing."""
    number = st.one_of(st.integers(0, 300), st.integers(0, 2**34))
    forms = st.sampled_from(["{:d}", "0{:o}", "0x{:x}", "0X{:X}", "{:03d}", "00{:o}", "0x0{:x}"])
    parts = st.lists(st.builds(str.format, forms, number), min_size=1, max_size=5)
    return st.builds(lambda p, dot: ".".join(p) + dot, parts, st.sampled_from(["", "", "."]))


@given(spellings_of_ipv4())
def test_whatever_the_system_would_take_for_an_ipv4_address_is_plain_and_public_or_refused(
    text: str,
) -> None:
    if is_accepted(f"https://{text}/"):
        assert str(IPv4Address(text)) == text
        assert is_public(socket.inet_ntoa(socket.inet_aton(text)))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_python_knows_no_address_as_special_that_is_public_here(
    address: IPv4Address | IPv6Address,
) -> None:
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_never_public(address: IPv4Address) -> None:
    number = int(address)
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"):
        assert not is_public(str(IPv6Address(int(IPv6Address(prefix)) | number)))
    assert not is_public(str(IPv6Address((0x2002 << 112) | (number << 80))))
    assert not is_public(str(IPv6Address(int(IPv6Address("2600::5efe:0:0")) | number)))


@given(st.text(max_size=40))
def test_no_text_is_loopback_but_two(text: str) -> None:
    assert not is_loopback(text)
    assert not is_public(text) or ip_address(text).is_global
