"""The OpenAPI document says what the code does, and the committed files are those of the code."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from functions.api import openapi
from functions.api.reference import DOCUMENT_FILE, PAGE_FILE, docs_page, openapi_document
from functions.api.reference.error_codes import ERROR_CODES, FIELD_CODES
from functions.api.reference.operations import paths
from functions.api.refund_request import read_refund_order
from functions.api.schemas import read_order
from riel import errors
from riel.problems import TITLES
from riel.webhooks import signing
from tests.builders import WEBHOOK_SECRET

ROOT = Path(__file__).parents[3]
DOCUMENT: dict[str, Any] = openapi.build()
OPERATIONS = [
    (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
NEVER_ANSWERED = {
    # What other functions raise, and roots that are never raised themselves.
    "error", "rejected", "conflict", "unavailable", "lease_lost", "gateway_unavailable",
    "outcome_unknown", "broken", "psp_unmapped_status", "malformed_message", "configuration",
    "webhook_url_forbidden", "signature_invalid", "timestamp_out_of_tolerance",
}  # fmt: skip


def resolve(reference: str) -> Any:
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def judge(schema: dict[str, Any], value: Any) -> None:
    """Raise unless the value fits the schema, whose references are into the document."""
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)


def test_the_committed_files_are_those_of_the_code() -> None:
    for path, text in openapi.files().items():
        assert path.read_text(encoding="utf-8") == text, f"run: {openapi.COMMAND}"


def test_check_tells_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openapi, "PAGE_FILE", tmp_path / "docs.html")

    assert openapi.main(["--check"]) == 1
    assert (
        "docs.html is out of date; run: python -m functions.api.openapi" in capsys.readouterr().err
    )
    (tmp_path / "docs.html").write_bytes(PAGE_FILE.read_bytes())
    assert openapi.main(["--check"]) == 0


def test_another_process_writes_the_same_bytes() -> None:
    """Another order of sets and dictionaries must not change a line of the committed files."""
    script = "from functions.api.openapi import files; print(*files().values(), sep='', end='')"
    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7"},
    )

    assert answer.stdout.decode() == "".join(openapi.files().values())


def test_a_cold_start_of_the_api_pays_nothing_for_its_documentation() -> None:
    script = "import sys; import functions.api.routes; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, cwd=ROOT, text=True
    )

    loaded = set(answer.stdout.split())
    assert "functions.api.schemas" in loaded
    ours = {f"functions.api.{name}" for name in ("openapi", "answers", "reference")}
    assert not loaded & {*ours, "jinja2", "markdown_it"}


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    found = set(references(DOCUMENT))

    for reference in found:
        resolve(reference)
    for section in ("parameters", "headers", "schemas"):
        named = {f"#/components/{section}/{name}" for name in DOCUMENT["components"][section]}
        assert named <= found, named - found


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda v: str(v)[:40])
def test_every_operation_is_described_with_examples_that_fit(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["operationId"]
    assert operation["summary"]
    assert operation["description"]
    assert "500" not in operation["responses"], "a 500 is a defect, not a promise"
    contents = [response["content"] for response in operation["responses"].values()]
    contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
    for content in contents:
        for media in content.values():
            for example in media.get("examples", {}).values():
                judge(media["schema"], example["value"])


def test_every_event_has_an_example_that_fits() -> None:
    for item in DOCUMENT["webhooks"].values():
        media = item["post"]["requestBody"]["content"]["application/json"]
        judge(media["schema"], media["example"])


def test_every_field_of_a_request_and_of_an_answer_is_described() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            target = resolve(described["$ref"]) if "$ref" in described else {}
            assert described.get("description") or target.get("description"), f"{name}.{field}"


def test_every_error_that_the_api_can_answer_is_in_the_catalogue() -> None:
    """Classes by their code, and the codes that a malformed request is given where it is raised."""
    classes = [c for c in vars(errors).values() if isinstance(c, type)]
    known = {c.code: c.status for c in classes if issubclass(c, errors.RielError)}
    listed = {error.code: error.status for error in ERROR_CODES}

    assert {c: s for c, s in known.items() if c not in NEVER_ANSWERED}.items() <= listed.items()
    assert set(listed) - set(known) == given_codes()


def given_codes() -> set[str]:
    """The texts that the sources pass, or keep, as the code of a MalformedRequestError."""
    folders = (ROOT / "functions/api", ROOT / "layers/core/python/riel/services")
    sources = [path.read_text() for folder in folders for path in folder.glob("*.py")]
    found = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        is_passed = isinstance(node, ast.keyword) and node.arg == "code"
        is_kept = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CODE"
        value = getattr(node, "value", None)
        if (is_passed or is_kept) and isinstance(value, ast.Constant):
            found.add(str(value.value))
    return found


def test_each_code_is_listed_once_and_has_its_place_on_the_page() -> None:
    page = PAGE_FILE.read_text(encoding="utf-8")
    codes = [error.code for error in ERROR_CODES]

    assert len(set(codes)) == len(codes)
    for code in codes:
        assert page.count(f'id="{code}"') == 1, "problems link to it as /docs#code"


BAD_FIELDS: list[tuple[str, Any]] = [
    ("amount", 1.5), ("amount", "0"), ("amount", "1" * 13), ("amount", None), ("currency", "mxn"),
    ("currency", 1), ("method", "cash"), ("method", 1), ("description", 1),
    ("description", "x" * 501),
    ("description", "4111 1111 1111 1111"), ("description", "\x00"), ("metadata", 1),
    ("metadata", {"a": 1}), ("metadata", {"": "x"}), ("metadata", {"a" * 41: "x"}),
    ("metadata", {str(n): "" for n in range(51)}), ("webhook_url", 1), ("webhook_url", "http://a"),
    ("payment_method_token", "a b"), ("payment_method_token", 1), ("reference", ""),
    ("reference", 1), ("status", "completed"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_every_code_of_a_field_is_in_the_catalogue(field: str, value: Any) -> None:
    body = json.dumps({"amount": "1", "currency": "MXN", field: value})

    with pytest.raises(errors.InvalidRequestError) as refused:
        read_order(body.encode(), allow_loopback=False)

    listed = {known.code for known in FIELD_CODES}
    assert {problem.code for problem in refused.value.problems} <= listed


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", 1.5), ("amount", "0"), ("amount", None), ("amount", ""), ("reason", 1),
     ("reason", "x" * 501), ("reason", "4111 1111 1111 1111"), ("status", "completed")],
)  # fmt: skip
def test_every_code_of_a_refunds_field_is_in_the_catalogue(field: str, value: Any) -> None:
    with pytest.raises(errors.InvalidRequestError) as refused:
        read_refund_order(json.dumps({field: value}).encode())

    listed = {known.code for known in FIELD_CODES}
    assert {problem.code for problem in refused.value.problems} <= listed


@pytest.mark.parametrize(
    ("amount", "fits"),
    [
        ("100.50", True), ("0.01", True), ("0.0001", True), ("0.5000", True), (100, True),
        ("999999999999.9999", True), ("0", False), ("0.0000", False), ("01", False), ("1.", False),
        ("-1", False), ("1e2", False), (0, False), (1.5, False), ("1000000000000", False),
        (1_000_000_000_000, False), ("1.00000", False), ("", False), (None, False), (True, False),
    ],
)  # fmt: skip
def test_the_schema_of_an_amount_is_what_the_code_takes(amount: Any, fits: bool) -> None:
    """In a currency of four decimals; the schema can not know how many each one has."""
    order = {"amount": amount, "currency": "CLF"}
    try:
        read_order(json.dumps(order).encode(), allow_loopback=False)
        taken = True
    except errors.RejectedError:
        taken = False
    schema = jsonschema_rs.Draft202012Validator(
        {
            **resolve("#/components/schemas/CreatePaymentRequest"),
            "components": DOCUMENT["components"],
        }
    )

    assert (taken, schema.is_valid(order)) == (fits, fits)


def test_the_page_is_small_and_loads_nothing() -> None:
    page, policy = docs_page()

    assert len(page.encode()) < 150_000
    assert not re.search(r"<script|<iframe|<img|@import|url\(|\sstyle=|\son\w+=", page)
    linked = re.findall(r'(?:src|href)="([^"]+)"', page)
    outside = {link for link in linked if not link.startswith(("#", "data:image/svg+xml"))}
    assert outside == {"/openapi.json", "https://www.standardwebhooks.com"}
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")


def test_every_link_within_the_page_leads_somewhere() -> None:
    page, _ = docs_page()
    places = re.findall(r'\sid="([^"]+)"', page)

    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(places)


def test_what_is_served_is_what_was_committed() -> None:
    assert json.loads(openapi_document()) == DOCUMENT
    assert openapi_document() == DOCUMENT_FILE.read_text(encoding="utf-8")
    assert "servers" not in DOCUMENT, "paths are full, and the server is the one that was asked"
    assert list(DOCUMENT["paths"]) == list(paths())


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda v: str(v)[:40])
def test_a_curl_line_of_the_page_is_one_that_a_shell_understands(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    page, _ = docs_page()
    section = page.split(f'<section class="operation" id="{operation["operationId"]}">')[1]
    line = unescape(section.split("<code>curl ")[1].split("</code>")[0])
    shell = shutil.which("sh")
    assert shell

    script = f"curl() {{ printf '%s\\n' \"$@\"; }}\ncurl {line}"
    answer = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True)
    words = answer.stdout

    assert f"http://localhost:8000{path.partition('{')[0]}" in words
    assert not re.search(r"\{\w+\}", words), "an id that nobody filled in"
    assert ("Idempotency-Key: " in words) == (method == "post")
    if "amount" in words:
        body = words[words.index("{") :].encode()
        if path.endswith("/refunds"):
            read_refund_order(body)
        else:
            read_order(body, allow_loopback=True)


def test_the_guides_code_accepts_our_webhooks_and_nothing_else() -> None:
    guides = DOCUMENT["info"]["description"]
    code = re.findall(r"```python\n(.*?)```", guides, re.DOTALL)[0]
    shown: dict[str, Any] = {}
    exec(code, shown)
    is_genuine, body = shown["is_genuine"], b'{"type": "payment.completed"}'

    headers = signing.headers((WEBHOOK_SECRET, "whsec_b2xk"), "evt_1", datetime.now(UTC), body)

    assert is_genuine(WEBHOOK_SECRET, headers, body)
    assert is_genuine("whsec_b2xk", headers, body)
    assert not is_genuine("whsec_b3RoZXI=", headers, body)
    assert not is_genuine(WEBHOOK_SECRET, headers, body + b" ")
    assert not is_genuine(WEBHOOK_SECRET, {**headers, "webhook-timestamp": "1"}, body)


def test_every_error_has_a_title_that_no_version_of_python_changes() -> None:
    def statuses(kind: type[errors.RielError]) -> set[int]:
        below = (statuses(inner) for inner in kind.__subclasses__())
        return {kind.status}.union(*below)

    assert statuses(errors.RielError) <= set(TITLES)
