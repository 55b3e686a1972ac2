"""The page of failure cases and the tests say the same, in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/failure-cases.md"
CASES = sorted([*(f"FC-{number:02}" for number in range(1, 75)), "FC-16b"])
REASONS = ("Not built yet: ", "Not tested here: ")

Test = tuple[str, str]
"""A file's path from the root, and a name in it."""


def rows() -> Iterator[tuple[str, str]]:
    """The case and the last cell of each row."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith("FC-"):
            assert len(cells) == 4, cells[0]
            yield cells[0], cells[3]


def named(cell: str) -> set[Test]:
    """The tests of a cell: each file's link goes before the names that are in it."""
    found = re.findall(r"\]\(\.\./([^)]+)\)|`(test_\w+)`", cell)
    tests: set[Test] = set()
    path = ""
    for link, name in found:
        path = link or path
        if name:
            tests.add((path, name))
    return tests


def written() -> set[Test]:
    """Every test of the project."""
    return {
        (source.relative_to(ROOT).as_posix(), name)
        for source in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)\(", source.read_text(), re.M)
    }


def cases_of(name: str) -> list[str]:
    """The cases that a test's name carries."""
    carried = re.match(r"test_fc_(\d\d[a-z]?(?:_and_\d\d[a-z]?)*)(?=_)", name)
    return [f"FC-{case}" for case in carried[1].split("_and_")] if carried else []


TABLE = list(rows())
TESTS = written()


def test_every_case_stands_once_in_the_table() -> None:
    assert sorted(case for case, _ in TABLE) == CASES


@pytest.mark.parametrize(("case", "cell"), TABLE, ids=[case for case, _ in TABLE])
def test_every_case_names_tests_that_exist_or_a_reason(case: str, cell: str) -> None:
    assert named(cell) - TESTS == set()
    assert named(cell) or cell.startswith(REASONS), case


def test_every_test_that_carries_a_case_is_named_in_its_row() -> None:
    told = {(case, test) for case, cell in TABLE for test in named(cell)}
    carried = {(case, test) for test in TESTS for case in cases_of(test[1])}

    assert carried
    assert carried - told == set()


def test_no_name_begins_like_a_case_and_is_none() -> None:
    odd = {test for test in TESTS if test[1].startswith("test_fc_") and not cases_of(test[1])}

    assert odd == set()


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("test_fc_36_a_worker", ["FC-36"]),
        ("test_fc_16b_a_refund", ["FC-16b"]),
        ("test_fc_61_and_62_a_relay", ["FC-61", "FC-62"]),
        ("test_fc_71_410_stops", ["FC-71"]),
        ("test_fc_7_x", []),
        ("test_a_fc_36_b", []),
    ],
)
def test_a_name_carries_one_case_or_several(name: str, cases: list[str]) -> None:
    assert cases_of(name) == cases
