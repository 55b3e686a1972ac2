"""What the fuzz tests count, told at the end of a run of their own (`make fuzz`)."""

from __future__ import annotations

from collections import Counter

import pytest

_COUNTED = pytest.StashKey[Counter[str]]()


@pytest.fixture(scope="session")
def fuzz_report(pytestconfig: pytest.Config) -> Counter[str]:
    """Inputs by the test that sent them. Each one was judged, so none that is counted was a 5xx."""
    return pytestconfig.stash.setdefault(_COUNTED, Counter())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many inputs were tried."""
    counted = config.stash.get(_COUNTED, Counter())
    if counted:
        parts = ", ".join(f"{name} {number}" for name, number in sorted(counted.items()))
        failed = len(terminalreporter.stats.get("failed", ()))
        terminalreporter.write_line(f"fuzz: {counted.total()} inputs ({parts}); {failed} failed")
