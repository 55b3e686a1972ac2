"""The documentation page in a real browser that can reach this machine and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from functions.api.reference import docs_page
from tests.end_to_end.client import Merchant

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine's PATH")


def open_page(url: str, folder: Path) -> tuple[str, list[str]]:
    """The page's DOM after it was rendered, and what the browser's console said."""
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--enable-logging=stderr",
        f"--user-data-dir={folder}",
        "--dump-dom",
        url,
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=150)
    return answer.stdout, [line for line in answer.stderr.splitlines() if "CONSOLE" in line]


@contextmanager
def serving(page: str, policy: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/docs"
        server.shutdown()


@needs_chromium
def test_the_page_that_is_served_renders_without_a_network_and_without_a_complaint(
    merchant: Merchant, tmp_path: Path
) -> None:
    url = httpx.URL(str(merchant.http.base_url)).copy_with(host="127.0.0.1", path="/docs")
    served = merchant.http.get("/docs")

    dom, console = open_page(str(url), tmp_path)

    assert served.headers["content-security-policy"] == docs_page()[1]
    assert console == []
    for heading in ("Riel API", "Idempotency", "Rate limits", "Errors", "Create a payment"):
        assert f">{heading}<" in dom, heading
    assert 'id="idempotency_key_missing"' in dom


@needs_chromium
def test_the_browser_would_complain_of_a_style_that_the_policy_does_not_allow(
    tmp_path: Path,
) -> None:
    """What the other test relies on: a violation is seen."""
    page, policy = docs_page()

    with serving(page.replace("<style>", "<style>/* changed */"), policy) as url:
        _, console = open_page(url, tmp_path)

    assert any("Content Security Policy" in line for line in console), console
