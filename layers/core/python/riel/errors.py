"""Every error of Riel. The branch says what the caller should decide.

    RielError
    ├── RejectedError            the caller's doing: change the request
    │   ├── InvalidRequestError      one problem for each field
    │   ├── MalformedRequestError    a header or a body that can not be read
    │   ├── PayloadTooLargeError
    │   ├── UnsupportedMediaTypeError
    │   ├── UnauthorizedError
    │   ├── SignatureInvalidError        a PSP's event that is not the PSP's
    │   ├── TimestampOutOfToleranceError one that was signed too long ago, or in the future
    │   ├── NotFoundError
    │   ├── MethodNotAllowedError
    │   ├── IdempotencyKeyReusedError
    │   └── ForbiddenDestinationError  a webhook address that may not be called
    ├── ConflictError            somebody else was first: load again, then decide
    │   ├── LeaseLostError
    │   ├── DuplicateReferenceError
    │   ├── InvalidStateError
    │   ├── RefundExceedsAvailableError
    │   ├── EventExpiredError
    │   └── IdempotencyKeyInUseError
    ├── UnavailableError         nothing happened: the same call may succeed later
    │   ├── StoreUnavailableError
    │   ├── MethodUnavailableError
    │   ├── RateLimitedError
    │   ├── GatewayBusyError
    │   └── GatewayUnavailableError  the PSP provably did not charge
    ├── OutcomeUnknownError      something may have happened: look up, then decide
    └── BrokenError              a defect or an answer that nobody understands: alarm
        ├── UnmappedAnswerError
        ├── MalformedMessageError
        └── ConfigurationError

`code` is stable and goes to callers; `retryable` says whether the same call may help later.
"""

from __future__ import annotations

from dataclasses import dataclass


class RielError(Exception):
    """The root. `status` is the HTTP status that the API answers with."""

    code = "error"
    retryable = False
    status = 500


class RejectedError(RielError):
    """The caller's doing."""

    code = "rejected"
    status = 400


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field of a request. `field` is a dotted path."""

    field: str
    code: str
    message: str


class InvalidRequestError(RejectedError):
    """A readable request whose fields break a rule; `problems` has one entry per field."""

    code = "validation_failed"
    status = 422

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        told = [f"{p.field}: {p.message}" for p in problems[:5]]
        more = [f"and {len(problems) - 5} more"] if len(problems) > 5 else []
        super().__init__("; ".join(told + more))
        self.problems = problems


class MalformedRequestError(RejectedError):
    """A bad header or query parameter, or a body that can not be parsed.

    `problems` is for several at once; one is told by `field` alone.
    """

    code = "malformed_request"

    def __init__(
        self,
        message: str,
        code: str = "malformed_request",
        field: str = "",
        problems: tuple[FieldProblem, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.problems = problems or ((FieldProblem(field, code, message),) if field else ())


class PayloadTooLargeError(RejectedError):
    """The body is over the limit."""

    code = "payload_too_large"
    status = 413


class UnsupportedMediaTypeError(RejectedError):
    """The body is not announced as JSON."""

    code = "unsupported_media_type"
    status = 415


class UnauthorizedError(RejectedError):
    """No API key, or one that is unknown or revoked."""

    code = "unauthorized"
    status = 401


class SignatureInvalidError(RejectedError):
    """An event without the PSP's signature over exactly these bytes."""

    code = "signature_invalid"
    status = 401


class TimestampOutOfToleranceError(RejectedError):
    """An event with a valid signature whose time is too far from ours, either way."""

    code = "timestamp_out_of_tolerance"
    status = 401


class NotFoundError(RejectedError):
    """An unknown object, or one of another merchant: the two are not told apart."""

    code = "not_found"
    status = 404


class MethodNotAllowedError(RejectedError):
    """A known path with a verb that it does not have."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, allow: str) -> None:
        super().__init__(f"this path has {allow} only")
        self.allow = allow


class IdempotencyKeyReusedError(RejectedError):
    """The key already belongs to a request with another body."""

    code = "idempotency_key_reused"
    status = 422


class ForbiddenDestinationError(RejectedError):
    """A webhook address that Riel refuses to call."""

    code = "webhook_url_forbidden"
    status = 422


class ConflictError(RielError):
    """Somebody else changed the thing first."""

    code = "conflict"
    retryable = True
    status = 409


class LeaseLostError(ConflictError):
    """Another worker holds the payment now, so this one's result is not written."""

    code = "lease_lost"


class DuplicateReferenceError(ConflictError):
    """Another payment of this merchant and mode has the reference, and is not given up."""

    code = "duplicate_reference"

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"the payment {payment_id} has this reference already")
        self.problems = (FieldProblem("reference", self.code, f"taken by {payment_id}"),)


class InvalidStateError(ConflictError):
    """The payment stands where this can not be done (any more)."""

    code = "invalid_state"


class RefundExceedsAvailableError(ConflictError):
    """More than what was received, less what refunds have taken already, pending ones included."""

    code = "refund_exceeds_available"


class EventExpiredError(ConflictError):
    """The event is so old that what was sent for it is no longer kept."""

    code = "event_expired"


class IdempotencyKeyInUseError(ConflictError):
    """The first request with this key still runs."""

    code = "idempotency_key_in_use"
    retry_after_seconds = 1


class UnavailableError(RielError):
    """Nothing happened; after `retry_after_seconds` it may."""

    code = "unavailable"
    retryable = True
    status = 503
    retry_after_seconds = 1


class StoreUnavailableError(UnavailableError):
    """The database throttles, conflicts repeatedly or does not answer."""

    code = "store_unavailable"


class MethodUnavailableError(UnavailableError):
    """No gateway is configured, or switched on, for the payment's method."""

    code = "method_unavailable"
    retry_after_seconds = 300


class RateLimitedError(UnavailableError):
    """The merchant is over its limit of requests."""

    code = "rate_limited"
    status = 429

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            f"over this merchant's limit of requests; try again in {retry_after_seconds} s"
        )
        self.retry_after_seconds = retry_after_seconds


class GatewayBusyError(UnavailableError):
    """So many payments wait for this gateway that a new one would wait too long."""

    code = "gateway_busy"

    def __init__(self, gateway: str, retry_after_seconds: int) -> None:
        super().__init__(
            f"too many payments wait for {gateway}; try again in {retry_after_seconds} s"
        )
        self.retry_after_seconds = retry_after_seconds


class GatewayUnavailableError(UnavailableError):
    """The PSP refused before it did anything: no charge was made."""

    code = "gateway_unavailable"


class OutcomeUnknownError(RielError):
    """The request left and no answer came: a charge may or may not exist."""

    code = "outcome_unknown"


class BrokenError(RielError):
    """A defect of ours, or an answer that the code does not know."""

    code = "broken"


class UnmappedAnswerError(BrokenError):
    """The PSP answered something that no adapter understands."""

    code = "psp_unmapped_status"


class MalformedMessageError(BrokenError):
    """A queue message or stream record that does not have the agreed form."""

    code = "malformed_message"


class ConfigurationError(BrokenError):
    """A setting is missing or can not be read."""

    code = "configuration"
