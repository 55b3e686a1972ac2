"""Ids, derived: the same cause gives the same id, so a repeat can not make a second thing.

An id is a prefix and 26 letters of base 32: the first 130 bits of a SHA-256 over the parts,
each part preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
"""

from __future__ import annotations

import base64
import hashlib
import re

_LENGTH = 26
_SHAPE = re.compile(r"[a-z]{2,4}_[a-z2-7]{26}", re.ASCII)


def payment_id(merchant_id: str, livemode: bool, idempotency_key: str) -> str:
    """One payment per merchant, mode and idempotency key, for ever."""
    return _derive("pay", merchant_id, mode(livemode), idempotency_key)


def reference_id(merchant_id: str, livemode: bool, reference: str) -> str:
    """Name the guard that keeps a merchant's reference to one payment at a time."""
    return _derive("ref", merchant_id, mode(livemode), reference)


def cancellation_id(merchant_id: str, livemode: bool, payment: str, idempotency_key: str) -> str:
    """One cancellation per merchant, mode, payment and idempotency key, for ever."""
    return _derive("can", merchant_id, mode(livemode), payment, idempotency_key)


def refund_id(merchant_id: str, livemode: bool, payment: str, idempotency_key: str) -> str:
    """One refund per merchant, mode, payment and idempotency key, for ever."""
    return _derive("re", merchant_id, mode(livemode), payment, idempotency_key)


def redelivery_id(merchant_id: str, livemode: bool, event: str, idempotency_key: str) -> str:
    """Name what a merchant asked for with a key: to be told of an event again."""
    return _derive("rdl", merchant_id, mode(livemode), event, idempotency_key)


def late_refund_id(payment: str, received_minor: int) -> str:
    """The refund that we make ourselves once so much has come: no merchant's key leads to it."""
    return _derive("re", payment, "late-payment", str(received_minor))


def event_id(subject: str, sequence: int) -> str:
    """One event per payment or refund and transition; it is the `webhook-id` too."""
    return _derive("evt", subject, str(sequence))


def endpoint_id(merchant_id: str, url: str) -> str:
    """An endpoint is a merchant and an exact URL."""
    return _derive("end", merchant_id, url)


def inbox_id(gateway: str, event: str) -> str:
    """One inbox item per gateway and event, however often the event comes."""
    return _derive("inb", gateway, event)


def gateway_key(payment: str, gateway: str, charge_number: int) -> str:
    """Name one charge at one PSP; the number grows only after a definite decline."""
    return _derive("chg", payment, gateway, str(charge_number))


def refund_key(refund: str, gateway: str) -> str:
    """Name one refund at one PSP."""
    return _derive("rfd", refund, gateway)


def api_key_hash(api_key: str) -> str:
    """Hash an API key for storage. Keys carry 192 random bits, so no salt or stretching."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def api_key_id(key_hash: str) -> str:
    """Name an API key by its hash, so that it can be spoken of without being shown."""
    return _derive("key", key_hash)


def merchant_id(seed: str) -> str:
    """Name a new merchant; the seed is random, because nothing about a merchant is unique."""
    return _derive("mer", seed)


def spread(text: str, shards: int) -> int:
    """Choose one of `shards` partitions, evenly and always the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % shards


def looks_like(prefix: str, text: str) -> bool:
    """Whether the text has the shape of an id of this kind."""
    return text.startswith(prefix + "_") and _SHAPE.fullmatch(text) is not None


def _derive(prefix: str, *parts: str) -> str:
    digest = hashlib.sha256()
    for part in (prefix, *parts):
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    letters = base64.b32encode(digest.digest()).decode().lower()
    return f"{prefix}_{letters[:_LENGTH]}"


def mode(livemode: bool) -> str:
    """Name the mode as keys, ids and screens do."""
    return "live" if livemode else "test"
