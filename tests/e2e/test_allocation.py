"""Any single allocation may fail, in nina or in a library: the result is right, or a sentence and exit status 1; and the same
command completes what was begun. tests/preload has the library that fails one. By default every few allocations are tried, with
`scripts/test --full` each."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from output import Output
from program import DONE, FAILED, FULL, GOLDEN, LONGEST_RUN, MODEL, PROGRAM, REJECTS, Result, checked, embed, environment, nina
from shards import write_shard

PRELOAD = PROGRAM.parent / "tests" / "preload"
LIBRARY = PRELOAD / "libfail_allocation.so"
TRIED = 12  # of a command's allocations, unless all are
EMBED = ["embed", "--out", "NEW", "--threads", 1, "--id-field", "id", "--store-text", "--allow-rejects", "--widths", "32,8", "SHARD"]
COMMANDS: dict[str, list[Any]] = {
    "embed": [*EMBED, "--model", MODEL, "--device", "cpu"],
    "embed without a model": [*EMBED, "--model", MODEL, "--device", "null"],
    "embed with a tokenizer.json": [*EMBED, "--model", GOLDEN / "bert-mean-v6", "--device", "cpu"],
    "resume of a job that died": [*EMBED, "--model", MODEL, "--device", "cpu"],
    "reuse": [*EMBED, "--model", MODEL, "--device", "cpu", "--reuse", "OUT"],
    "diff": ["diff", "OUT", "LATER"],
    "verify": ["verify", "--threads", 1, "OUT"],
    "deep verify": ["verify", "--threads", 1, "--deep", 1, "--seed", 1, "--model", MODEL, "OUT"],
    "devices": ["info", "--devices", "--json"],
    "model": ["info", "--json", MODEL],
    "tokenize": ["tokenize", "--model", MODEL],
    "tokenize with WordPiece": ["tokenize", "--model", GOLDEN / "bert-uncased"],
    "tokenize with a tokenizer.json": ["tokenize", "--model", GOLDEN / "bert-mean-v6"],
    "tokenize with the library": ["tokenize", "--model", MODEL, "--tokenizer", "sentencepiece"],
    "search": ["search", "--model", MODEL, "--vectors", "OUT", "--json", "plaça"],
    "search of what matches": ["search", "--model", MODEL, "--vectors", "KEPT", "--where", "id=a", "--width", 8, "--rescore", 32, "riu"],
    "eval": ["eval", "--model", MODEL, "--data", "SET", "--out", "NEW", "--device", "cpu", "--threads", 1],
    "eval of vectors": ["eval", "--vectors", "EVAL", "--data", "SET", "--out", "NEW", "--threads", 1, "--compare", "EVAL/metrics.json"],
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of two documents and a reject, its run, an evaluation set, its evaluation."""
    folder = tmp_path_factory.mktemp("given")
    documents = [{"id": "a", "text": "la plaça"}, {"id": "b", "text": "el carrer major"}, "no", ""]
    shard = write_shard(folder / "shard.jsonl", documents)
    options: dict[str, Any] = {"device": "cpu", "threads": 1, "id_field": "id", "store_text": True, "widths": "32,8"}
    embed(folder / "out", shard, allow_rejects=True, status=REJECTS, **options)
    later = write_shard(folder / "later.jsonl", [{"id": "a", "text": "la plaça"}, {"id": "c", "text": "el riu"}])
    embed(folder / "later", later, **options)
    embed(folder / "kept", later, keep_fields="id", **options)
    (folder / "set" / "qrels").mkdir(parents=True)
    write_shard(folder / "set" / "corpus.jsonl", [{"_id": "p", "text": "plaça"}, {"_id": "r", "text": "riu"}])
    write_shard(folder / "set" / "queries.jsonl", [{"_id": "q", "text": "la plaça"}])
    (folder / "set" / "qrels" / "test.tsv").write_text("q\tp\t1\n")
    nina("eval", "--model", MODEL, "--data", folder / "set", "--out", folder / "eval", "--device", "cpu", "--threads", 1)
    return folder


