"""The log of the local stage's own threads (pollers, metrics): a file, never the terminal."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import infra.local


@contextlib.contextmanager
def log_to(file: Path) -> Iterator[None]:
    """Keep the pollers' warnings out of whatever the command line shows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(file, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger(infra.local.__name__)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        handler.close()
