"""Loads a function's handler as Lambda does: fresh, under an environment of its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class Context:
    """The part of Lambda's context that handlers use."""

    function_name = "test"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    remaining_ms = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def load_handler(
    name: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Handler, Any]:
    """Import `functions.<name>.handler` anew; return its handler and its module."""
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    for loaded in [m for m in sys.modules if m.startswith(f"functions.{name}")]:
        monkeypatch.delitem(sys.modules, loaded)
    module = importlib.import_module(f"functions.{name}.handler")
    handler: Handler = module.handler
    return handler, module
