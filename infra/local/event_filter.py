"""Event patterns of a mapping's FilterCriteria: stands in for Lambda's event filtering.

The subset of EventBridge's pattern language that Lambda documents: exact values (also null and
the empty string), `exists`, `prefix`, `suffix`, `anything-but`, `equals-ignore-case`, `numeric`,
and `$or`. The fields of one pattern must all match, the patterns of a mapping are alternatives.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Pattern = Mapping[str, Any]

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def patterns_of(filter_criteria: Mapping[str, Any] | None) -> tuple[Pattern, ...]:
    """Return the parsed patterns of a mapping's FilterCriteria."""
    filters = (filter_criteria or {}).get("Filters") or []
    return tuple(json.loads(entry["Pattern"]) for entry in filters if entry.get("Pattern"))


def passes(event: Mapping[str, Any], patterns: Sequence[Pattern]) -> bool:
    """Say whether an event meets one of the patterns; without patterns every event does."""
    return not patterns or any(_matches(event, pattern) for pattern in patterns)


def _matches(event: Mapping[str, Any], pattern: Pattern) -> bool:
    return all(
        any(_matches(event, option) for option in wanted)
        if name == "$or"
        else _field_matches(event, name, wanted)
        for name, wanted in pattern.items()
    )


def _field_matches(event: Mapping[str, Any], name: str, wanted: Any) -> bool:
    present = name in event
    value = event.get(name)
    if isinstance(wanted, Mapping):
        # A missing branch still meets a pattern that asks for the absence of its leaves.
        return _matches(value if isinstance(value, Mapping) else {}, wanted)
    values = value if isinstance(value, list) else [value]
    return any(_meets(rule, item, present) for rule in wanted for item in values)


def _meets(rule: Any, value: Any, present: bool) -> bool:
    if not isinstance(rule, Mapping):
        return present and _equal(rule, value)
    if len(rule) != 1:
        raise ValueError(f"a rule of an event pattern has one operator: {rule}")
    ((name, operand),) = rule.items()
    if name == "exists":
        # Only leaves exist for a pattern: an object is not a value.
        return (present and not isinstance(value, Mapping)) is bool(operand)
    return present and _operate(name, operand, value)


def _operate(name: str, operand: Any, value: Any) -> bool:
    if name == "prefix":
        return isinstance(value, str) and value.startswith(operand)
    if name == "suffix":
        return isinstance(value, str) and value.endswith(operand)
    if name == "equals-ignore-case":
        return isinstance(value, str) and value.casefold() == operand.casefold()
    if name == "numeric":
        return _numeric(operand, value)
    if name == "anything-but":
        rules = operand if isinstance(operand, list) else [operand]
        return not any(_meets(rule, value, True) for rule in rules)
    raise ValueError(f"event patterns of Lambda have no operator {name!r}")


def _numeric(operand: Sequence[Any], value: Any) -> bool:
    """Compare a JSON number; DynamoDB's own numbers are strings and never match, as on AWS."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(_COMPARISONS[symbol](value, limit) for symbol, limit in pairs)


def _equal(wanted: Any, value: Any) -> bool:
    # In Python True equals 1; in JSON they are different values.
    return isinstance(wanted, bool) == isinstance(value, bool) and bool(wanted == value)
