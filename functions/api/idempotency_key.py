"""The `Idempotency-Key` header, bare or as a structured-field string.

Source: draft-ietf-httpapi-idempotency-key-header and RFC 8941, section 3.3.3: inside quotes, only
a quote and a backslash are escaped. The two forms of the same key are one key.
"""

from __future__ import annotations

import re

from riel.errors import MalformedRequestError

MAX_LENGTH = 255
FIELD = "Idempotency-Key"
_PRINTABLE = re.compile(r"[\x20-\x7e]+", re.ASCII)
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"', re.ASCII)


def read_key(header: str | None) -> str:
    """Return the key; raises MalformedRequestError saying what is wrong with it."""
    text = (header or "").strip(" \t")
    if not text:
        raise MalformedRequestError(
            "every POST needs an Idempotency-Key header: a new random value for each new request,"
            " the same value for a retry",
            code="idempotency_key_missing",
            field=FIELD,
        )
    key = _unquoted(text) if text.startswith('"') else text
    if not key.strip() or len(key) > MAX_LENGTH or not _PRINTABLE.fullmatch(key):
        raise _invalid(f"1 to {MAX_LENGTH} printable ASCII characters")
    if key != key.strip() or key.startswith('"'):
        # Such a key could not be sent bare, so it would be two keys depending on the form.
        raise _invalid("no space at either end, and no quote at the beginning of the key itself")
    return key


def read_header(header: str | None) -> str:
    """Read the key of a request; refuses also a header that was sent twice."""
    key = read_key(header)
    if _is_repeated((header or "").strip(" \t")):
        raise _invalid("send the header once (a key of two equal halves has to be quoted)")
    return key


def _is_repeated(text: str) -> bool:
    """Whether the same key was sent twice, which API Gateway joins as `key,key`.

    Two different keys can not be told from one key with a comma in it, and are taken as that.
    """
    middle = len(text) // 2
    return "," in text and text[:middle].rstrip(",") == text[middle:].lstrip(", ")


def _unquoted(text: str) -> str:
    match = _QUOTED.fullmatch(text)
    if match is None:
        raise _invalid("a quoted key must be one structured-field string")
    return re.sub(r'\\(["\\])', r"\1", match[1])


def _invalid(message: str) -> MalformedRequestError:
    return MalformedRequestError(message, code="idempotency_key_invalid", field=FIELD)
