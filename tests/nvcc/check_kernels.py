"""What the real compiler makes of the kernels: no warnings, no spills, the occupancy that their headers claim, and the
instructions that they were written for.

    check_kernels.py [--nvcc NVCC] [--cuobjdump CUOBJDUMP] FOLDER_OF_THE_PROJECT

Prints a table of registers, spills, shared memory and occupancy per kernel and architecture. Exits with 77 (skipped)
where there is no nvcc. The instructions are looked at where cuobjdump is found (the wheel nvidia-cuda-cuobjdump); where
it is not, a line says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SKIPPED = 77


@dataclass(frozen=True)
class Multiprocessor:
    """What the blocks on one SM share (CUDA C++ Programming Guide, "Compute Capabilities")."""

    shared: int  # bytes
    warps: int
    blocks: int
    registers: int = 65536


ARCHITECTURES = {
    80: Multiprocessor(164 * 1024, 64, 32),
    86: Multiprocessor(100 * 1024, 48, 16),
    89: Multiprocessor(100 * 1024, 48, 24),
    90: Multiprocessor(228 * 1024, 64, 32),
    100: Multiprocessor(228 * 1024, 64, 32),
}


@dataclass(frozen=True)
class Claim:
    """What a kernel's header claims: threads per block, and blocks per SM."""

    threads: int
    blocks: int
    blocks_small: int = 0  # on an SM with 100 KiB of shared memory, if fewer fit


CLAIMS = {
    "activate": Claim(256, 4),
    "attention<32,1>": Claim(128, 5),
    "attention<32,2>": Claim(128, 2),
    "attention<64,1>": Claim(128, 4, 3),
    "attention<64,2>": Claim(128, 2),
    "attention<128,1>": Claim(128, 3),
    "attention_tiles": Claim(256, 1),
    "embedding<2>": Claim(256, 3),
    "embedding<4>": Claim(256, 3),
    "embedding<8>": Claim(256, 2),
    "first_rows": Claim(256, 6),
    "layer_norm<2>": Claim(256, 4),
    "layer_norm<4>": Claim(256, 4),
    "layer_norm<8>": Claim(256, 2),
    "pool": Claim(256, 4),
    "pool_modes": Claim(256, 4),
    "top_k_rows": Claim(256, 6),
    "top_k_score": Claim(64, 16),
    "top_k_select": Claim(256, 6),
}

# Instructions that a kernel must have. No kernel may use local memory (LDL, STL).
INSTRUCTIONS = {
    "attention": [r"HMMA\.16816\.F32", r"LDSM\.16\.M88\.4", r"LDSM\.16\.MT88\.4", r"LDGSTS\.E\.BYPASS\.128", r"STG\.E\.128"],
    "embedding": [r"LDG\.E\.128", r"STG\.E\.128"],
    "first_rows": [r"LDG\.E\.128", r"STG\.E\.128"],
    "layer_norm": [r"LDG\.E\.128", r"STG\.E\.128"],
    "pool": [r"LDG\.E\.128", r"STG\.E\.128", r"DFMA"],
    "activate": [r"LDG\.E\.128", r"STG\.E\.128"],
    "pool_modes": [r"LDG\.E\.128", r"STG\.E\.128"],
    "top_k_rows": [r"DFMA", r"LDG\.E\.U16", r"STG\.E\.U16"],
    "top_k_score": [r"LDG\.E\.128", r"FFMA"],
    "top_k_select": [r"LDG\.E\.128", r"STG\.E\.128", r"VOTE\.ANY", r"ATOMG?"],
}


