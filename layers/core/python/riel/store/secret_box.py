"""Texts that are kept sealed under one KMS key, each bound to the merchant whose it is.

The merchant's id is the encryption context: it is no secret, but a text opens for no other one. So
what was copied into another merchant's item can not be read there.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from riel.errors import StoreUnavailableError


class SecretBox:
    """KMS, with one key. `key` is its alias, id or ARN."""

    def __init__(self, kms: Any, key: str) -> None:
        self._kms = kms
        self._key = key

    def seal(self, text: str, merchant_id: str) -> str:
        """Seal a text for a merchant, as base 64; raises StoreUnavailableError."""
        sealed: bytes = self._call(
            self._kms.encrypt, merchant_id, "CiphertextBlob", Plaintext=text.encode()
        )
        return base64.b64encode(sealed).decode()

    def open(self, sealed: str, merchant_id: str) -> str:
        """Open what was sealed for this merchant.

        Raises StoreUnavailableError whatever fails, even a missing permission or a text that is not
        this merchant's: somebody can mend that, and what waits for it is not lost.
        """
        try:
            ciphertext = base64.b64decode(sealed, validate=True)
        except binascii.Error:
            raise StoreUnavailableError(f"a secret of {merchant_id} is not sealed") from None
        opened: bytes = self._call(
            self._kms.decrypt, merchant_id, "Plaintext", CiphertextBlob=ciphertext
        )
        return opened.decode()

    def _call(
        self, operation: Callable[..., Any], merchant_id: str, wanted: str, **parameters: bytes
    ) -> Any:
        try:
            answer = operation(
                KeyId=self._key, EncryptionContext={"merchant": merchant_id}, **parameters
            )
        except ClientError as error:
            why = error.response["Error"]["Code"]
            raise StoreUnavailableError(f"KMS refuses a secret of {merchant_id}: {why}") from error
        except BotoCoreError as error:
            why = type(error).__name__
            raise StoreUnavailableError(f"no KMS for a secret of {merchant_id}: {why}") from error
        return answer[wanted]
