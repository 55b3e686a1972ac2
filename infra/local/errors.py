"""What can stop the local stage, said so that a person knows what to do next."""

from __future__ import annotations


class LocalStageError(Exception):
    """The local stage can not start, or had to stop.

    `message` says what happened in one sentence, `hint` what to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
