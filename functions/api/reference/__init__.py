"""The API's own description: two files that are written at build time and read on request."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
DOCUMENT_FILE = FOLDER / "openapi.json"
PAGE_FILE = FOLDER / "docs.html"
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@cache
def openapi_document() -> str:
    """Return the OpenAPI document, as JSON text."""
    return DOCUMENT_FILE.read_text(encoding="utf-8")


@cache
def docs_page() -> tuple[str, str]:
    """Return the documentation as HTML, and the Content-Security-Policy to send with it.

    The policy allows the page's own style by its hash, and nothing else: no script, no request.
    """
    page = PAGE_FILE.read_text(encoding="utf-8")
    return page, _policy(page)


def _policy(page: str) -> str:
    hashes = (hashlib.sha256(style.encode()).digest() for style in _STYLE.findall(page))
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return (
        f"default-src 'none'; style-src {allowed}; img-src data:; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    )
