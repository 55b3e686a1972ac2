"""Anything that a client can send, given to the deployed handler: never a 5xx but a 503 that is
promised, never an error that is not a problem, never a card number that comes back."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions.api.answers import Problem
from functions.api.reference.error_codes import ERROR_CODES, FIELD_CODES
from functions.api.reference.examples import ORDER, REFUND_ORDER
from riel.app import App
from tests.builders import API_KEY
from tests.integration.api_gateway import Answer, ApiGateway, Headers
from tests.payments import store_completed

MULTIPLIER = int(os.environ.get("RIEL_FUZZ", "1"))
"""How many times more examples than a quick run, and fresh ones each time: `make fuzz` sets it."""
CARD = "4242424242424242"
STATUS_OF = {error.code: error.status for error in ERROR_CODES}
FIELD_CODE_NAMES = {field.code for field in FIELD_CODES}
PAYMENTS = "/api/v1/payments"
Send = Callable[..., Answer]
NUMBERS = count()

several = settings(
    max_examples=200 * MULTIPLIER,
    derandomize=MULTIPLIER == 1,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def send(
    app: App,
    monkeypatch: pytest.MonkeyPatch,
    fuzz_report: Counter[str],
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Send]:
    """Send one request, count it and judge its answer; in the end judge what was logged."""
    api = ApiGateway(app, monkeypatch)
    name = request.node.originalname.removeprefix("test_").partition("_")[0]

    def send_one(*arguments: Any, **more: Any) -> Answer:
        answer = api.send(*arguments, **more)
        judge(answer)
        fuzz_report[name] += 1
        return answer

    yield send_one
    logged = capsys.readouterr()
    assert CARD not in logged.out + logged.err


def judge(answer: Answer) -> None:
    # What Lambda could not send: it answers API Gateway in UTF-8, and headers end at a line's end.
    answer.body.encode()
    for name, value in answer.headers.items():
        assert f"{name}{value}".isascii(), (name, value)
        assert f"{name}{value}".isprintable(), (name, value)
    assert 200 <= answer.status < 500 or answer.status == 503, answer
    assert CARD not in answer.body
    if answer.status >= 400 and answer.headers["Content-Type"] != "application/json":
        judge_problem(answer)


def judge_problem(answer: Answer) -> None:
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.body, strict=True)
    assert STATUS_OF[problem.code] == problem.status == answer.status, answer
    assert problem.code != "store_unavailable", "the model is always there"
    assert problem.request_id
    assert problem.request_id == answer.headers["X-Request-Id"]
    assert {field.code for field in problem.errors} <= FIELD_CODE_NAMES, answer


def headers_of(key: str = "k", **more: str) -> Headers:
    sent = {"X-API-Key": API_KEY, "Idempotency-Key": key, "Content-Type": "application/json"}
    return [*{**sent, **more}.items()]


# --- what is sent ------------------------------------------------------------------------------

urls = st.sampled_from(
    [
        "https://169.254.169.254/", "https://[::1]/", "https://a@b.example/", "https://[v1.x]/",
        "http://127.0.0.1:1/", "https://xn--a.example/", "https://[", "https://example.com:99999/",
        "https://example.com:\u0664\u0664\u0663/", "https://ex\u00adample.com", "https://",
        "https://example.com/" + "x" * 2_100, "https://0x7f.1/", "https://\ud83d\ude80.example/",
    ]
)  # fmt: skip
odd_texts = st.one_of(
    st.text(max_size=60),
    urls,
    st.sampled_from(
        [
            CARD, "4242 4242 4242 4242", "\x00", "\ufffd", "\u202e", "\uff11\uff10", " 5 ", "+5",
            "-1", "1e2", "0", "0.00", "100.505", "x" * 501, "x" * 66_000, "tok_ok", "MXN", "JPY",
            "mxn", "oxxo", "spei", "10000.01", "9.99", "9" * 13, "0.0001", "1.", "01", "",
        ]
    ),
)  # fmt: skip
numbers = st.sampled_from(
    [
        "1e400", "-1e400", "1E2", "0.1", "-0", "-0.0", "0", "1", "1e-999999999", "999999999999",
        "9223372036854775808", "1000000000000", "9" * 4_300, "1." + "0" * 400 + "1",
    ]
)  # fmt: skip
escaped_texts = st.sampled_from(
    [r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', r'"\ud83d\ude80"', r'"\ufdd0"', r'"\u0061"']
)
not_json = st.sampled_from(
    [
        "NaN", "Infinity", "-Infinity", "01", "+1", ".5", "5.", "0x10", "1_000", "9" * 5_000, "nul",
        "", r'"\u00"', '"\t"', r'"\x"', "'a'", "{,}", "[1,]", "/**/1",
    ]
)  # fmt: skip


def texts_of(*leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts of JSON over these leaves, nested a little."""
    return st.recursive(
        st.one_of(*leaves),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(lambda items: "[" + ",".join(items) + "]"),
            st.lists(st.tuples(odd_texts.map(json.dumps), inner), max_size=4).map(object_of),
        ),
        max_leaves=8,
    )


