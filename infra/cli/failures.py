"""Expected failures in words: what AWS, the store or the local stage raised, and what to do."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from infra.cli.errors import OperatorError
from infra.cli.output import print_error
from infra.local.errors import LocalStageError
from infra.synthesis import SynthesisError
from riel.errors import StoreUnavailableError

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_SIGN_IN = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_CHECK = "Check the credentials, AWS_REGION and the network; locally, that the stage runs."


def tell(error: Exception) -> int:
    """Say an expected failure and return the exit code; raise what is a defect of ours again."""
    told = explained(error)
    if told is None:
        raise error
    print_error(told)
    return told.exit_code


def explained(error: Exception) -> OperatorError | None:
    """Return what to tell about an error, or None where nothing was expected."""
    told: OperatorError | None = None
    match error:
        case OperatorError():
            told = error
        case LocalStageError():
            told = OperatorError(error.message, error.hint)
        case SynthesisError():
            told = OperatorError(sentence(str(error)))
        case StoreUnavailableError():
            told = OperatorError(f"AWS does not answer as it should: {error}.", _CHECK)
        case ClientError():
            told = _answered(error)
        case BotoCoreError():
            told = OperatorError(sentence(f"AWS can not be reached: {error}"), _CHECK)
    return told


def sentence(text: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def _answered(error: ClientError) -> OperatorError:
    code = error.response["Error"]["Code"]
    if code in _SIGN_IN:
        return OperatorError(
            f"AWS refuses the credentials ({code}).", "Sign in again, or check AWS_PROFILE."
        )
    if code in _DENIED:
        return OperatorError(
            sentence(f"These credentials may not do that: {error}"), "Use a role that may."
        )
    return OperatorError(sentence(f"AWS answered {error}"))
