"""What was asked for, as one hash: a key that comes with another one was used before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def fingerprint(sent: Mapping[str, Any]) -> str:
    """Hash the fields that were sent; key order and white space do not count.

    The caller passes amounts in their canonical form. Fields that were not sent are not in it,
    so a default that we add one day changes no old fingerprint.
    """
    text = json.dumps(sent, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
