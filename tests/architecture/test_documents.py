"""What the documents name is there: tests, files, and figures that a test counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_every_guarantee_names_tests_that_exist() -> None:
    """A name may end in `…`, for several tests that begin alike."""
    tests = "".join(source.read_text() for source in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)(…?)`", README.read_text())
    assert named
    for name, more in named:
        ending = r"\w+" if more else ""
        assert re.search(rf"^ *def {name}{ending}\(", tests, re.M), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_links_to_or_names_as_a_test_exists(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    files = re.findall(r"`(tests/[\w/]+\.py)`", text)
    missing = [link for link in links if not (document.parent / link).exists()]
    missing += [name for name in files if not (ROOT / name).exists()]
    assert missing == []


def test_the_number_of_hostile_addresses_is_the_one_that_is_tested() -> None:
    tested = (ROOT / "tests/unit/webhooks/test_egress_corpus.py").read_text()
    (size,) = re.findall(r"^SIZE = ([\d_]+)$", tested, re.M)
    (told,) = re.findall(r"([\d,]+) spellings", README.read_text())
    assert told == f"{int(size):,}"
