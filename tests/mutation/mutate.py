"""Breaks checks of io/ and host/ on purpose, one at a time, and demands that the suite notices.

A mutation stands in one of the .toml files beside this one: a file, its right text, a wrong one, the tests that must fail, and the
harm that a user would come to. The broken copy is compiled outside of the source tree and linked in front of the build's own
libraries, so a mutation costs one file and one link. As a control, the right text is built and tested in the same way, and must pass.

By hand: tests/mutation/mutate.py --all, or --only NAME …; --check only looks whether the texts and the tests are still there.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
UNITS, E2E = ROOT / "tests" / "unit", ROOT / "tests" / "e2e"
EACH_GATE = 6  # mutations of one commit's gate
LONGEST_TEST = 120  # seconds; a test that hangs has not caught anything
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
# cmocka's words for one test. A test that ends its program leaves only the first of them.
BEGUN, FAILED = "[ RUN      ] {}\n", "[  FAILED  ] {}\n"


class Problem(Exception):
    """A sentence for whoever runs this."""


@dataclass(frozen=True)
class Mutation:
    name: str
    file: str  # path in the repository
    right: str
    wrong: str
    harm: str
    test: str  # "unit_io_test_block NAME" or "test_cli.py NAME"
    sanitize: bool = False  # the harm is an access out of bounds, which only a sanitizer is sure to see

    @property
    def program(self) -> str:
        return self.test.split()[0]

    @property
    def test_name(self) -> str:
        return self.test.split()[1]

    @property
    def is_unit(self) -> bool:
        return self.program.startswith("unit_")

    def text(self, broken: bool) -> str:
        text = (ROOT / self.file).read_text()
        return text.replace(self.right, self.wrong) if broken else text


def mutations_read() -> list[Mutation]:
    found = [Mutation(**entry) for path in sorted(HERE.glob("*.toml")) for entry in tomllib.loads(path.read_text())["mutation"]]
    names = [mutation.name for mutation in found]
    assert len(set(names)) == len(names), "two mutations of one name"
    return found


def unit_source(program: str) -> Path | None:
    """tests/unit/io/run/test_record.c is the program unit_io_run_test_record."""
    named = (path for path in UNITS.rglob("test_*.c") if "unit_" + "_".join(path.relative_to(UNITS).with_suffix("").parts) == program)
    return next(named, None)


def check(mutation: Mutation) -> None:
    """Raises a Problem if the mutation no longer fits the sources or the tests."""
    path = ROOT / mutation.file
    count = path.read_text().count(mutation.right) if path.is_file() else 0
    if count != 1 or mutation.right == mutation.wrong:
        raise Problem(
            f"{mutation.name}: {mutation.file} holds the text of this mutation {count} times, expected once: write the text as it "
            f"stands there now, or take the mutation out if its check is gone ({mutation.harm})"
        )
    source = unit_source(mutation.program) if mutation.is_unit else E2E / mutation.program
    if not source or not source.is_file() or not re.search(rf"\b{mutation.test_name}\(", source.read_text()):
        raise Problem(f"{mutation.name}: there is no test {mutation.test}: name the one that holds this promise now")


def chosen_by_commit(everything: list[Mutation]) -> list[Mutation]:
    """The gate's mutations: each commit's are the next ones of the list. Without git, or in a copy that is no repository, the first."""
    git = shutil.which("git")
    asked = subprocess.run([git, "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True) if git else None
    commits = int(asked.stdout) if asked and asked.returncode == 0 else 0
    first = commits * EACH_GATE % len(everything)
    print(f"commit {commits}: {EACH_GATE} of {len(everything)} mutations, from number {first} on")
    return [everything[(first + i) % len(everything)] for i in range(EACH_GATE)]


class Builder:
    """Compiles one file and links it into a program of the build folder."""

    def __init__(self, build: Path, scratch: Path) -> None:
        self.build, self.scratch = build, scratch
        self.compiling = {}
        for entry in json.loads((build / "compile_commands.json").read_text()):
            if re.search(r"/CMakeFiles/nina_\w+\.dir/", entry["command"]):
                self.compiling.setdefault(entry["file"], shlex.split(entry["command"]))

    def run(self, words: list[str]) -> None:
        done = subprocess.run(words, cwd=self.build, capture_output=True, text=True)
        if done.returncode != 0:
            raise Problem(f"{shlex.join(words)}\n{done.stderr[-3000:]}")

    def compile(self, mutation: Mutation, folder: Path, broken: bool) -> Path:
        source, target = folder / Path(mutation.file).name, folder / "copy.o"
        source.write_text(mutation.text(broken))
        words = self.compiling[str(ROOT / mutation.file)]
        replaced = {str(ROOT / mutation.file): str(source), words[words.index("-o") + 1]: str(target), "-O3": "-O1", "-Werror": "-w"}
        self.run([*(replaced.get(word, word) for word in words), *(SANITIZERS if mutation.sanitize else [])])
        return target

    def link(self, mutation: Mutation, folder: Path, copy: Path) -> Path:
        """The copy stands before the libraries, so the linker has no need of the right one in them."""
        made = "nina" if not mutation.is_unit else f"tests/unit/{mutation.program}"
        asked = subprocess.run(["ninja", "-C", str(self.build), "-t", "commands", "-s", made], capture_output=True, text=True)
        words = [word for word in shlex.split(asked.stdout) if word not in (":", "&&")]
        if asked.returncode != 0 or not words:
            raise Problem(f"{made} is not made by {self.build}: {asked.stderr.strip() or 'build it first'}")
        target = folder / Path(made).name
        at = words.index("-o")
        self.run([*words[:at], str(copy), "-o", str(target), *words[at + 2 :], *(SANITIZERS if mutation.sanitize else [])])
        return target

    def program(self, mutation: Mutation, broken: bool) -> Path:
        folder = self.scratch / mutation.name / ("broken" if broken else "right")
        folder.mkdir(parents=True)
        return self.link(mutation, folder, self.compile(mutation, folder, broken))


def test_fails(mutation: Mutation, program: Path) -> bool:
    """Runs the mutation's test with a program."""
    environment = os.environ | {"NINA": str(program), "UBSAN_OPTIONS": "halt_on_error=1"}
    environment.pop("NINA_FULL_TESTS", None)
    if mutation.is_unit:
        words = [str(program)]
    else:
        test = f"{E2E / mutation.program}::{mutation.test_name}"
        words = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    try:
        done = subprocess.run(
            words, cwd=program.parent, env=environment, capture_output=True, text=True, errors="replace", timeout=LONGEST_TEST
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"{mutation.name}: {mutation.test} did not end in {LONGEST_TEST} s") from None
    output = done.stdout + done.stderr
    if not mutation.is_unit:
        if done.returncode not in (0, 1):
            raise Problem(f"{mutation.name}: pytest says {output[-3000:]}")
        return done.returncode == 1
    if BEGUN.format(mutation.test_name) not in output:
        raise Problem(f"{mutation.name}: {mutation.test} was not run:\n{output[-3000:]}")
    ended_inside = output.rindex("[ RUN ") == output.rindex(BEGUN.format(mutation.test_name)) and done.returncode not in range(0, 100)
    crashed = "ERROR: AddressSanitizer" in output or "runtime error:" in output
    return FAILED.format(mutation.test_name) in output or ended_inside or (done.returncode != 0 and crashed)


