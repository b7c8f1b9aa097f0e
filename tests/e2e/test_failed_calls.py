"""Any single call of the system may fail, in nina or in a library: the result is right, or a sentence and exit status 1; and the
same command completes what was begun. By default every few calls are tried, with `scripts/test --full` each (of memory 400 a command).

By hand, the table of tests/README.md: test_failed_calls.py [--step N] [--only NAME] [--site SITE] goes on after a fault, and prints
how often what ended how."""

import argparse
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failing import COMMANDS, PRELOAD, Trial, make_given, preloaded
from many import needs_mpirun
from program import FAILED, FULL, PROGRAM, nina

TRIED = {"heap": 3}  # of a command's calls at a site, unless all are
TRIED_ELSE = 1
TRIED_OF_RANKS = {"mpi": 2, "heap": 1}  # mpirun takes seconds
TRIED_FULL = {"heap": 400}  # thousands of them are alike; --site heap by hand tries each
SANITIZED = ("embed with two threads", "append", "reuse", "verify", "search of what matches", "eval of vectors")  # all, if by hand
INTERRUPTED = ("read:1+:short", "write:1+:short", "read:1+:EINTR", "write:1+:EINTR")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_given(tmp_path_factory.mktemp("given"))


def numbers(trial: Trial, site: str, step: int = 0) -> Iterator[int]:
    """The calls to fail; each command begins elsewhere, so that together they fail more different ones."""
    tried = TRIED_OF_RANKS.get(site, 0) if trial.command.ranks else TRIED.get(site, TRIED_ELSE)
    if FULL:
        tried = TRIED_FULL.get(site, trial.calls[site])
    if not (step or tried):
        return iter(())
    step = step or max(1, trial.calls[site] // tried)
    first = list(COMMANDS).index(trial.name) * 7 % step
    return iter(range(1 + first, trial.calls[site] + 1, step))


def named(name: str) -> Any:
    """A command, marked."""
    marks = [needs_mpirun] if COMMANDS[name].ranks else [pytest.mark.sanitize] if name in SANITIZED else []
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [*map(named, COMMANDS)])
def test_failed_call_is_a_sentence_or_the_right_result(tmp_path: Path, given: Path, name: str) -> None:
    if "library" in name and "no sentencepiece" in nina("--version").stdout:
        pytest.skip("nina was built without the sentencepiece library")
    trial = Trial(name, given, tmp_path)
    for site in trial.calls:
        for number in numbers(trial, site):
            trial.fail(f"{site}:{number}")


@pytest.mark.parametrize("name", ["embed with two threads", "embed of packed shards", "embed of standard input", "resume", "append", "verify", "search", "eval", "diff"])
@pytest.mark.parametrize("fault", INTERRUPTED)
def test_short_and_interrupted_calls_change_nothing(tmp_path: Path, given: Path, name: str, fault: str) -> None:
    assert Trial(name, given, tmp_path).fail(fault) == "unnoticed"


def test_no_byte_of_standard_input_is_lost_for_want_of_memory(tmp_path: Path, given: Path) -> None:
    """What a failed look at the first lines has taken from a pipe cannot be read again."""
    trial = Trial("embed of standard input", given, tmp_path)
    for number in range(12, 30):  # the look's, and some before and after
        trial.fail(f"heap:{number}")


@pytest.mark.parametrize("name", ["embed", "embed with two threads", "append", "verify", "search"])
def test_calls_that_fail_from_some_point_on_are_a_sentence_or_the_right_result(tmp_path: Path, given: Path, name: str) -> None:
    trial = Trial(name, given, tmp_path)
    for site in trial.calls:
        for number in list(numbers(trial, site))[::4]:
            trial.fail(f"{site}:{number}+")


@pytest.mark.sanitize
def test_slip_in_the_variable_is_no_silence() -> None:
    for value in "heap", "heap:0", "heap:1-", "disk:1", "sync:1:short", "read:1:E":
        done = subprocess.run([PROGRAM, "--version"], env=preloaded() | {"NINA_CALL": value}, capture_output=True)
        assert done.returncode == 97


def test_library_without_memory_for_its_start_is_a_sentence() -> None:
    """Libraries allocate before `main` too: UCX, which Debian 13's Open MPI brings, does."""
    done = subprocess.run([PROGRAM, "--version"], env=preloaded(PRELOAD / "libthrow_at_start.so"), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "a library is out of memory" in done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--site")
    parser.add_argument("--later", action="store_true")
    arguments = parser.parse_args()
    table: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        given = make_given(Path(folder))
        for name in [arguments.only] if arguments.only else COMMANDS:
            scratch = Path(folder) / f"trial of {name}"
            scratch.mkdir()
            trial = Trial(name, given, scratch)
            for site in [arguments.site] if arguments.site else trial.calls:
                for number in numbers(trial, site, arguments.step):
                    try:
                        end = trial.fail(f"{site}:{number}{'+' if arguments.later else ''}")
                    except (AssertionError, subprocess.TimeoutExpired) as error:
                        end = "FAULT"
                        print(f"{error}"[:3000], flush=True)
                    table[site, end] += 1
            print(name, dict(trial.calls), flush=True)
    for (site, end), count in sorted(table.items()):
        print(f"{site:10} {end:10} {count}")


if __name__ == "__main__":
    main()
