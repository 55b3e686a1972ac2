"""A local stage of its own, on free loopback ports, for a script that breaks it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from infra.local.platform import LocalPlatform
from tests.end_to_end.client import Merchant


@contextlib.contextmanager
def own_stage(*, deliver_twice: bool = False) -> Iterator[tuple[LocalPlatform, Merchant]]:
    """Start a stage, and stop it when the block ends."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalPlatform(
            0,
            aws_port=0,
            simulator_port=0,
            state_folder=Path(folder),
            deliver_twice=deliver_twice,
        ) as platform,
    ):
        yield platform, Merchant(platform)
