"""The folder that scripts/gpu-check makes for a machine with a card: a dry run on the fake CUDA runtime, with small sizes."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from program import PROGRAM, ROOT

FILES_MAX, FILE_BYTES_MAX = 8, 16 << 20
QUICK = ["about", "kernels", "products", "golden", "slots", "speed_quick", "model", "archive"]
FULL = ["about", "model", "archive", "speed", "passages", "torch_ceiling", "transformers", "tuning", "times", "streams", "search", "sanitizers", "ncu"]

# They take the same arguments as the real programs: options, then a program. They run the program only once, because it is slow here.
STAND_INS = {
    "compute-sanitizer": 'tool=$2; while [[ $1 = --* ]]; do shift 2; done; [[ $tool != memcheck ]] || exec "$@"',
    "ncu": 'all=$*; while [[ $1 = -* ]]; do shift 2; done; echo "Duration us 12"; [[ $all != *layer_norm* ]] || exec "$@"',
    "nvidia-smi": "echo a card; exec sleep ${SMI_SLEEP-0}",
    "python3": 'echo "no torch here"; exit 77',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu") / "nina-gpu"
    subprocess.run([ROOT / "scripts" / "gpu-check", "--fake", PROGRAM.parent, folder], check=True)
    return folder


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    for name, body in STAND_INS.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)
    return tmp_path / "bin"


def run(folder: Path, what: str, results: Path, stand_ins: Path, **variables: str) -> tuple[int, str, list[dict[str, Any]]]:
    """Exit status, report and results of a run that starts in another folder."""
    environment = os.environ | {"PATH": f"{stand_ins}:{os.environ['PATH']}"} | variables
    done = subprocess.run([folder / "run", what, results], env=environment, cwd="/", capture_output=True, timeout=400)
    lines = [json.loads(line) for line in (results / "results.jsonl").read_text().splitlines()]
    return done.returncode, (results / "report.txt").read_text(), lines


def statuses(lines: list[dict[str, Any]]) -> dict[str, str]:
    return {line["part"]: line["status"] for line in lines if "status" in line}


def test_quick_runs_every_part(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    status, report, lines = run(folder, "quick", tmp_path / "results", stand_ins)
    assert status == 0, report
    assert statuses(lines) == dict.fromkeys(QUICK, "ok")
    assert all(line["ok"] for line in lines if "ok" in line)
    plans = {line["what"] for line in lines if "the plan" in line.get("what", "")}
    assert plans == {f"attention<{size}, the plan" for size in ("32, 1>", "32, 2>", "64, 1>", "64, 2>", "128, 1>")}
    (cosines,) = [line for line in lines if "cosine_least" in line]
    assert cosines["rows"] == 154 and cosines["cosine_least"] > 0.9999


def test_full_measures_and_survives_a_kill_half_way(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    status, report, lines = run(folder, "full", tmp_path / "results", stand_ins)
    assert status == 0, report
    assert statuses(lines) == dict.fromkeys(FULL, "ok") | {"torch_ceiling": "skipped", "transformers": "skipped"}
    passages = [line for line in lines if line["part"] == "passages"]
    assert any(line.get("same_bytes_after_a_kill") for line in passages)
    (end,) = [line for line in passages if line.get("event") == "end"]
    assert [line["ok"] for line in lines if line["part"] == "tuning" and "cosine_least" in line] == [True]
    assert end["documents"] == 160 and end["busy"] and end["bottleneck"]
    assert len([line for line in lines if line.get("tool")]) == 4
    ceilings = [line for line in lines if line["part"] == "ceiling"]
    assert [line["what"] for line in ceilings[:6]] == [line["what"] for line in ceilings[6:]]
    files = list((tmp_path / "results").iterdir())
    assert len(files) <= FILES_MAX and max(path.stat().st_size for path in files) < FILE_BYTES_MAX


def test_a_part_that_fails_or_hangs_does_not_stop_the_next(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    variables = {"FAKE_CUDA_FAIL": "pool:1:run", "NINA_GPU_LIMIT": "4", "SMI_SLEEP": "100"}
    status, report, lines = run(folder, "quick", tmp_path / "results", stand_ins, **variables)
    found = statuses(lines)
    assert status == 1 and list(found) == QUICK
    assert (found["about"], found["kernels"], found["products"]) == ("stopped", "failed", "ok")
    assert "FAILED: about kernels" in report


def test_the_folder_is_small_and_whole(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["README", "compare.py", "payload.tar.gz", "run"]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 50 << 20
    names = subprocess.run(["tar", "-tzf", folder / "payload.tar.gz"], check=True, capture_output=True, text=True).stdout
    libraries = {Path(name).name for name in names.splitlines() if name.startswith("./lib/")}
    assert {"libjansson.so.4", "libzstd.so.1", "libgomp.so.1"} <= libraries
    assert any(name.startswith("libdnnl.so.") for name in libraries)  # 2 or 3, depending on the release
    assert not [name for name in libraries if name.startswith(("libc.so", "libm.so", "ld-linux", "libcublas"))]
