"""The folder that scripts/gpu-check makes for a machine with a card: a dry run on the fake CUDA runtime, with small sizes."""

import importlib.util
import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from program import PROGRAM, ROOT

FILES_MAX, FILE_BYTES_MAX = 8, 16 << 20
PATIENCE = 10  # the limits are for a card; here the machine may be busy
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
    environment = os.environ | {"PATH": f"{stand_ins}:{os.environ['PATH']}", "NINA_GPU_PATIENCE": str(PATIENCE)} | variables
    done = subprocess.run([folder / "run", what, results], env=environment, cwd="/", capture_output=True, timeout=400 * PATIENCE)
    lines = [json.loads(line) for line in (results / "results.jsonl").read_text().splitlines()]
    return done.returncode, (results / "report.txt").read_text(), lines


def statuses(lines: list[dict[str, Any]]) -> dict[str, str]:
    return {line["part"]: line["status"] for line in lines if "status" in line}


def checksum(folder: Path) -> str:
    """As `run` writes it beside the half that has passed."""
    with (folder / "payload.tar.gz").open("rb") as payload:
        return subprocess.run(["cksum"], stdin=payload, capture_output=True, check=True, text=True).stdout.strip().replace(" ", "-")


def test_quick_runs_every_part(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    status, report, lines = run(folder, "quick", tmp_path / "results", stand_ins)
    assert status == 0, report
    assert statuses(lines) == dict.fromkeys(QUICK, "ok")
    assert all(line["ok"] for line in lines if "ok" in line)
    plans = {line["what"] for line in lines if "the plan" in line.get("what", "")}
    assert plans == {f"attention<{size}, the plan" for size in ("32, 1>", "32, 2>", "64, 1>", "64, 2>", "128, 1>")}
    (cosines,) = [line for line in lines if "cosine_least" in line]
    assert cosines["rows"] == 154 and cosines["cosine_least"] > 0.9999
    assert report.splitlines()[-1] == "all is well in quick; `run full`, which checks other things, has not passed here"
    assert (tmp_path / "results" / "passed").read_text() == f"quick {checksum(folder)}\n"


def test_full_measures_and_survives_a_kill_half_way(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "passed").write_text(f"full of-another-folder\nquick {checksum(folder)}\n")
    status, report, lines = run(folder, "full", tmp_path / "results", stand_ins)
    assert status == 0, report
    assert statuses(lines) == dict.fromkeys(FULL, "ok") | {"torch_ceiling": "skipped", "transformers": "skipped"}
    passages = [line for line in lines if line["part"] == "passages"]
    assert any(line.get("same_bytes_after_a_kill") for line in passages)
    (kill,) = [line for line in passages if "parts_at_the_kill" in line]
    assert 0 < kill["parts_at_the_kill"] < kill["parts"] == 8
    (end,) = [line for line in passages if line.get("event") == "end"]
    assert [line["ok"] for line in lines if line["part"] == "tuning" and "cosine_least" in line] == [True]
    assert end["documents"] == 160 and end["busy"] and end["bottleneck"]
    assert len([line for line in lines if line.get("tool")]) == 8
    assert report.splitlines()[-1] == "all is well in both halves, quick and full"
    ceilings = [line for line in lines if line["part"] == "ceiling"]
    assert [line["what"] for line in ceilings[:6]] == [line["what"] for line in ceilings[6:]]
    files = list((tmp_path / "results").iterdir())
    assert len(files) <= FILES_MAX and max(path.stat().st_size for path in files) < FILE_BYTES_MAX


def test_a_part_that_fails_or_hangs_does_not_stop_the_next(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    variables = {"FAKE_CUDA_FAIL": "pool:1:run", "NINA_GPU_LIMIT_about": "4", "SMI_SLEEP": "100"}
    status, report, lines = run(folder, "quick", tmp_path / "results", stand_ins, **variables)
    found = statuses(lines)
    assert status == 1 and list(found) == QUICK
    assert (found["about"], found["kernels"], found["products"]) == ("stopped", "failed", "ok")
    assert "FAILED in quick: about kernels" in report


def test_parts_for_which_no_time_is_left_have_not_failed(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    variables = {"NINA_GPU_SECONDS": "3", "SMI_SLEEP": "100"}
    status, report, lines = run(folder, "quick", tmp_path / "results", stand_ins, **variables)
    assert status == 0 and statuses(lines) == dict.fromkeys(QUICK, "skipped")
    assert report.splitlines()[-1] == f"nothing has failed in quick, but no time was left for: {' '.join(QUICK)}"
    assert not (tmp_path / "results" / "passed").exists()


def test_a_part_that_has_found_something_wrong_has_failed_also_if_no_time_is_left(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    (stand_ins / "compute-sanitizer").write_text("#!/usr/bin/env bash\n[[ $2 != memcheck ]] || exit 9\nsleep 100\n")
    status, report, lines = run(folder, "full", tmp_path / "results", stand_ins, NINA_GPU_PARTS="sanitizers", NINA_GPU_SECONDS="30")
    assert [line["ok"] for line in lines if "tool" in line] == [False], report  # the second tool was stopped
    assert status == 1 and statuses(lines) == {"sanitizers": "failed"} and report.endswith("FAILED in full: sanitizers\n")


def test_a_half_has_passed_without_its_extras(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    """No time is left for a comparison that hangs, nor for what comes after it: all of them extras."""
    (stand_ins / "python3").write_text("#!/usr/bin/env bash\n[[ $* != *compare.py* ]] || sleep 100\n")
    variables = {"NINA_GPU_SECONDS": "40", "NINA_GPU_PARTS": "about transformers times ncu"}
    status, report, lines = run(folder, "full", tmp_path / "results", stand_ins, **variables)
    assert status == 0 and statuses(lines) == {"about": "ok", "transformers": "skipped", "times": "skipped", "ncu": "skipped"}
    assert report.splitlines()[-1] == "all is well in the parts of full that were asked for: about transformers times ncu"


def test_parts_that_were_chosen_do_not_stand_for_their_half(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    _, report, lines = run(folder, "full", tmp_path / "results", stand_ins, NINA_GPU_PARTS="ncu")
    assert statuses(lines) == {"ncu": "ok"}
    assert report.splitlines()[-1] == "all is well in the parts of full that were asked for: ncu"
    assert not (tmp_path / "results" / "passed").exists()


# What the tools print if they cannot attach, and their exit statuses.
CANNOT_ATTACH = {
    "compute-sanitizer": 'echo "========= Device not supported. Please refer to the documentation"; exit 1',
    "ncu": 'echo "==ERROR== ERR_NVGPUCTRPERM - \\"no permission\\""; exit 255',
}


@pytest.mark.parametrize(
    ("tools", "status", "verdicts", "found"),
    [
        (CANNOT_ATTACH, 0, {None}, {"sanitizers": "skipped", "ncu": "skipped"}),
        ({"compute-sanitizer": "exit 1", "ncu": "exit 0"}, 0, {None, True}, {"sanitizers": "skipped", "ncu": "ok"}),
        ({"compute-sanitizer": "exit 9", "ncu": "exit 1"}, 1, {False}, {"sanitizers": "failed", "ncu": "failed"}),
        # A tool that exits by itself with what a kill gives has no finding.
        ({"compute-sanitizer": "exit 137", "ncu": "exit 124"}, 0, {None}, {"sanitizers": "skipped", "ncu": "skipped"}),
    ],
)
def test_only_a_tools_own_finding_is_a_failure(
    folder: Path, tmp_path: Path, stand_ins: Path, tools: dict[str, str], status: int, verdicts: set[bool | None], found: dict[str, str]
) -> None:
    for name, body in tools.items():
        (stand_ins / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
    done, report, lines = run(folder, "full", tmp_path / "results", stand_ins, NINA_GPU_PARTS="sanitizers ncu")
    assert (done, statuses(lines)) == (status, found), report
    records = [line for line in lines if "tool" in line]
    assert len(records) == 8 and {line["ok"] for line in records} == verdicts
    assert all(line.get("why") for line in records if line["ok"] is None)


def test_a_tool_does_not_outlive_the_part_that_is_stopped(folder: Path, tmp_path: Path, stand_ins: Path) -> None:
    (stand_ins / "ncu").write_text(f"#!/usr/bin/env bash\nsleep 1000 &\necho $! >{tmp_path}/pid\nwait\n")
    status, report, lines = run(folder, "full", tmp_path / "results", stand_ins, NINA_GPU_PARTS="ncu", NINA_GPU_LIMIT_ncu="15")
    assert status == 1 and statuses(lines) == {"ncu": "stopped"} and report.endswith("FAILED in full: ncu\n")
    gone = Path("/proc") / (tmp_path / "pid").read_text().strip()
    deadline = time.monotonic() + 60  # the tool's own limit comes later
    while gone.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not gone.exists()


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Any:
    """compare.py with a clock of its own, in seconds, which stands at 0 when the file begins."""
    clock = types.SimpleNamespace(seconds=0.0, perf_counter=lambda: clock.seconds)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(dtype=object, __version__="2.9.0"))
    monkeypatch.setitem(sys.modules, "time", clock)
    spec = importlib.util.spec_from_file_location("compare", ROOT / "tests" / "gpu_check" / "folder" / "compare.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_comparison_ends_in_time_whatever_the_imports_take(compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Model:
        def __init__(self, *_: Any, **__: Any) -> None:
            compare.time.seconds += 10.0

        def encode(self, texts: list[str], **_: Any) -> np.ndarray:
            compare.time.seconds += len(texts) / 2000
            return np.ones((len(texts), 2))

    monkeypatch.setitem(sys.modules, "transformers", types.SimpleNamespace(__version__="5.0.0"))
    monkeypatch.setitem(sys.modules, "sentence_transformers", types.SimpleNamespace(__version__="5.0.0", SentenceTransformer=Model))
    monkeypatch.setattr(compare, "plain", lambda path: b'{"text": "a"}\n' * 10000)
    monkeypatch.setattr(compare, "nina_rows", lambda folder, count: np.ones((count, 2)))
    said: dict[str, Any] = {}
    monkeypatch.setattr(compare, "say", said.update)
    compare.time.seconds = 20.0  # the imports took so long
    compare.encode(types.SimpleNamespace(passages="", model="", rows="", seconds=40.0), "cpu", object)
    assert 2500 < said["texts"] < 10000 and 35 < compare.time.seconds <= 40


def test_older_transformers_get_the_argument_that_they_know(compare: Any) -> None:
    names = {version: compare.dtype_name(version) for version in ("4.55.4", "4.56.0", "4.60.0.dev0", "5.0.0rc1")}
    assert names == {"4.55.4": "torch_dtype", "4.56.0": "dtype", "4.60.0.dev0": "dtype", "5.0.0rc1": "dtype"}


def test_the_folder_is_small_and_whole(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["README", "compare.py", "payload.tar.gz", "run"]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 50 << 20
    names = subprocess.run(["tar", "-tzf", folder / "payload.tar.gz"], check=True, capture_output=True, text=True).stdout
    libraries = {Path(name).name for name in names.splitlines() if name.startswith("./lib/")}
    assert {"libjansson.so.4", "libzstd.so.1", "libgomp.so.1"} <= libraries
    assert any(name.startswith("libdnnl.so.") for name in libraries)  # 2 or 3, depending on the release
    assert not [name for name in libraries if name.startswith(("libc.so", "libm.so", "ld-linux", "libcublas"))]
