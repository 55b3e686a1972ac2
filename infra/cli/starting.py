"""What `riel up` shows while it starts: each step with its seconds."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import Self

from rich.status import Status

from infra.cli.output import console

_WORDS = {
    "synthesize": "synthesize the CDK app",
    "engine": "start the AWS engine",
    "deploy": "deploy the template",
    "warm up": "start the Lambda workers",
}


class StartScreen:
    """Observes the steps of `LocalPlatform`. Plain lines where no terminal is."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = console()
        self._spinner: Status | None = None
        self._began = time.monotonic()
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_spinner()

    def on_step(self, name: str, seconds: float | None) -> None:
        """Show a step that begins (no seconds yet) or is done."""
        if self._as_json:
            if seconds is not None:
                print(json.dumps({"step": name, "seconds": round(seconds, 2)}), flush=True)
            return
        words = _WORDS.get(name, name)
        if seconds is not None:
            self._stop_spinner()
            self._line(words, seconds)
        elif self._console.is_terminal:
            self._stop_spinner()
            self._spinner = self._console.status(f"[dim]{words} …[/dim]", spinner_style="dim")
            self._spinner.start()

    def end(self) -> None:
        """Say how long it took; the first call counts."""
        self._stop_spinner()
        if not self._is_over and not self._as_json:
            self._line("in all", time.monotonic() - self._began)
        self._is_over = True

    def _line(self, words: str, seconds: float) -> None:
        self._console.print(f"  {words:<26}[dim]{seconds:5.1f} s[/dim]")

    def _stop_spinner(self) -> None:
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None
