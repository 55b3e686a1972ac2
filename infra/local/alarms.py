"""Alarms by dimension: stands in for CloudWatch's own matching of alarms to metrics.

The engine judges an alarm by every metric of its name, whatever the dimensions say, so that one
dead letter would put the depth alarms of all queues into ALARM. Here its own judgement is kept,
over the one metric that the alarm names.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from ministack.services import cloudwatch

_judge = cloudwatch._evaluate_alarm  # noqa: SLF001 - the engine has no other place to mend this


def match_alarms_by_dimension() -> None:
    """Mend the engine of this process; to be called before it serves."""
    cloudwatch._evaluate_alarm = _evaluate  # noqa: SLF001


def _evaluate(alarm: dict[str, Any]) -> None:
    wanted = {d["Name"]: d["Value"] for d in alarm.get("Dimensions", [])}
    key = cloudwatch._dims_key(wanted)  # noqa: SLF001
    view = {k: points for k, points in cloudwatch._metrics.items() if k[2] == key}  # noqa: SLF001
    # The engine's code, run over a view of its metrics instead of all of them.
    judge = FunctionType(_judge.__code__, {**vars(cloudwatch), "_metrics": view})
    judge(alarm)
