"""scripts/build, scripts/test and scripts/gpu-check, with stand-ins for what they start: what they say, and with which status they end."""

import shutil
import subprocess
from pathlib import Path

import pytest

from test_setup import Machine, machine  # noqa: F401 (a fixture)

REPORT = "[==========] Running 1 test\n[ RUN      ] rows\n[  ERROR   ] --- 1 != 2\n[   LINE   ] --- test_rows.c:3\n[  FAILED  ] rows\ntest 1 of 1\n"


def start(machine: Machine, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:  # noqa: F811
    command = ["/bin/bash", machine.folder / "scripts" / script, *arguments]
    return subprocess.run(command, env={"PATH": str(machine.folder / "bin")}, capture_output=True, text=True)


@pytest.fixture
def tester(machine: Machine) -> Machine:  # noqa: F811
    """scripts/setup notes its arguments, and all is built; ctest does what a test says."""
    for name, does in (("setup", 'echo "$@" "full tests: ${NINA_FULL_TESTS:-no}"'), ("build", ""), ("analyse", "")):
        (machine.folder / "scripts" / name).write_text(f"#!/bin/bash\n{does}\n")
    machine.program("nproc", "echo 2")
    machine.program("ctest", "exit 0")
    return machine


def test_gate_fails_with_all_that_a_failing_test_says(tester: Machine) -> None:
    tester.program("ctest", f"printf '{REPORT}'; exit 8")
    done = start(tester, "test")
    assert done.returncode != 0 and REPORT in done.stdout
    assert "build-tsan" not in done.stdout


@pytest.mark.parametrize("arguments", [["--full"], ["--no-venv", "--full"], ["--full", "--no-venv"]])
def test_full_counts_wherever_it_stands(tester: Machine, arguments: list[str]) -> None:
    asked = start(tester, "test", *arguments).stdout.splitlines()[0]
    assert set(asked.split()) >= {*arguments, "--cluster"} and asked.endswith("full tests: 1")
    assert start(tester, "test", "--no-venv").stdout.startswith("--no-venv full tests: no\n")


def test_option_before_the_folder_is_refused_with_the_right_form(machine: Machine) -> None:  # noqa: F811
    machine.program("cmake", "exit 1")
    done = start(machine, "build", "-DNINA_CUDA=OFF", "-DNINA_MPI=OFF")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("scripts/build build -DNINA_CUDA=OFF -DNINA_MPI=OFF\n")


@pytest.mark.parametrize("folder", ["build", "out/new", "build-x/"])
def test_build_that_cannot_be_configured_says_why_and_leaves_nothing(machine: Machine, tmp_path: Path, folder: str) -> None:  # noqa: F811
    before = set(tmp_path.rglob("*"))
    machine.program("cmake", "echo no compiler; exit 1")
    done = start(machine, "build", folder)
    assert (done.returncode, done.stdout, done.stderr) == (1, "no compiler\n", "")
    assert set(tmp_path.rglob("*")) - before == {machine.folder / "bin" / "cmake"}


@pytest.mark.parametrize("name", ["archive", "archive/a.jsonl"])
def test_gpu_check_removes_no_folder_of_the_users(machine: Machine, tmp_path: Path, name: str) -> None:  # noqa: F811
    (machine.folder / "bin" / "ls").symlink_to(shutil.which("ls") or "")
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "a.jsonl").write_text("{}\n")
    done = start(machine, "gpu-check", "--fake", "build", str(tmp_path / name))
    assert done.returncode == 2 and f"{tmp_path / name} is there, and is none of this script's" in done.stderr
    assert (tmp_path / "archive" / "a.jsonl").exists()