def judge(builder: Builder, mutation: Mutation) -> tuple[Mutation, str | None, float]:
    """Returns the mutation, what is wrong (None: it was caught), and the seconds that it took."""
    start, wrong = time.monotonic(), None
    try:
        if test_fails(mutation, builder.program(mutation, broken=False)):
            wrong = f"{mutation.test} fails with the right text too"
        elif not test_fails(mutation, builder.program(mutation, broken=True)):
            wrong = f"SURVIVES: {mutation.test} does not notice; {mutation.harm}"
    except Problem as problem:
        wrong = str(problem)
    return mutation, wrong, time.monotonic() - start


def mutations_try(build: Path, chosen: list[Mutation], jobs: int) -> int:
    """Returns how many were not caught."""
    missed = 0
    with tempfile.TemporaryDirectory(prefix="nina-mutation-") as scratch, ThreadPoolExecutor(jobs) as pool:
        builder = Builder(build, Path(scratch))
        for mutation, wrong, seconds in pool.map(lambda one: judge(builder, one), chosen):
            print(f"{'missed' if wrong else 'caught'} {seconds:5.1f} s  {mutation.name}: {wrong or mutation.test}", flush=True)
            missed += wrong is not None
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="folder of a build without sanitizers (default: build)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--check", action="store_true", help="build nothing")
    parser.add_argument("--all", action="store_true", help="every mutation, as with NINA_FULL_TESTS=1; default: this commit's")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="these mutations")
    arguments = parser.parse_args()
    everything, problems = mutations_read(), []
    for mutation in everything:
        try:
            check(mutation)
        except Problem as problem:
            problems.append(str(problem))
    if problems or arguments.check:
        print(*problems, f"{len(everything)} mutations looked at", sep="\n")
        return 1 if problems else 0
    full = arguments.all or os.environ.get("NINA_FULL_TESTS", "") not in ("", "0")
    only = [mutation for mutation in everything if mutation.name in arguments.only]
    chosen = only if arguments.only else everything if full else chosen_by_commit(everything)
    missed = mutations_try(arguments.build.resolve(), chosen, arguments.jobs)
    print(f"{len(chosen) - missed} of {len(chosen)} mutations caught")
    return 1 if missed or len(only) != len(arguments.only) else 0


if __name__ == "__main__":
    sys.exit(main())
