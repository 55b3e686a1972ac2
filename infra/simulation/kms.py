"""A model of KMS. It seals as JSON: what matters is that a text opens in its own context alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any

from infra.simulation.transport import ServiceError


def answer(operation: str, request: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Answer a request as it is on the wire; `keys` are the aliases that exist."""
    context = request.get("EncryptionContext", {})
    if request["KeyId"] not in keys:
        raise ServiceError("NotFoundException", f"no key {request['KeyId']}")
    if operation == "Encrypt":
        sealed = json.dumps([context, request["Plaintext"]]).encode()
        return {"CiphertextBlob": base64.b64encode(sealed).decode(), "KeyId": request["KeyId"]}
    if operation != "Decrypt":
        raise NotImplementedError(f"the model of KMS has no {operation}")
    try:
        sealed_context, text = json.loads(base64.b64decode(request["CiphertextBlob"]))
    except ValueError:
        raise ServiceError("InvalidCiphertextException", "nobody sealed this") from None
    if sealed_context != context:
        raise ServiceError("InvalidCiphertextException", "sealed in another context")
    return {"Plaintext": text, "KeyId": request["KeyId"]}
