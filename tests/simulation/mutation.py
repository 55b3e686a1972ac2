"""Runs the simulator against mutants of the product: `python -m tests.simulation.mutation NAME …`.

Each mutant has a process of its own that has imported nothing of the product yet, and the mistake
is put in by an import hook: no file is changed, and nothing of the simulator is. In the end the
same runs are made with the product as it is, which has to pass them all.

A line of JSON says of each search whether it caught the mutant, by which invariant, and after how
many runs; the exit code is 1 when a mutant was not caught. `--quick` searches only where the mutant
says that it is found; otherwise the mixed workload is searched too, and all from the beginning.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType
from typing import TypeVar

from botocore.config import Config

from infra.simulation.transport import new_client
from tests.simulation import mutation_table
from tests.simulation.mutants import MUTANTS, named
from tests.simulation.mutants.mutant import Mutant
from tests.simulation.verdicts import Verdict

T = TypeVar("T")
_PRODUCT = ("riel", "functions")
_SLOW_TO_IMPORT = (
    "aws_lambda_powertools.event_handler.api_gateway",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.idempotency",
    "boto3",
    "botocore.retries.standard",
    "certifi",
    "greenlet",
    "h11",
    "httpx",
    "pydantic",
    "time_machine",
)
"""What is not ours: imported once, before there is a process for each mutant."""


class MutantLoader(SourceFileLoader):
    """Loads a module with a mistake in it; what is compiled already does not count."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.module, str(mutant.path))
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source with the mistake."""
        code: CodeType = self.source_to_code(self._mutant.source().encode(), self.path)
        return code


class MutantFinder(MetaPathFinder):
    """Finds one module, before all others do."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the mutant's module; everything else is found as ever."""
        del path, target
        if fullname != self._mutant.module:
            return None
        return spec_from_file_location(
            fullname, self._mutant.path, loader=MutantLoader(self._mutant)
        )


def put_in(mutant: Mutant) -> None:
    """Let this process import the mutant; raises RuntimeError when it has the product already."""
    present = [name for name in sys.modules if name.partition(".")[0] in _PRODUCT]
    if present:
        raise RuntimeError(f"{present[0]} is imported already")
    sys.meta_path.insert(0, MutantFinder(mutant))


def hunted(mutant: Mutant, *, is_quick: bool) -> list[Verdict]:
    """Search for a mutant in a process of its own."""

    def work() -> list[Verdict]:
        put_in(mutant)
        found: list[Verdict] = _hunting().hunt(mutant.name, is_quick=is_quick)
        return found

    return _apart(work)


def passing(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Take back what the product itself fails as well: nothing is caught by that."""

    def work() -> list[bool]:
        hunting = _hunting()
        return [verdict.is_caught and hunting.fails(verdict) for verdict in verdicts]

    return [
        replace(verdict, is_caught=False, text="so it is without the mutant") if fails else verdict
        for verdict, fails in zip(verdicts, _apart(work), strict=True)
    ]


def _hunting() -> ModuleType:
    # Only here, because it imports the product.
    return importlib.import_module("tests.simulation.hunting")


def _apart(work: Callable[[], T]) -> T:
    """Do something in a copy of this process; raises RuntimeError when that fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(work(), pipe)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - told, and then this copy of the process ends
            traceback.print_exc()
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError("a mutant's process has failed")
    done: T = pickle.loads(answer)
    return done


def _prepare() -> None:
    """Do once what each process would do for itself: nothing of it is the product's."""
    for name in _SLOW_TO_IMPORT:
        importlib.import_module(name)
    for service in ("dynamodb", "dynamodbstreams", "kms", "secretsmanager", "sqs"):
        new_client(service, Config(), _no_answer)


def _no_answer(*_: object) -> dict[str, object]:
    raise AssertionError("nobody asks")


def main() -> int:
    """Hunt the mutants that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutation")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all mutants")
    parser.add_argument("--quick", action="store_true", help="search where each is found")
    parser.add_argument("--write", action="store_true", help="renew the table of the documents")
    options = parser.parse_args()
    _prepare()
    mutants = [named(name) for name in options.names] or list(MUTANTS)
    found = [verdict for mutant in mutants for verdict in hunted(mutant, is_quick=options.quick)]
    verdicts = passing(found)
    for verdict in verdicts:
        sys.stdout.write(json.dumps(asdict(verdict)) + "\n")
    if options.write:
        mutation_table.renew([asdict(verdict) for verdict in verdicts])
    caught = {verdict.mutant for verdict in verdicts if verdict.is_caught}
    return 0 if caught == {mutant.name for mutant in mutants} else 1


if __name__ == "__main__":
    sys.exit(main())
