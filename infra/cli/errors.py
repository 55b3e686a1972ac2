"""What a command says instead of a traceback when something expected is not as it should be."""

from __future__ import annotations


class OperatorError(Exception):
    """One sentence of what happened, and one of what to do next. Exit codes: 1 failure, 2 usage."""

    def __init__(self, message: str, hint: str = "", *, exit_code: int = 1) -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class UsageError(OperatorError):
    """A value on the command line that makes no sense."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, exit_code=2)
