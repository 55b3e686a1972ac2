"""The HTTP client for the simulated PSP, wherever a stage runs it."""

from __future__ import annotations

from typing import Any

import httpx

from riel.gateways.aws_auth import SigV4Auth

CONNECT_SECONDS = 2.0
MAX_CONNECTIONS = 50


def new_client(url: str, timeout_seconds: float, session: Any = None) -> httpx.Client:
    """Build a client; with a boto3 `session` it signs its requests by that one's role."""
    return httpx.Client(
        base_url=url.rstrip("/"),
        timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
        auth=_signing(session) if session else None,
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
        trust_env=False,
    )


def _signing(session: Any) -> httpx.Auth:
    return SigV4Auth(session.get_credentials(), session.region_name)
