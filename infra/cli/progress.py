"""A line that counts along while something long runs, on a terminal only."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.status import Status

from infra.cli.output import console


class Progress:
    """Shows its line until its block ends."""

    def __init__(self, *, enabled: bool) -> None:
        out = console()
        is_shown = enabled and out.is_terminal
        self._spinner: Status | None = out.status("looking …") if is_shown else None

    def __enter__(self) -> Self:
        if self._spinner:
            self._spinner.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._spinner:
            self._spinner.stop()

    def say(self, text: str) -> None:
        """Show how far it is."""
        if self._spinner:
            self._spinner.update(text)
