"""`riel merchants` where nothing runs, and what a person reads about merchants."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from infra.cli import merchant_screens, stage_access
from infra.cli.main import app
from riel.services.merchants import NewKey, NewMerchant, Revocation
from riel.services.rotate_webhook_secret import NewWebhookSecret
from riel.store.merchant_records import ApiKey, MerchantRecord
from riel.store.merchants import Limits, Merchant, SealedSecret
from tests.builders import NOON

ID, KEY_ID = "mer_" + "a" * 26, "key_" + "b" * 26
KEY = ApiKey(KEY_ID, "0" * 64, False, "wxyz", NOON)
SEALED = SealedSecret("c2VhbGVk", NOON)
MERCHANT = Merchant(ID, "[bold]Café", (SEALED,), Limits(50, 100), "c")
RECORD = MerchantRecord(MERCHANT, (KEY,), NOON)
NEW = NewMerchant(RECORD, "sk_test_secret", "whsec_secret")


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_access, "STATE_FOLDER", tmp_path)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False)


def text_of(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


@pytest.mark.parametrize(
    "command",
    [
        "create Shop",
        "create --live Shop --rate 5 --json",
        "list",
        f"rotate-key {ID}",
        f"revoke-key {ID} {KEY_ID}",
        f"rotate-webhook-secret {ID}",
        f"rotate-webhook-secret {ID} --at-once --json",
        f"limit {ID} --rate 1 --burst 1",
    ],
)
def test_where_nothing_runs_it_says_how_to_start(command: str) -> None:
    code, output = run("merchants", *command.split())

    assert code == 1
    assert output == "The local stage is not running.\nStart it with: make run\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("create", "NAME"),
        ("create Shop --stage qa", "choose one of local, dev, prod"),
        ("create Shop --rate 0", "--rate"),
        ("create Shop --rate 40001", "--rate"),
        ("create Shop --burst 0", "--burst"),
        (f"limit {ID} --rate 5", "--burst"),
        (f"limit {ID} --burst 5", "--rate"),
        (f"revoke-key {ID}", "KEY_ID"),
        ("rotate", "rotate-key"),
        ("rotate-webhook-secret", "ID"),
    ],
)
def test_a_wrong_use_is_told_and_ends_with_2(command: str, words: str) -> None:
    code, output = run("merchants", *command.split())

    assert code == 2
    assert words in output


def test_a_new_merchant_shows_its_secrets_and_a_line_to_try(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = terminal()
    merchant_screens.print_created(out, "local", NEW, "http://localhost:8000")

    seen, told = text_of(out), capsys.readouterr().out
    for words in (ID, "[bold]Café", "sk_test_secret", "whsec_secret", KEY_ID, "bursts of 100"):
        assert words in seen
    assert "stored only as a hash and can not be shown again" in told
    assert "curl -X POST http://localhost:8000/api/v1/payments" in told
    assert "-H 'X-API-Key: sk_test_secret'" in told


@pytest.mark.parametrize(
    ("livemode", "stage", "advice"),
    [
        (True, "local", f"merchants rotate-key {ID}\n"),
        (False, "dev", f"merchants rotate-key {ID} --live --stage dev\n"),
    ],
)
def test_where_there_is_nothing_to_try_the_other_mode_is_told(
    capsys: pytest.CaptureFixture[str], livemode: bool, stage: str, advice: str
) -> None:
    record = replace(RECORD, api_keys=(replace(KEY, livemode=livemode),))
    local_api = "http://localhost:8000" if stage == "local" else None

    merchant_screens.print_created(terminal(), stage, replace(NEW, record=record), local_api)

    told = capsys.readouterr().out
    assert "curl" not in told
    assert advice in told


def test_a_list_says_of_each_key_and_each_secret_its_times() -> None:
    tomorrow = NOON + timedelta(days=1)
    revoked = replace(KEY, livemode=True, revoked_at=tomorrow)
    merchant = replace(MERCHANT, webhook_secrets=(SEALED, replace(SEALED, until=tomorrow)))
    record = replace(RECORD, merchant=merchant, api_keys=(KEY, revoked))
    out = terminal()

    merchant_screens.print_merchants(out, [record])

    assert text_of(out).splitlines() == [
        f"{ID}  [bold]Café  50 requests a second, bursts of 100",
        f"  test  {KEY_ID}  …wxyz  created 2026-04-17 12:00",
        f"  live  {KEY_ID}  …wxyz  created 2026-04-17 12:00, revoked 2026-04-18 12:00",
        "  webhook secret  created 2026-04-17 12:00",
        "  webhook secret  created 2026-04-17 12:00, ends 2026-04-18 12:00",
    ]
    assert merchant_screens.merchant_document(record)["webhook_secrets"] == [
        {"created_at": "2026-04-17T12:00:00.000Z", "until": None},
        {"created_at": "2026-04-17T12:00:00.000Z", "until": "2026-04-18T12:00:00.000Z"},
    ]


def test_a_rotation_says_when_the_old_key_may_go(capsys: pytest.CaptureFixture[str]) -> None:
    out = terminal()
    new = NewKey(replace(KEY, key_id="key_new"), "sk_test_new", (KEY,))

    merchant_screens.print_rotated(out, "dev", ID, new)

    told = capsys.readouterr().out
    assert "sk_test_new" in text_of(out)
    assert "Revoke the old one when the merchant has gone over" in told
    assert f"merchants revoke-key {ID} {KEY_ID} --stage dev\n" in told


def test_a_first_key_of_a_mode_replaces_none(capsys: pytest.CaptureFixture[str]) -> None:
    merchant_screens.print_rotated(terminal(), "local", ID, NewKey(KEY, "sk_live_new", ()))

    assert "revoke" not in capsys.readouterr().out.lower()


def test_a_revocation_says_from_when(capsys: pytest.CaptureFixture[str]) -> None:
    key = replace(KEY, revoked_at=NOON)

    merchant_screens.print_revoked(Revocation(key, was_revoked=False))
    merchant_screens.print_revoked(Revocation(key, was_revoked=True))

    assert capsys.readouterr().out.splitlines() == [
        f"{KEY_ID} is revoked: it stops working within 30 seconds.",
        f"{KEY_ID} was revoked already, at 2026-04-17 12:00 UTC.",
    ]


def test_a_new_webhook_secret_says_what_the_merchant_has_to_do_and_until_when(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = terminal()
    new = NewWebhookSecret(ID, "whsec_new", NOON, NOON + timedelta(hours=24))

    merchant_screens.print_new_secret(out, new)

    told = capsys.readouterr().out
    assert "whsec_new" in text_of(out)
    assert "shown this once" in told
    assert "Within 30 seconds each webhook has two signatures" in told
    assert "from 2026-04-18 12:00 UTC on by this one alone" in told


def test_after_a_leak_the_merchant_is_to_refuse_the_old_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    merchant_screens.print_new_secret(terminal(), NewWebhookSecret(ID, "whsec_new", NOON, None))

    told = capsys.readouterr().out
    assert "within 30 seconds" in told
    assert "has to verify with it at once" in told
    assert "two signatures" not in told