def dead_lock() -> str:
    """The lock of a process of this host that is no more."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    numbers = {"pid": 4_000_000, "start": 5, "parent": 4_000_001, "counter": 3}
    return json.dumps({"host": socket.gethostname(), "boot": boot, "namespace": os.readlink("/proc/self/ns/pid"), **numbers}) + "\n"


class Trial:
    """One command, whose n-th allocation fails."""

    def __init__(self, name: str, given: Path, scratch: Path) -> None:
        self.name, self.given, self.scratch = name, given, scratch
        self.straight, self.straight_files = self.run(scratch / "straight", {"NINA_ALLOCATION_COUNT": str(scratch / "count")})
        assert self.straight.status in (DONE, REJECTS), self.straight
        counts = (line.split() for line in (scratch / "count").read_text().splitlines())
        self.calls = {site: int(count) for site, count in counts}

    def run(self, new: Path, variables: dict[str, str]) -> tuple[Result, dict[str, bytes]]:
        if "resume" in self.name and not new.exists():
            new.mkdir()
            (new / "job.lock").write_text(dead_lock())
        names = {"NEW": new, "SHARD": self.given / "shard.jsonl", "OUT": self.given / "out", "SET": self.given / "set"}
        names |= {"LATER": self.given / "later", "KEPT": self.given / "kept"}
        names |= {"EVAL": self.given / "eval", "EVAL/metrics.json": self.given / "eval" / "metrics.json"}
        command = [str(PROGRAM), *(str(names.get(str(word), word)) for word in COMMANDS[self.name])]
        done = subprocess.run(
            command,
            input=b'"la pla\xc3\xa7a"\n',
            capture_output=True,
            env=environment() | {"LD_PRELOAD": str(LIBRARY)} | variables,
            timeout=LONGEST_RUN,
        )
        said = done.stdout.decode().replace(str(new), "NEW")
        files = Output(new).files("*", "*/*", "*/*/*")
        # The next start removes the folder of a job that could not remove it for want of memory.
        # A report tells of its run's time, and a run goes on without one.
        kept = {
            name: content
            for name, content in files.items()
            if not name.startswith(".job.") and not name.endswith("report.json")
        }
        return Result(done.returncode, said, done.stderr.decode()), kept

    def fail(self, fault: str) -> None:
        """The allocation fails, and then the same command is started again."""
        new = self.scratch / fault.replace(":", "-")
        result, files = self.run(new, {"NINA_ALLOCATION": fault})
        if result.status == self.straight.status:
            assert (result.stdout, files) == (self.straight.stdout, self.straight_files), fault
            return
        checked(result, FAILED)
        last = result.stderr.rstrip("\n").split("\n")[-1]
        assert last.startswith(("nina: ", "libgomp: Out of memory")), (fault, result)
        assert any(word in last for word in ("emory", "thread", "standard output")), (fault, result)
        for finding in "damaged", "missing", "different":
            assert finding not in result.stdout, (fault, result)
        again, files = self.run(new, {})
        assert (again.status, files) == (self.straight.status, self.straight_files), fault

    def numbers(self, site: str) -> Iterator[int]:
        step = 1 if FULL else max(1, self.calls[site] // TRIED)
        return iter(range(1 + step // 2, self.calls[site] + 1, step))


@pytest.mark.parametrize("name", COMMANDS)
def test_failed_allocation_is_a_sentence_or_the_right_result(tmp_path: Path, given: Path, name: str) -> None:
    if "library" in name and "no sentencepiece" in nina("--version").stdout:
        pytest.skip("nina was built without the sentencepiece library")
    trial = Trial(name, given, tmp_path)
    for site in trial.calls:
        for number in trial.numbers(site):
            trial.fail(f"{site}:{number}")


@pytest.mark.parametrize("name", ["embed", "verify", "search"])
def test_memory_that_is_out_from_some_point_on_is_a_sentence(tmp_path: Path, given: Path, name: str) -> None:
    trial = Trial(name, given, tmp_path)
    for number in list(trial.numbers("heap"))[::4]:
        trial.fail(f"heap:{number}+")


def test_slip_in_the_variable_is_no_silence() -> None:
    for value in "heap", "heap:0", "heap:1-", "disk:1":
        done = subprocess.run([PROGRAM, "--version"], env=environment() | {"LD_PRELOAD": str(LIBRARY), "NINA_ALLOCATION": value})
        assert done.returncode == 97


def test_library_without_memory_for_its_start_is_a_sentence() -> None:
    """Libraries allocate before `main` too: UCX, which Debian 13's Open MPI brings, does."""
    done = subprocess.run([PROGRAM, "--version"], env=environment() | {"LD_PRELOAD": str(PRELOAD / "libthrow_at_start.so")}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "a library is out of memory" in done.stderr
