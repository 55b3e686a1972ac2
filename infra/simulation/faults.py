"""What can go wrong at an outside call, and the plans that choose where it does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Fault(StrEnum):
    """One way in which a call fails. A seed, a call's name and this make a fault again."""

    KILLED_BEFORE = "killed-before"
    """The caller's environment dies before the call gets out."""

    KILLED_AFTER = "killed-after"
    """It dies after the call had its effect: nobody reads the answer."""

    LOST = "lost"
    """The call has its effect, and the caller waits for an answer in vain."""

    LOST_TWICE = "lost-twice"
    """So it is again when the SDK repeats the call."""

    REFUSED = "refused"
    """No effect: throttled or unavailable, also when the SDK repeats the call."""

    CONFLICTED = "conflicted"
    """No effect: another transaction had the item at this moment. The SDK does not repeat it."""

    PARTIAL = "partial"
    """Some entries of a batch have their effect, and the answer names the others as failed."""

    DUPLICATED = "duplicated"
    """It arrives twice."""

    LATE = "late"
    """The caller gives up, and the effect comes when a lease has long run out."""

    LATE_TWICE = "late-twice"
    """So it is again when the SDK repeats the call: by then others have done the work."""

    DELAYED = "delayed"
    """The caller gives up, and the effect comes sooner: others may be at work by then, or not."""

    STALLED = "stalled"
    """The caller's environment stands still before the call gets out, and then goes on."""

    STALLED_LONG = "stalled-long"
    """So it does until just before its deadline: its invocation may end without the call."""


class Target(StrEnum):
    """What an outside call goes to."""

    DYNAMODB = "dynamodb"
    SQS = "sqs"
    KMS = "kms"
    SECRETS = "secretsmanager"
    STREAM = "dynamodbstreams"
    GATEWAY = "gateway"
    ENDPOINT = "endpoint"
    API = "api"
    GATEWAY_EVENT = "gateway-event"
    DELETE = "delete"
    CHECKPOINT = "checkpoint"
    RECEIVE = "receive"
    SCHEDULE = "schedule"


OF_AWS = frozenset({Target.DYNAMODB, Target.SQS, Target.KMS, Target.SECRETS, Target.STREAM})
"""What is called through the SDK, which repeats what failed."""
_KILLS = {Fault.KILLED_BEFORE, Fault.KILLED_AFTER}
_OF_AN_ENVIRONMENT = _KILLS | {Fault.STALLED, Fault.STALLED_LONG}
_OF_A_CALL = _OF_AN_ENVIRONMENT | {Fault.LOST, Fault.REFUSED, Fault.LATE, Fault.DELAYED}
_TWICE = {Fault.LOST_TWICE, Fault.LATE_TWICE}
_OF_AN_EDGE = {Fault.LOST, Fault.REFUSED, Fault.DUPLICATED, Fault.LATE, Fault.DELAYED}

_POSSIBLE: Mapping[Target, Collection[Fault]] = {
    Target.DYNAMODB: _OF_A_CALL | _TWICE | {Fault.CONFLICTED},
    Target.SQS: _OF_A_CALL | _TWICE | {Fault.PARTIAL, Fault.DUPLICATED},
    Target.KMS: _OF_A_CALL,
    Target.SECRETS: _OF_A_CALL,
    Target.STREAM: _OF_A_CALL,
    Target.GATEWAY: _OF_A_CALL | {Fault.DUPLICATED},
    Target.ENDPOINT: _OF_A_CALL | {Fault.DUPLICATED},
    Target.API: _OF_AN_EDGE,
    Target.GATEWAY_EVENT: _OF_AN_EDGE,
    # What a mapping does between invocations: the message stays, or the batch comes again.
    Target.DELETE: {Fault.REFUSED},
    Target.CHECKPOINT: {Fault.REFUSED},
    Target.RECEIVE: {Fault.DUPLICATED},
    Target.SCHEDULE: {Fault.REFUSED, Fault.DUPLICATED},
}
_WITHOUT_EFFECT = {Fault.KILLED_BEFORE, Fault.REFUSED}
BATCH = "SendMessageBatch"
"""The one operation of which a part can fail."""


@dataclass(frozen=True, slots=True)
class Call:
    """One outside call. `name` says who makes it and which of its calls it is."""

    name: str
    target: Target
    operation: str
    subject: str
    changes: bool
    has_environment: bool
    can_conflict: bool = False

    @property
    def possible(self) -> list[Fault]:
        """Faults that make a difference here, in their order above.

        A read whose reader dies after it is one that was never made.
        """
        return [
            fault
            for fault in Fault
            if fault in _POSSIBLE[self.target]
            and (self.changes or self._matters_to_a_read(fault))
            and (self.has_environment or fault not in _OF_AN_ENVIRONMENT)
            and (self.can_conflict or fault is not Fault.CONFLICTED)
            and (self.operation == BATCH or fault is not Fault.PARTIAL)
        ]

    def _matters_to_a_read(self, fault: Fault) -> bool:
        # The SDK repeats a read that gets lost, as it does one that is refused. A PSP that can not
        # be reached and one that is silent for seconds are two things.
        is_look_up = self.target is Target.GATEWAY
        return fault in _WITHOUT_EFFECT or (is_look_up and fault is Fault.LOST)


class Plan(Protocol):
    """Chooses the faults of a run."""

    def choose(self, call: Call, elapsed: float) -> Fault | None:
        """Return what goes wrong with a call at a time, if anything."""


class NoFaults:
    """All goes well."""

    def choose(self, call: Call, elapsed: float) -> Fault | None:
        """Nothing goes wrong."""
        del call, elapsed
        return None


@dataclass(frozen=True, slots=True)
class Chosen:
    """These faults at these calls, by name."""

    faults: Mapping[str, Fault]

    def choose(self, call: Call, elapsed: float) -> Fault | None:
        """Return the fault of that call."""
        del elapsed
        return self.faults.get(call.name)


@dataclass(frozen=True, slots=True)
class Random:
    """Each possible fault with its chance, until a time is over; `draw` gives the chances."""

    draw: Callable[..., float]
    chances: Mapping[Fault, float]
    until: float

    def choose(self, call: Call, elapsed: float) -> Fault | None:
        """Draw by the call's name."""
        if elapsed >= self.until:
            return None
        draw, below = self.draw("fault", call.name), 0.0
        for fault in call.possible:
            below += self.chances.get(fault, 0.0)
            if draw < below:
                return fault
        return None
