"""How DynamoDB words what it refuses."""

from __future__ import annotations

from infra.simulation.transport import ServiceError


class RefusedUpdateError(ServiceError):
    """An update that can not be done to the item that is there.

    In a transaction it cancels the transaction; alone it is a ValidationException like others.
    """


def validation(message: str) -> ServiceError:
    """Word a request that DynamoDB does not understand."""
    return ServiceError("ValidationException", message)


def refused_update(message: str) -> RefusedUpdateError:
    """Word an update that does not go with the item."""
    return RefusedUpdateError("ValidationException", message)