@dataclass(frozen=True)
class Usage:
    kernel: str
    architecture: int
    registers: int
    spills: int  # bytes: stores, loads and stack
    shared: int  # bytes, static

    def blocks(self) -> int:
        """Blocks per SM. Registers come in units of 256 per warp, and each block takes 1 KiB more shared memory."""
        sm, warps = ARCHITECTURES[self.architecture], CLAIMS[self.kernel].threads // 32
        by_registers = sm.registers // (-(-self.registers * 32 // 256) * 256 * warps)
        return min(by_registers, sm.shared // (self.shared + 1024), sm.warps // warps, sm.blocks)


def kernel_name(symbol: str) -> str:
    """Turns _Z9attentionILi64ELi2EEv… into attention<64,2>."""
    match = re.match(r"_Z(\d+)", symbol)
    if not match:
        return symbol
    start = match.end()
    name, rest = symbol[start : start + int(match[1])], symbol[start + int(match[1]) :]
    arguments = re.match(r"I((?:Li\d+E)+)E", rest)
    return f"{name}<{','.join(re.findall('[0-9]+', arguments[1]))}>" if arguments else name


def usages(report: str) -> list[Usage]:
    """Reads the output of ptxas -v."""
    found = []
    pattern = (
        r"Compiling entry function '(\w+)' for 'sm_(\d+)'.*?"
        r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers([^\n]*)"
    )
    for symbol, architecture, stack, stores, loads, registers, rest in re.findall(pattern, report, re.S):
        shared = re.search(r"(\d+) bytes smem", rest)
        spills = int(stack) + int(stores) + int(loads)
        found.append(
            Usage(kernel_name(symbol), int(architecture), int(registers), spills, int(shared[1]) if shared else 0)
        )
    return found


def architectures_of(nvcc: str) -> list[int]:
    """Our architectures that this nvcc knows."""
    known = subprocess.run([nvcc, "--list-gpu-code"], capture_output=True, text=True, check=True).stdout
    return [a for a in ARCHITECTURES if f"sm_{a}" in known.split()]


def kernel_compile(nvcc: str, project: Path, source: Path, target: Path, architectures: list[int]) -> str:
    """Returns the compiler's report; a warning is an error."""
    codes = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures]
    codes.append(f"-gencode=arch=compute_{architectures[-1]},code=compute_{architectures[-1]}")
    command = [nvcc, "-std=c++17", f"-I{project}", "-c", "-o", str(target), *codes, "-Werror=all-warnings"]
    command += ["-Xptxas=-v,-warn-spills,-warn-lmem-usage", "-Xcompiler=-Wall,-Wextra,-Werror", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{source.name}: nvcc failed\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def usage_faults(usage: Usage) -> list[str]:
    if usage.kernel not in CLAIMS:
        return [f"{usage.kernel}: no claim in {Path(__file__).name}"]
    claim = CLAIMS[usage.kernel]
    small = ARCHITECTURES[usage.architecture].shared == 100 * 1024
    blocks = claim.blocks_small if small and claim.blocks_small else claim.blocks
    faults = []
    if usage.spills:
        faults.append(f"{usage.kernel}, sm_{usage.architecture}: {usage.spills} bytes in local memory")
    if usage.blocks() < blocks:
        faults.append(f"{usage.kernel}, sm_{usage.architecture}: {usage.blocks()} blocks on an SM, {blocks} claimed")
    return faults


def instruction_faults(cuobjdump: str, target: Path, architecture: int) -> list[str]:
    command = [cuobjdump, "-sass", "-arch", f"sm_{architecture}", str(target)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    faults = []
    for function in text.split("Function : ")[1:]:
        kernel = kernel_name(function.split("\n", 1)[0].strip())
        for wanted in INSTRUCTIONS.get(kernel.split("<")[0], []):
            if not re.search(wanted, function):
                faults.append(f"{kernel}, sm_{architecture}: no {wanted}")
        if re.search(r"\b(LDL|STL)\b", function):
            faults.append(f"{kernel}, sm_{architecture}: local memory")
    return faults


def cuobjdump_find() -> str | None:
    """Looks on the PATH, then in the wheel beside this Python."""
    if found := shutil.which("cuobjdump"):
        return found
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations if spec and spec.submodule_search_locations else []:
        for path in Path(folder).glob("**/bin/cuobjdump"):
            if os.access(path, os.X_OK):
                return str(path)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc", default=shutil.which("nvcc"))
    parser.add_argument("--cuobjdump", default=cuobjdump_find())
    parser.add_argument("project", type=Path)
    options = parser.parse_args()
    if not options.nvcc or not shutil.which(options.nvcc):
        print("skipped: no nvcc here, so the kernels were not compiled for a GPU")
        return SKIPPED

    architectures = architectures_of(options.nvcc)
    rows: list[Usage] = []
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for source in sorted((options.project / "cuda").glob("*.cu")):
            target = Path(folder) / f"{source.stem}.o"
            rows += usages(kernel_compile(options.nvcc, options.project, source, target, architectures))
            for architecture in architectures if options.cuobjdump else []:
                faults += instruction_faults(options.cuobjdump, target, architecture)

    print(f"{'kernel':20}{'arch':>8}{'registers':>11}{'spills':>8}{'shared':>8}{'blocks/SM':>11}{'warps/SM':>10}")
    for row in sorted(rows, key=lambda row: (row.kernel, row.architecture)):
        faults += usage_faults(row)
        blocks = row.blocks() if row.kernel in CLAIMS else 0
        warps = blocks * CLAIMS[row.kernel].threads // 32 if row.kernel in CLAIMS else 0
        arch = f"sm_{row.architecture}"
        print(f"{row.kernel:20}{arch:>8}{row.registers:>11}{row.spills:>8}{row.shared:>8}{blocks:>11}{warps:>10}")
    for kernel in CLAIMS:
        missing = set(architectures) - {row.architecture for row in rows if row.kernel == kernel}
        faults += [f"{kernel}, sm_{architecture}: not in the compiler's report" for architecture in sorted(missing)]
    if not options.cuobjdump:
        print("no cuobjdump here (the wheel nvidia-cuda-cuobjdump has it): the instructions were not looked at")
    print("\n".join(faults) if faults else "as claimed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