def object_of(pairs: Iterable[tuple[str, str]]) -> str:
    """An object of names and values that are JSON already; nothing hinders a repeated name."""
    return "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"


json_texts = texts_of(
    numbers,
    escaped_texts,
    odd_texts.map(json.dumps),
    st.sampled_from(["null", "true", "false", "{}", "[]"]),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(json.dumps),
)
strange_names = st.sampled_from(["status", "merchant_id", "amount ", "__proto__", CARD, "", "id"])


@st.composite
def orders(draw: st.DrawFn) -> bytes:
    """A JSON object that is nearly an order: some values odd, some names strange."""
    fields = {name: json.dumps(value) for name, value in ORDER.items()}
    # Most texts give their own reference, else all but the first are duplicates.
    fields["reference"] = json.dumps(f"order-{draw(st.integers(0, 10**6))}")
    for name in draw(st.lists(st.sampled_from([*ORDER]), max_size=2)):
        fields[name] = draw(st.one_of(odd_texts.map(json.dumps), json_texts))
    for name in draw(st.lists(st.sampled_from([*ORDER]), max_size=1)):
        del fields[name]
    if draw(st.integers(0, 5)) == 0:
        fields[draw(strange_names)] = draw(json_texts)
    text = object_of((json.dumps(name), value) for name, value in fields.items())
    return text.encode("utf-8", "surrogatepass")


@st.composite
def refund_orders(draw: st.DrawFn) -> bytes:
    """A JSON object that is nearly a refund: values odd or absent, now and then a strange name."""
    values = st.one_of(odd_texts.map(json.dumps), json_texts, st.sampled_from(['"0.01"', "1"]))
    names = draw(st.lists(st.sampled_from([*REFUND_ORDER]), max_size=2, unique=True))
    fields = {name: draw(values) for name in names}
    if draw(st.integers(0, 5)) == 0:
        fields[draw(strange_names)] = draw(json_texts)
    text = object_of((json.dumps(name), value) for name, value in fields.items())
    return text.encode("utf-8", "surrogatepass")


@st.composite
def mutated_orders(draw: st.DrawFn) -> bytes:
    """The bytes of a good order with some cut out, replaced or put in."""
    body = bytearray(json.dumps(ORDER).encode())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 8)))
        body[start:end] = draw(st.binary(max_size=8))
    return bytes(body)


