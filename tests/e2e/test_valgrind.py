"""The release build under valgrind: memcheck sees reads of bytes that were never written, also inside libraries, and helgrind
locks that are taken in two orders, which no sanitizer of the suite looks for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from output import Output
from program import DONE, FULL, GOLDEN, LONGEST_RUN, PROGRAM, Result, checked, environment, nina

MODEL = GOLDEN / "bert-uncased"
SUPPRESSIONS = Path(__file__).with_name("valgrind.supp")
ROWS = 24
ERROR = 99  # nina never has this exit status
TOOLS = {
    "memcheck": ["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"],
    "helgrind": [f"--suppressions={SUPPRESSIONS}"],
}

pytestmark = pytest.mark.skipif(not (FULL and shutil.which("valgrind")), reason="needs valgrind, and NINA_FULL_TESTS=1")


def watched(tool: str, *arguments: str | Path) -> Result:
    """Runs nina under a tool; what the tool finds fails the test."""
    command = ["valgrind", f"--tool={tool}", "--quiet", f"--error-exitcode={ERROR}", *TOOLS[tool], str(PROGRAM)]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, env=environment(), timeout=5 * LONGEST_RUN, check=False)
    result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "==" not in result.stderr, result.stderr  # a line of valgrind's begins with ==PID==
    return checked(result, DONE)


@pytest.mark.parametrize("tool", TOOLS)
def test_nothing_is_found_in_a_golden_run(tmp_path: Path, tool: str) -> None:
    texts, out = tmp_path / "texts.jsonl", tmp_path / "out"
    texts.write_text("".join((MODEL / "texts.jsonl").read_text().splitlines(keepends=True)[:ROWS]))
    computing = ["--model", MODEL, "--device", "cpu", "--precision", "fp32", "--threads", "2"]
    watched(tool, "embed", *computing, "--widths", "64,16", "--store-text", "--block-lines", "8", "--out", out, texts)
    assert len(Output(out).ids()) == ROWS
    nina("verify", out)
    watched(tool, "search", *computing, "--vectors", out, "habitatge")
