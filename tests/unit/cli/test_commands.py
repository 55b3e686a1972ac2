"""The command line where nothing runs: words and exit codes, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli import stage_access
from infra.cli.main import app


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_access, "STATE_FOLDER", tmp_path)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "status --json",
        "payments show pay_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "payments list",
        "payments watch",
        "simulator pay pay_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "flags show",
        "flags set gateway.simulator off --reason x",
        "gateways events",
        "gateways show inb_a",
        "gateways retry inb_a",
        "gateways close inb_a --reason x",
        "reviews",
        "payments acknowledge pay_aaaaaaaaaaaaaaaaaaaaaaaaaa --reason x",
        "dlq list",
        "dlq show payments",
        "dlq redrive payments",
        "dlq quarantine payments --all --reason x",
        "dlq quarantined payments",
        "dlq release payments some-id",
        "outbox replay --from 10m --to now",
        "webhooks deliveries pay_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "webhooks redeliver pay_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "webhooks redeliver --from 1h --to now",
        "webhooks endpoints",
        "webhooks resume demo http://127.0.0.1:1/hook",
    ],
)
def test_where_nothing_runs_it_says_how_to_start(command: str) -> None:
    code, output = run(*command.split())

    assert code == 1
    assert output == "The local stage is not running.\nStart it with: make run\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("status --stage qa", "choose one of local, dev, prod"),
        ("payments list --stage dev", "--merchant ID"),
        ("payments list --day tomorrow", "not a day"),
        ("payments list --limit 0", "--limit"),
        ("dlq redrive payments --older-than 10", "not a duration"),
        ("dlq redrive payments --rate 0", "--rate"),
        ("dlq quarantine payments --all", "--reason"),
        ("dlq quarantine payments --reason x", "Say which letters"),
        ("dlq quarantine payments --all --payment pay_1 --reason x", "Say which letters"),
        ("outbox replay --from now --to 10m", "--from must be before --to"),
        ("outbox replay --to now", "--from"),
        ("webhooks redeliver", "Say which webhooks"),
        ("webhooks redeliver --from 1h", "Say which webhooks"),
        ("webhooks redeliver pay_a --from 1h --to now", "Say which webhooks"),
        ("webhooks redeliver pay_a --merchant demo", "Say which webhooks"),
        ("webhooks redeliver pay_a --url http://127.0.0.1:1/hook", "Say which webhooks"),
        ("webhooks redeliver --from now --to 1h", "--from must be before --to"),
        ("webhooks redeliver --from yesterday --to now", "not a time"),
        ("webhooks redeliver pay_a --state lost", "failed, pending, delivered or all"),
        ("webhooks redeliver --from 1h --to now --rate 0", "--rate"),
        ("flags set gateway.simulator maybe --reason x", "Say on or off"),
        ("flags set gateway.simulator off", "--reason"),
        ("gateways close inb_a", "--reason"),
        ("payments acknowledge pay_a", "--reason"),
        ("reviews --why completed", "in_review, contradiction"),
        ("gateways events --state processed", "unmatched, foreign, unreadable"),
        ("up --stage dev", "cdk deploy"),
        ("up --port 70000", "--port"),
        ("down --stage prod", "cdk destroy"),
        ("pyaments", "Did you mean"),
    ],
)
def test_a_wrong_use_is_told_and_ends_with_2(command: str, words: str) -> None:
    code, output = run(*command.split())

    assert code == 2
    assert words in output


def test_without_credentials_another_stage_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    code, output = run("dlq", "list", "--stage", "dev")

    assert code == 1
    assert output.startswith("There are no AWS credentials for the stage dev.\n")


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['riel', '--help']; from infra.cli.main import app\n"
        "try: app()\nexcept SystemExit: pass\n"
        "print(sorted({'boto3', 'aws_cdk', 'ministack', 'rich', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"
    assert "payments" in done.stdout
