"""The READMEs are right as they stand: their Python runs, and their commands' options and the files that they name
exist."""

import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from program import LONGEST_RUN, PROGRAM, ROOT, embed, environment
from shards import make_archive

GUIDES = sorted(path for path in ROOT.rglob("*.md") if not path.relative_to(ROOT).parts[0].startswith((".", "build")))
# Indented blocks, without the indent; blocks inside a list count too. (Those between fences: test_python_recipes.py.)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    textwrap.dedent(block)
    for path in GUIDES
    for block in re.findall(r"(?:^ {4,}\S.*\n)+", FENCED.sub("", path.read_text()), re.MULTILINE)
]
COMMANDS = sorted(
    {
        line.removeprefix("$ ")
        for block in BLOCKS
        for line in block.replace("\\\n", " ").splitlines()
        if re.match(r"(\$ )?(mpirun .*)?build/nina ", line)
    }
)
LINKS = [
    (path, link)
    for path in GUIDES
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
]
# Made by the demo or by earlier commands, or the reader's own, or a model on the Hub.
YOURS = ("models/", "out/", "sets/", "archive/", "sentence-transformers/")


def test_python_finds_the_nearest_documents_and_derives_widths(tmp_path: Path) -> None:
    """Uses the tiny model's widths instead of the demo's."""
    embed(tmp_path / "out" / "archive", *make_archive(tmp_path / "in", (30, 30)), widths="128,64", block_lines=20)
    script = "".join(block for block in BLOCKS if "np." in block).replace("w384", "w128")
    script += "assert rows.shape == (60, 128) and narrow.shape == (60, 64) and len(best) == 10 and best[0] == 0\n"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=LONGEST_RUN)


@pytest.mark.parametrize("command", COMMANDS)
def test_options_of_a_command_are_there_and_so_are_its_files(command: str) -> None:
    words = shlex.split(command[command.index("build/nina ") :], comments=True)[1:]
    help_of = subprocess.run([PROGRAM, *words, "--help"], cwd=ROOT, capture_output=True, env=environment())
    assert help_of.returncode == 0 and help_of.stdout.startswith(b"Usage: nina " + words[0].encode())
    for word in words:
        assert "/" not in word or word.startswith(YOURS) or (ROOT / word).exists(), word


def test_commands_are_found() -> None:
    assert {command.split()[command.split().index("build/nina") + 1] for command in COMMANDS} >= {
        "embed",
        "eval",
        "info",
        "search",
        "verify",
    }


@pytest.mark.parametrize(("guide", "link"), LINKS, ids=lambda value: str(value))
def test_linked_files_are_there(guide: Path, link: str) -> None:
    assert (guide.parent / link).exists()


def test_front_page_is_short_and_narrow() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 170 and max(map(len, lines)) <= 120
