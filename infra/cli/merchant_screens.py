"""How merchants and their API keys look: on a screen, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from infra.cli.options import stage_option
from infra.names import command
from riel.domain.instants import to_text
from riel.services.merchants import NewKey, NewMerchant, Revocation
from riel.services.rotate_webhook_secret import NewWebhookSecret
from riel.store.merchant_records import ApiKey, MerchantRecord
from riel.store.merchants import CACHE_SECONDS, Limits, Merchant, SealedSecret


def created_document(new: NewMerchant) -> dict[str, Any]:
    """Return a new merchant with what is shown once."""
    (key,) = new.record.api_keys
    return {
        "id": new.record.merchant.merchant_id,
        "name": new.record.merchant.name,
        "api_key": new.api_key,
        "webhook_secret": new.webhook_secret,
        "key_id": key.key_id,
        "livemode": key.livemode,
    }


def merchant_document(record: MerchantRecord) -> dict[str, Any]:
    """Return a merchant as `list` shows it: no key, no secret."""
    return {
        "id": record.merchant.merchant_id,
        "name": record.merchant.name,
        "limits": _limits_document(record.merchant.limits),
        "created_at": to_text(record.created_at),
        "api_keys": [_key_document(key) for key in record.api_keys],
        "webhook_secrets": [_secret_document(one) for one in record.merchant.webhook_secrets],
    }


def rotated_document(merchant_id: str, new: NewKey) -> dict[str, Any]:
    """Return a new key, shown once, and the ids of those that it is to replace."""
    return {
        "id": merchant_id,
        "api_key": new.api_key,
        "key_id": new.key.key_id,
        "livemode": new.key.livemode,
        "other_key_ids": [key.key_id for key in new.others],
    }


def revoked_document(merchant_id: str, done: Revocation) -> dict[str, Any]:
    """Return a revoked key, and whether it had been revoked before."""
    return {"id": merchant_id, **_key_document(done.key), "was_revoked": done.was_revoked}


def new_secret_document(new: NewWebhookSecret) -> dict[str, Any]:
    """Return a new webhook secret, shown once, and until when the one before it signs too."""
    return {
        "id": new.merchant_id,
        "webhook_secret": new.webhook_secret,
        "created_at": to_text(new.created_at),
        "both_until": _text(new.both_until),
    }


def limited_document(merchant: Merchant) -> dict[str, Any]:
    """Return a merchant's new limits."""
    return {"id": merchant.merchant_id, "limits": _limits_document(merchant.limits)}


def print_created(out: Console, stage: str, new: NewMerchant, local_api: str | None) -> None:
    """Print a new merchant, its key and secret, and the next step."""
    merchant, (key,) = new.record.merchant, new.record.api_keys
    out.print(_headline(merchant))
    _print_fact(out, f"{key.mode} key", new.api_key)
    _print_fact(out, "its id", key.key_id)
    _print_fact(out, "webhooks", new.webhook_secret)
    print(
        "\nBoth are shown this once: the key is stored only as a hash and can not be shown again."
    )
    # No gateway of the local stage takes live keys, so a live key has nothing to show there.
    if local_api and not key.livemode:
        print(f"Try it:\n\n{_curl(local_api, new.api_key)}")
    else:
        other = "" if key.livemode else " --live"
        option = stage_option(stage)
        print(
            f"Give both to the merchant in a safe way. For a key of the other mode:\n"
            f"  {command()} merchants rotate-key {merchant.merchant_id}{other}{option}"
        )


def print_merchants(out: Console, records: Sequence[MerchantRecord]) -> None:
    """Print merchants, each with its keys and its webhook secrets' dates below it."""
    for record in records:
        out.print(_headline(record.merchant), soft_wrap=True)
        for key in record.api_keys:
            out.print(_key_line(key), soft_wrap=True)
        for secret in record.merchant.webhook_secrets:
            out.print(_secret_line(secret), soft_wrap=True)


