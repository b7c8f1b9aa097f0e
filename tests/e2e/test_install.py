"""What `cmake --install` leaves under a prefix."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from program import MODEL, PROGRAM, ROOT, embed_arguments, nina
from shards import make_documents, write_shard


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("install") / "prefix"
    subprocess.run(["cmake", "--install", PROGRAM.parent, "--prefix", folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def test_installed_program_runs_without_the_checkout(prefix: Path, tmp_path: Path) -> None:
    program = prefix / "bin" / "nina"
    version = subprocess.run([program, "-V"], capture_output=True, text=True, check=True, cwd="/").stdout
    assert version == nina("--version").stdout
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, 1))
    config = prefix / "share" / "nina" / "configs" / "laptop.ini"
    arguments = embed_arguments(tmp_path / "out", shard, model=MODEL, device="cpu", config=config)
    subprocess.run([program, *arguments], check=True, cwd="/", stderr=subprocess.DEVNULL)
    assert (tmp_path / "out" / "manifest.json").exists()


def test_each_command_has_its_man_page(prefix: Path) -> None:
    pages = {path.name: path.read_text() for path in (prefix / "share/man/man1").iterdir()}
    commands = [line.split()[0] for line in nina("--help").stdout.splitlines() if line.startswith("  ")]
    assert sorted(pages) == sorted(["nina.1", *(f"nina-{command}.1" for command in commands)])
    assert pages["nina.1"] == nina("--generate", "man").stdout
    for command in commands:
        assert pages[f"nina-{command}.1"] == nina("--generate", "man", command).stdout


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", "bash-completion/completions/nina"),
        ("zsh", "zsh/site-functions/_nina"),
        ("fish", "fish/vendor_completions.d/nina.fish"),
    ],
)
def test_each_shell_finds_its_completion(prefix: Path, shell: str, path: str) -> None:
    assert (prefix / "share" / path).read_text() == nina("--generate", f"complete-{shell}").stdout


def test_configurations_and_scripts_come_along(prefix: Path) -> None:
    installed = prefix / "share" / "nina"
    for configuration in (ROOT / "configs").iterdir():
        assert (installed / "configs" / configuration.name).read_bytes() == configuration.read_bytes()
    for script in ("check-parity", "convert-model", "convert-onnx", "make-eval-set", "plot-eval", "report", "slurm.sbatch"):
        assert (installed / "scripts" / script).stat().st_mode & 0o111


def test_the_front_page_comes_with_what_it_links(prefix: Path) -> None:
    """host/model/README.md is named by error sentences too."""
    guides = prefix / "share" / "doc" / "nina"
    links = set(re.findall(r"\]\(([^)#:]+)", (guides / "README.md").read_text()))
    assert "host/model/README.md" in links
    assert [link for link in sorted(links) if (guides / link).read_bytes() != (ROOT / link).read_bytes()] == []


def test_the_python_package_comes_along_and_runs(prefix: Path) -> None:
    package = prefix / "share" / "nina" / "scripts" / "python"
    kept = {path.relative_to(ROOT / "scripts" / "python") for path in (ROOT / "scripts" / "python").rglob("*.*")}
    kept = {path for path in kept if not {"__pycache__", "build"} & set(path.parts) and "egg-info" not in str(path)}
    assert {path.relative_to(package) for path in package.rglob("*.*")} == kept
    command = [sys.executable, "-B", "-m", "nina_vectors", "export", "--help"]
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(package)})
