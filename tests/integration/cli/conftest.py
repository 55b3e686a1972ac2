"""The command line against the local stage that the tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.cli import stage_access
from infra.cli.main import app
from infra.local.platform import LocalPlatform
from tests.end_to_end.client import Merchant


class Riel:
    """Runs `riel` in this process."""

    def __call__(self, *arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
        return result.output

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))


@pytest.fixture
def riel(platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Riel]:
    monkeypatch.setattr(stage_access, "STATE_FOLDER", platform._folder)
    before = dict(os.environ)
    yield Riel()
    # The local stage's commands take the user's AWS settings out of their process.
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def merchant(platform: LocalPlatform) -> Merchant:
    return Merchant(platform)