def print_rotated(out: Console, stage: str, merchant_id: str, new: NewKey) -> None:
    """Print a new key, and when the old one may be revoked."""
    _print_fact(out, f"{new.key.mode} key", new.api_key)
    _print_fact(out, "its id", new.key.key_id)
    print("\nThe key is stored only as a hash: it can not be shown again.")
    for old in new.others:
        print(
            f"Both keys work. Revoke the old one when the merchant has gone over to this one:\n"
            f"  {command()} merchants revoke-key {merchant_id} {old.key_id}{stage_option(stage)}"
        )


def print_revoked(done: Revocation) -> None:
    """Print that a key stops working, or since when it has."""
    if done.was_revoked and done.key.revoked_at:
        print(f"{done.key.key_id} was revoked already, at {_minute(done.key.revoked_at)} UTC.")
    else:
        print(f"{done.key.key_id} is revoked: it stops working within {CACHE_SECONDS} seconds.")


def print_new_secret(out: Console, new: NewWebhookSecret) -> None:
    """Print a new webhook secret, what the merchant has to do, and until when."""
    _print_fact(out, "webhooks", new.webhook_secret)
    print("\nThe secret is shown this once. Give it to the merchant in a safe way.")
    if new.both_until:
        print(
            f"Within {CACHE_SECONDS} seconds each webhook has two signatures, by this secret and\n"
            f"by the one before; from {_minute(new.both_until)} UTC on by this one alone. The\n"
            "merchant has to verify with this one by then: nothing else changes for it."
        )
    else:
        print(
            "The secrets before it have ended: within "
            f"{CACHE_SECONDS} seconds webhooks are signed by this\n"
            "one alone. The merchant has to verify with it at once, and to refuse what only an\n"
            "older one has signed. What it refuses until then is sent again, as any webhook\n"
            "that fails."
        )


def print_limited(merchant: Merchant) -> None:
    """Print a merchant's new limits."""
    told = f"{merchant.merchant_id}: {_limits(merchant.limits)}, within {CACHE_SECONDS} seconds."
    print(told)


def _headline(merchant: Merchant) -> Text:
    return Text.assemble(
        (merchant.merchant_id, "bold"), f"  {merchant.name}  ", (_limits(merchant.limits), "dim")
    )


def _key_line(key: ApiKey) -> Text:
    revoked = f", revoked {_minute(key.revoked_at)}" if key.revoked_at else ""
    line = f"  {key.mode}  {key.key_id}  …{key.last4}  created {_minute(key.created_at)}{revoked}"
    return Text(line, style="dim" if revoked else "")


def _secret_line(secret: SealedSecret) -> Text:
    ends = f", ends {_minute(secret.until)}" if secret.until else ""
    line = f"  webhook secret  created {_minute(secret.created_at)}{ends}"
    return Text(line, style="dim" if ends else "")


def _print_fact(out: Console, name: str, value: str) -> None:
    out.print(Text.assemble((f"  {name:<10}", "dim"), value), soft_wrap=True)


def _limits(limits: Limits) -> str:
    return f"{limits.rate} requests a second, bursts of {limits.burst}"


def _limits_document(limits: Limits) -> dict[str, int]:
    return {"rate": limits.rate, "burst": limits.burst}


def _key_document(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "livemode": key.livemode,
        "last4": key.last4,
        "created_at": to_text(key.created_at),
        "revoked_at": _text(key.revoked_at),
    }


def _secret_document(secret: SealedSecret) -> dict[str, Any]:
    return {"created_at": to_text(secret.created_at), "until": _text(secret.until)}


def _text(at: datetime | None) -> str | None:
    return to_text(at) if at else None


def _minute(at: datetime) -> str:
    return to_text(at)[:16].replace("T", " ")


def _curl(api: str, api_key: str) -> str:
    return (
        f"  curl -X POST {api}/api/v1/payments \\\n"
        f"    -H 'X-API-Key: {api_key}' \\\n"
        f"    -H 'Idempotency-Key: order-1' \\\n"
        f"    -H 'Content-Type: application/json' \\\n"
        f"""    -d '{{"amount": "100.50", "currency": "MXN"}}\'"""
    )