deep = st.builds(
    lambda opening, depth, closing: (opening * depth + closing * depth).encode(),
    st.sampled_from(["[", '{"a":', '{"metadata":', "[[", '[{"amount":']),
    st.sampled_from([2, 20, 900, 1_100, 10_000, 30_000]),
    st.sampled_from(["", "]", "}", "]}"]),
)
marked = st.tuples(
    st.sampled_from(
        [b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b\x08", b"\x00", b" \r\n\t", b"\xc0\x80"]
    ),
    orders(),
).map(lambda parts: parts[0] + parts[1])
long = st.integers(65_400, 65_700).map(
    lambda size: json.dumps({**ORDER, "description": ""})[:-2].encode().ljust(size, b" ") + b"}"
)
bodies = st.one_of(
    st.binary(max_size=300),
    texts_of(numbers, not_json, odd_texts.map(json.dumps)).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    ),
    mutated_orders(),
    deep,
    marked,
    long,
    st.sampled_from([json.dumps(ORDER).encode(code) for code in ("utf-16", "utf-32", "utf-7")]),
)
# What HTTP lets through in a header, and a bit more: ASCII, and bytes over 127 as latin-1.
header_texts = st.one_of(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=300),
    st.sampled_from(
        ['"', '"a', '"a"', r'"\"', '"a";b=1', "a,a", ",", " ", "%00", "k" * 255, "k" * 256, "é",
         "application/json;charset=latin-1", "APPLICATION/JSON", "application/json, text/plain",
         "gzip", "identity", "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "'; DROP TABLE"]
    ),
)  # fmt: skip
header_names = st.sampled_from(
    ["Idempotency-Key", "X-API-Key", "Content-Type", "Content-Encoding", "X-Request-Id",
     "traceparent", "Accept", "Host", "X-Forwarded-For", "Content-Length", "Expect", "Cookie"]
)  # fmt: skip
segments = st.one_of(
    st.binary(max_size=40).map(lambda raw: quote_from_bytes(raw, safe="")),
    st.sampled_from(
        ["pay_" + "a" * 26, "pay_" + "A" * 26, "payments", "cancel", "refunds", "..", ".", "",
         "%", "%zz", "%25", "%2F", "%252F", "%0d%0aX-Evil:1", "a b", "{payment_id}", CARD,
         "x" * 300]
    ),
)  # fmt: skip
paths = st.one_of(
    st.lists(segments, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    segments.map(lambda part: f"{PAYMENTS}/{part}"),
    segments.map(lambda part: f"{PAYMENTS}/{part}/cancel"),
    segments.map(lambda part: f"{PAYMENTS}/{part}/refunds"),
    segments.map(lambda part: f"{PAYMENTS}/{part}/refunds/{part}"),
    segments.map(lambda part: f"{PAYMENTS}/{part}/deliveries"),
    segments.map(lambda part: f"{PAYMENTS}/{part}/deliveries/{part}/redeliver"),
    segments.map(lambda part: f"/api/v1/idempotency-keys/{part}"),
    st.sampled_from([PAYMENTS, PAYMENTS + "/", "/health", "/health/", "/openapi.json", "/docs"]),
)
methods = st.sampled_from("GET POST PUT PATCH DELETE HEAD OPTIONS TRACE CONNECT get BREW".split())
query_names = st.one_of(
    st.sampled_from(["limit", "cursor", "status", "created_from", "created_to", "LIMIT", "", CARD]),
    st.text(max_size=10),
)
query_values = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["0", "1", "100", "101", "-1", "1e1", "\uff11", "abc", "9" * 5_000, "pending", "PENDING",
         CARD,
         "2026-04-17", "2026-02-30", "0000-01-01", "0001-01-01", "9999-12-31",
         "2026-04-17T24:00:00Z",
         "9999-12-31T23:59:59.999999999-23:59", "0001-01-01T00:00:00+23:59", "2026-04-17T12:00:60Z",
         "e30", "e30.e30", "=", "A" * 10_000]
    ),
)  # fmt: skip
queries = st.one_of(
    st.lists(st.tuples(query_names, query_values), max_size=4).map(
        lambda pairs: "&".join(
            f"{quote(n, safe='', errors='replace')}={quote(v, safe='', errors='replace')}"
            for n, v in pairs
        )
    ),
    st.binary(max_size=60).map(lambda raw: quote_from_bytes(raw, safe="&=%;+?/")),
)


# --- what holds --------------------------------------------------------------------------------


