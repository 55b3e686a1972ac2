"""Reads the engine's own pages, for what no AWS API tells: is it up, when was a message sent."""

from __future__ import annotations

import json
import urllib.request
from typing import Any, Final

_TIMEOUT_SECONDS: Final = 5


def read_json(url: str) -> Any:
    """Return the JSON of one of the engine's pages; raises OSError when it does not answer."""
    # The address is the engine's own on loopback, and no proxy of the user's may come between.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_TIMEOUT_SECONDS) as answer:
        return json.load(answer)
