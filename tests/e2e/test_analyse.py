"""scripts/analyse with stand-ins for its tools: what it reports, and that a tool which fails is no tool that finds nothing."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from program import ROOT

GCC_SAYS = 'echo "$PWD/io/file.c:3:9: warning: dereference of NULL \'p\' [CWE-476] [-Wanalyzer-null-dereference]"'
TIDY_SAYS = 'echo "io/file.c:3:9: warning: dereference of null pointer [clang-analyzer-core]"'
CPPCHECK_SAYS = 'echo "io/file.c:3: warning: Null pointer dereference [nullPointer]"'
CRASHES = "kill -SEGV $$"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose path has a blank, with one source and the build that compiles it."""
    checkout = tmp_path / "my nina"
    for folder in ("bin", "scripts", "build"):
        (checkout / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "analyse", checkout / "scripts")
    entry = {"directory": str(checkout), "file": str(checkout / "io" / "file.c"), "command": "gcc -o file.o -c io/file.c"}
    (checkout / "build" / "compile_commands.json").write_text(json.dumps([entry]))
    return checkout


def analyse(checkout: Path, **tools: str) -> subprocess.CompletedProcess[str]:
    """The tools do nothing, with success, but for those that are given."""
    for name in ("gcc", "cppcheck", "clang-tidy"):
        path = checkout / "bin" / name
        path.write_text(f"#!/bin/bash\n{tools.get(name.replace('-', '_'), '')}\n")
        path.chmod(0o755)
    variables = os.environ | {"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run([checkout / "scripts" / "analyse"], env=variables, capture_output=True, text=True)


def test_nothing_is_found_if_all_tools_say_so(checkout: Path) -> None:
    done = analyse(checkout, clang_tidy='echo "3 warnings generated." >&2')
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.count(": 1 files, nothing found\n") == 3


@pytest.mark.parametrize("tool, does, said", [
    ("gcc", GCC_SAYS, "[-Wanalyzer-null-dereference]"),
    ("gcc", CRASHES, "gcc failed with signal 11"),
    ("cppcheck", CPPCHECK_SAYS, "[nullPointer]"),
    ("cppcheck", CRASHES, "cppcheck failed with signal 11"),
    ("clang_tidy", TIDY_SAYS, "[clang-analyzer-core]"),
    ("clang_tidy", CRASHES, "clang-tidy failed with signal 11"),
    ("clang_tidy", "echo no such option >&2; exit 1", "no such option\nclang-tidy failed with status 1"),
])  # fmt: skip
def test_finding_or_failing_tool_is_reported(checkout: Path, tool: str, does: str, said: str) -> None:
    done = analyse(checkout, **{tool: does})
    assert done.returncode == 1 and "these findings:\n" in done.stdout and said in done.stdout


def test_build_of_another_checkout_is_refused(checkout: Path) -> None:
    commands = checkout / "build" / "compile_commands.json"
    commands.write_text(commands.read_text().replace("my nina/io", "other/io"))
    done = analyse(checkout)
    assert done.returncode == 1 and "compiles none of the files" in done.stderr
