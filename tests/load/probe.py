"""Runs inside the measured function: imports the handler named by PROBE_HANDLER and times it.

Nothing but what Python and Lambda's runtime have loaded already is imported here. Times are the
process's own, user and system, of all threads, in nanoseconds.
"""

import importlib
import os
import sys
import time
from typing import Any

_begun_ns = time.process_time_ns()
_module, _, _name = os.environ["PROBE_HANDLER"].rpartition(".")
_measured = getattr(importlib.import_module(_module), _name)
_ready_ns = time.process_time_ns()
_modules = len(sys.modules)

_spent_ns = [0]


def handler(event: dict[str, Any], context: Any) -> Any:
    """Pass an event on and add up what it took; `{"probe": true}` asks for the figures."""
    if "probe" in event:
        return {
            "ready_ns": _ready_ns,
            "import_ns": _ready_ns - _begun_ns,
            "modules": _modules,
            "spent_ns": _spent_ns[0],
            "process_ns": time.process_time_ns(),
        }
    begun = time.process_time_ns()
    answer = _measured(event, context)
    _spent_ns[0] += time.process_time_ns() - begun
    return answer
