"""Files that nina writes for its installation: man pages and shell completion scripts."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from program import PROGRAM, USAGE, nina

COMMANDS = ["embed", "search", "eval", "info", "verify", "diff", "cat", "tokenize", "check-fs"]
SHELLS = ["bash", "zsh", "fish"]


def options_of(command: str) -> list[str]:
    """In the order in which the command's help lists them."""
    return re.findall(r"^  --([a-z-]+)", nina(command, "--help").stdout, re.MULTILINE)


def without_escapes(text: str) -> str:
    return text.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "").replace("\\fI", "").replace("\\e", "\\")


@pytest.mark.parametrize("command", COMMANDS)
def test_man_page_has_all_that_the_help_has(command: str) -> None:
    page = without_escapes(nina("--generate", "man", command).stdout)
    assert page.startswith(f'.TH NINA-{command.upper()} 1 "" "nina ')
    assert re.findall(r"^--([a-z-]+)", page, re.MULTILINE) == options_of(command)
    written = " ".join(word for line in page.splitlines() for word in line.removeprefix("\\&").split())
    helped = nina(command, "--help").stdout.removeprefix("Usage: ").replace("Exit status: ", "")
    # The help's headings end with a colon; roff's begin with a macro.
    words = [word for line in helped.splitlines() for word in re.sub(r"^(\S.*):$", r"\1", line).split()]
    missing = [word for word in words if word not in written]
    assert not missing


def test_main_man_page_names_each_command_and_the_configuration_file() -> None:
    page = without_escapes(nina("--generate", "man").stdout)
    assert re.findall(r"^\.BR nina-([a-z-]+) \(1\)", page, re.MULTILINE) == COMMANDS
    for phrase in (".SH CONFIGURATION FILES", 'prompt = "passage: "', '\\" \\\\ \\n \\t and \\r stand for', "3 done"):
        assert phrase in page


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_man_page_is_sound_roff(command: str, tmp_path: Path) -> None:
    page = tmp_path / "page.1"
    page.write_text(nina("--generate", "man", *command.split()).stdout)
    found = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True).stdout
    # A date would make the page differ from build to build.
    assert [line for line in found.splitlines() if "missing date" not in line] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_script_knows_each_option(shell: str) -> None:
    script = nina("--generate", f"complete-{shell}").stdout
    for command in COMMANDS:
        for option in options_of(command):
            form = f"from {command}' -l {option} " if shell == "fish" else f"--{option}"
            assert form in script, (command, option)
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=script, text=True, check=True)


def complete(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last word, in `folder`."""
    array = " ".join(f"'{word}'" for word in ("nina", *words))
    script = nina("--generate", "complete-bash").stdout
    command = f'{script}\nCOMP_WORDS=({array}); COMP_CWORD={len(words)}; _nina; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "--norc", "-c", command], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return sorted(done.stdout.split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "run.ini").touch()
    return tmp_path


def test_bash_completes_commands_and_options(folder: Path) -> None:
    assert complete(folder, "") == sorted([*COMMANDS, "--help", "--version"])
    assert complete(folder, "e") == ["embed", "eval"]
    for command in COMMANDS:
        assert complete(folder, command, "-") == sorted(f"--{option}" for option in ["help", *options_of(command)])
    assert complete(folder, "embed", "--quiet", "--st") == ["--store-text"]


def test_bash_completes_values_by_their_kind(folder: Path) -> None:
    assert complete(folder, "embed", "--model", "") == ["model"]
    assert complete(folder, "embed", "--config", "") == ["model", "run.ini"]
    assert complete(folder, "search", "--device", "c") == ["cpu", "cuda"]
    assert complete(folder, "embed", "--precision", "=", "f") == ["fp16", "fp32"]
    assert complete(folder, "embed", "--progress", "=") == ["auto", "bar", "json", "none"]
    assert complete(folder, "embed", "--threads", "") == []
    assert complete(folder, "embed", "--out", "o", "ru") == ["run.ini"]
    assert complete(folder, "verify", "") == ["model"]
    assert complete(folder, "search", "") == complete(folder, "tokenize", "") == []


def test_zsh_gets_the_form_of_each_option() -> None:
    """'*--name=[help]:message:action': a star if the option may be given several times, a backslash before other colons."""
    forms = re.findall(r"'(\*?)--([a-z-]+)(=?)\[(?:[^]\\]|\\.)*\](.*)'", nina("--generate", "complete-zsh").stdout)
    assert {name for star, name, _, _ in forms if star} == {"config", "reuse", "where"}
    for _, name, equals, rest in forms:
        message, action = re.fullmatch(r":((?:[^:\\]|\\.)+):([^:]*)", rest).groups() if equals else (rest, "")  # type: ignore[union-attr]
        assert bool(message) == bool(equals) and re.fullmatch(r"(_files( -/)?|\([a-z0-9 ]+\))?", action), name
    assert ("", "rows", "=", ":A\\:B:") in forms


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes_commands_options_and_values(folder: Path) -> None:
    def offered(line: str) -> list[str]:
        script = nina("--generate", "complete-fish").stdout
        command = ["fish", "--no-config", "-c", f"{script}\ncomplete -C '{line}'"]
        variables = {"HOME": str(folder), "PATH": f"{PROGRAM.parent}:/usr/bin:/bin"}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=variables)
        return sorted(found.split("\t")[0] for found in done.stdout.splitlines())

    assert offered("nina ") == sorted(COMMANDS)
    assert offered("nina embed --st") == ["--store-text"]
    assert offered("nina search --device c") == ["cpu", "cuda"]
    assert offered("nina embed --model ") == ["model/"]
    assert "run.ini" in offered("nina embed ") and offered("nina search q") == []


@pytest.mark.parametrize("words", [[], ["zsh"], ["complete-tcsh"], ["complete-bash", "embed"], ["man", "embed", "x"]])
def test_what_cannot_be_generated_is_wrong_usage(words: list[str]) -> None:
    error = nina("--generate", *words, status=USAGE).error
    assert error == "--generate takes complete-bash, complete-zsh, complete-fish, man, or man and a command"
    assert nina("--generate", "man", "embedd", status=USAGE).error == "unknown command embedd (nina --help lists all)"
