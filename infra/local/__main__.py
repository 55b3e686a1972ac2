"""`python -m infra.local`: the local stage in the foreground, without the demo of `riel up`."""

from __future__ import annotations

import argparse
import sys

from infra.local.errors import LocalStageError
from infra.local.platform import LocalPlatform, interruptible


def main() -> int:
    """Start everything, print `ready URL`, and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    try:
        with interruptible(), LocalPlatform(arguments.port, on_step=_print_step) as platform:
            _say(f"ready {platform.state.api}")
            platform.wait()
    except KeyboardInterrupt:
        return 0
    except LocalStageError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return 1
    return 0


def _print_step(name: str, seconds: float | None) -> None:
    if seconds is not None:
        _say(f"{name}: {seconds:.1f} s")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