@several
@given(body=bodies, as_text=st.booleans(), key=st.integers(0, 9))
@example(body=b"", as_text=True, key=0)
def test_bodies_of_any_bytes_are_understood_or_refused(
    send: Send, body: bytes, as_text: bool, key: int
) -> None:
    answer = send("POST", PAYMENTS, "", headers_of(f"body-{key}"), body, as_text=as_text)

    assert answer.status in {202, 400, 409, 413, 422, 503}
    if len(body) > 70_000:
        assert answer.status == 413


@several
@given(body=orders(), as_text=st.booleans(), key=st.integers(0, 10**6))
def test_orders_with_any_values_are_understood_or_refused(
    send: Send, body: bytes, as_text: bool, key: int
) -> None:
    answer = send("POST", PAYMENTS, "", headers_of(f"order-{key}"), body, as_text=as_text)
    again = send("POST", PAYMENTS, "", headers_of(f"order-{key}"), body, as_text=as_text)

    assert answer.status in {202, 400, 409, 413, 422, 503}
    assert again.status == answer.status
    if answer.status == 202:
        assert again.body == answer.body
        path = f"{PAYMENTS}/{json.loads(answer.body)['payment_id']}"
        assert send("GET", path, "", headers_of()).status == 200


@several
@given(
    body=st.one_of(st.just(b""), bodies),
    as_text=st.booleans(),
    part=segments,
    is_json=st.booleans(),
)
def test_cancellations_of_anything_are_understood_or_refused(
    send: Send, body: bytes, as_text: bool, part: str, is_json: bool
) -> None:
    kind = "application/json" if is_json else "text/plain"
    path = f"{PAYMENTS}/{part}/cancel"

    answer = send(
        "POST", path, "", headers_of("c", **{"Content-Type": kind}), body, as_text=as_text
    )

    assert answer.status in {400, 404, 405, 413, 415, 422}


@several
@given(
    body=st.one_of(refund_orders(), bodies),
    as_text=st.booleans(),
)
def test_refunds_of_any_values_are_understood_or_refused(
    send: Send, app: App, body: bytes, as_text: bool
) -> None:
    payment = store_completed(app, idempotency_key=f"to-refund-{next(NUMBERS)}")
    refundable = f"{PAYMENTS}/{payment.payment_id}/refunds"
    answer = send("POST", refundable, "", headers_of("refund"), body, as_text=as_text)
    again = send("POST", refundable, "", headers_of("refund"), body, as_text=as_text)

    assert answer.status in {202, 400, 409, 413, 422}
    assert again.status == answer.status
    if answer.status == 202:
        assert again.body == answer.body
    assert send("GET", refundable, "", headers_of()).status == 200


@several
@given(
    pairs=st.lists(st.tuples(header_names, header_texts), max_size=5),
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from([PAYMENTS, f"{PAYMENTS}/pay_{'a' * 26}", f"{PAYMENTS}/x/cancel"]),
)
def test_headers_of_any_text_are_understood_or_refused(
    send: Send, pairs: list[tuple[str, str]], method: str, path: str
) -> None:
    named = {name for name, _ in pairs}
    defaults = [(name, value) for name, value in headers_of() if name not in named]

    answer = send(method, path, "", defaults + pairs, json.dumps(ORDER).encode())

    assert answer.headers["X-Request-Id"]


@several
@given(query=queries, path=st.sampled_from([PAYMENTS, "/health", "/docs"]))
def test_queries_of_any_text_are_understood_or_refused(send: Send, query: str, path: str) -> None:
    answer = send("GET", path, query, headers_of())

    assert answer.status in {200, 400}


@several
@given(method=methods, path=paths, query=queries, has_key=st.booleans())
def test_paths_and_methods_of_any_text_are_understood_or_refused(
    send: Send, method: str, path: str, query: str, has_key: bool
) -> None:
    headers = headers_of() if has_key else []

    answer = send(method, path, query, headers, b"{}")

    assert answer.status in {200, 400, 401, 404, 405, 422}
    if not has_key:
        assert answer.status != 422, "without a key the body is not read"
