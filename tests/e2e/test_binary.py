"""The program as a file: how its build makes faults hard to exploit, and what it links."""

import platform
import re
import subprocess

import pytest

from program import PROGRAM


def read_elf(*options: str) -> str:
    return subprocess.run(["readelf", "-W", *options, PROGRAM], check=True, capture_output=True, text=True).stdout


def test_program_is_position_independent() -> None:
    assert re.search(r"Type:\s+DYN", read_elf("-h")) and "Flags: NOW PIE" in read_elf("-d")


def test_addresses_of_functions_are_bound_at_start_and_read_only_after() -> None:
    assert "GNU_RELRO" in read_elf("-l") and "BIND_NOW" in read_elf("-d")


def test_stack_is_not_executable_and_watched() -> None:
    assert re.search(r"GNU_STACK.* RW ", read_elf("-l")) and "__stack_chk_fail" in read_elf("--dyn-syms")


def test_copies_of_known_size_are_checked() -> None:
    checked = set(re.findall(r"__(\w+)_chk@", read_elf("--dyn-syms")))
    assert checked >= {"snprintf", "vsnprintf"}, checked


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86's control-flow enforcement")
def test_targets_of_indirect_jumps_are_marked() -> None:
    """Only in our own code: CUDA's static runtime has no marks, so the program as a whole does not claim them."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=main", PROGRAM], check=True,
                          capture_output=True, text=True).stdout
    assert re.search(r"<main>:\n\s+\w+:\s+endbr64", code), code[:500]
