"""A command that reads an output folder meets a change: it stops before one of its calls of the system, another command changes the
folder meanwhile, and it goes on. Then its result is that of the folder before the change or after it, or a sentence that tells of the
change, without an advice to remove files, and an exit status other than 0. By default a few calls are tried, with `scripts/test --full`
each.

By hand: test_readers_meet_changes.py [--step N] [--only READER] [--change CHANGE] goes on after a fault, and prints what was said."""

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from failing import preloaded
from output import Output
from program import DONE, FAILED, FULL, LONGEST_RUN, MODEL, PROGRAM, SANITIZER_WORDS, USAGE, Result, embed
from shards import write_shard

SITES = ("open", "read", "map", "look", "list")  # what a reader does with a folder
FINGERPRINTED = 64 << 10  # bytes at a shard's beginning, and at its end
TRIED = 4  # of a command's calls at a site, over all changes, unless all are

QUESTION: list[Any] = ["search", "--model", MODEL, "--vectors", "OUT", "--device", "null", "--json"]
READERS: dict[str, list[Any]] = {
    "cat": ["cat", "--width", 8, "--threads", 2, "OUT"],
    "diff": ["diff", "OUT", "OTHER"],
    "diff to it": ["diff", "OTHER", "OUT"],
    "search": [*QUESTION, "--top-k", 20, "plaça"],
    "search of what matches": [*QUESTION, "--where", "kind=0", "--width", 8, "--rescore", 32, "riu"],
    "eval": ["eval", "--vectors", "EVAL", "--data", "SET", "--out", "NEW", "--device", "null", "--threads", 1],
    "info": ["info", "OUT"],
    "verify": ["verify", "--threads", 2, "OUT"],
    "deep verify": ["verify", "--threads", 1, "--deep", 2, "--seed", 1, "--model", MODEL, "OUT"],
    "reuse": ["embed", "--model", MODEL, "--out", "NEW", "--device", "null", "--threads", 2, "--widths", "32,8", "--reuse", "OUT", "SHARD"],
}
SANITIZED = ("cat", "search", "verify", "reuse")

OPTIONS: dict[str, Any] = {"threads": 1, "id_field": "_id", "store_text": True, "keep_fields": "kind", "widths": "32,8", "block_lines": 4}
WORDS = ("la plaça", "el carrer major", "la festa del barri", "taxa", "el riu", "beca menjador", "padró")


def documents(first: int, last: int, turn: int = 0) -> list[dict[str, Any]]:
    """`turn`: the same ids with other texts. 14 documents from 0 are as many bytes with any turn."""
    return [{"_id": f"d-{n}", "kind": str(n % 2), "text": f"{WORDS[(n + turn) % 7]} {n % 2}"} for n in range(first, last)]


def write_archive(folder: Path, turn: int, edge: str = "x") -> Path:
    """Archives of any turn have the same size and, with the same `edge`, which fills the first and the last 64 KiB, the same
    fingerprint."""
    first, *middle, last = documents(0, 14, turn)
    edges = {"edge": edge * FINGERPRINTED}
    return write_shard(folder / "archive.jsonl", [edges | first, *middle, last | edges])


def begin_anew(folder: Path, edge: str = "y", **failing: Any) -> None:
    shard = write_archive(folder, 3, edge)
    embed(folder / "eval/corpus", shard, overwrite=True, **OPTIONS, **failing)


def begin_anew_with_equal_manifest(folder: Path) -> None:
    begin_anew(folder, edge="x")


def begin_anew_and_die(folder: Path) -> None:
    begin_anew(folder, edge="x", fault="rename:6:kill", status=-signal.SIGKILL)


def append(folder: Path) -> None:
    more = write_shard(folder / "more.jsonl", documents(14, 19))
    embed(folder / "eval/corpus", folder / "archive.jsonl", more, append=True, **OPTIONS)


def move(folder: Path) -> None:
    moved = (folder / "archive.jsonl").rename(folder / "moved.jsonl")
    embed(folder / "eval/corpus", moved, **OPTIONS)


CHANGES: dict[str, Callable[[Path], None]] = {
    "begun anew": begin_anew,
    "begun anew, the manifest equal": begin_anew_with_equal_manifest,
    "begun anew and killed": begin_anew_and_die,
    "appended to": append,
    "moved": move,
    "removed": lambda folder: shutil.rmtree(folder / "eval/corpus"),
}
GOES_ON = ("appended to", "moved")


def make_given(folder: Path) -> Path:
    """Judgements, the vectors of their corpus (the folder that changes) and of their questions, and of another corpus."""
    (folder / "set/qrels").mkdir(parents=True)
    other = write_shard(folder / "other.jsonl", documents(3, 16))
    write_shard(folder / "corpus.jsonl", documents(0, 14))
    archive = write_archive(folder, 0)
    queries = write_shard(folder / "queries.jsonl", [{"_id": f"q-{n}", "kind": "0", "text": WORDS[n]} for n in range(4)])
    (folder / "set/qrels/test.tsv").write_text("".join(f"q-{n}\td-{n}\t1\n" for n in range(4)))
    for name, shard in ("eval/corpus", archive), ("eval/queries", queries), ("other", other):
        embed(folder / name, shard, **OPTIONS)
    return folder


class Meeting:
    """One reader and one change."""

    def __init__(self, reader: str, change: str, given: Path, scratch: Path) -> None:
        """`given` is what was made in the folder scratch/"folder"; paths in it are of there."""
        self.reader, self.name, self.given, self.scratch = reader, change, given, scratch
        self.before = self.result(self.prepared(), {"NINA_CALL_COUNT": str(scratch / "count")})
        CHANGES[change](folder := self.prepared())
        self.after = self.result(folder, {})
        assert self.before[0].status == DONE, self.before[0]
        counts = (line.split() for line in (scratch / "count").read_text().splitlines())
        self.calls = {site: int(count) for site, count in counts if site in SITES}

    def prepared(self) -> Path:
        folder = self.scratch / "folder"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.given, folder)
        return folder

    def start(self, folder: Path, variables: dict[str, str]) -> subprocess.Popen[bytes]:
        names = {"OUT": folder / "eval/corpus", "OTHER": folder / "other", "EVAL": folder / "eval", "SET": folder / "set"}
        names |= {"SHARD": folder / "corpus.jsonl", "NEW": folder / "new"}
        words = [str(names.get(str(word), word)) for word in READERS[self.reader]]
        pipe = subprocess.PIPE
        return subprocess.Popen([PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=preloaded() | variables)

    def end(self, process: subprocess.Popen[bytes], folder: Path) -> tuple[Result, dict[str, bytes]]:
        stdout, stderr = process.communicate(timeout=LONGEST_RUN)
        files = Output(folder / "new").files("metrics.json", "w*/*", "run*")
        return Result(process.returncode, stdout.decode("latin-1"), stderr.decode()), files

    def result(self, folder: Path, variables: dict[str, str]) -> tuple[Result, dict[str, bytes]]:
        return self.end(self.start(folder, variables), folder)

    def meet(self, site: str, number: int) -> str:
        """The change happens before a call. Returns what the reader said."""
        folder = self.prepared()
        process = self.start(folder, {"NINA_CALL": f"{site}:{number}:stop"})
        try:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if process.poll() is None:
                CHANGES[self.name](folder)
                process.send_signal(signal.SIGCONT)
            result, files = self.end(process, folder)
        finally:
            if process.poll() is None:
                process.kill()
        assert not any(word in result.stderr for word in SANITIZER_WORDS), result
        for said, made in self.before, self.after:
            if (result.status, result.stdout, files) == (said.status, said.stdout, made):
                if result.status == DONE or result.stderr.split("\n")[-2:] == said.stderr.split("\n")[-2:]:
                    return "as before" if said is self.before[0] else "as after"
        context = f"{self.reader}, {self.name}, {site}:{number}: {result}"
        assert result.status in (FAILED, USAGE) and "repair " not in result.stdout, context
        assert self.name == "removed" or " while " in result.error, context
        assert self.name not in GOES_ON or "begun anew" not in result.error, context
        return result.error


def numbers(meeting: Meeting, site: str, step: int) -> Iterator[int]:
    """The calls to stop before; each change begins elsewhere, so that together they meet more different calls."""
    first = list(CHANGES).index(meeting.name) * max(1, step // len(CHANGES)) + list(READERS).index(meeting.reader)
    return iter(range(1 + first % step, meeting.calls[site] + 1, step))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `given` has what was made in `folder`."""
    scratch = tmp_path_factory.mktemp("scratch")
    make_given(scratch / "folder").rename(scratch / "given")
    return scratch


def check_meetings(reader: str, change: str, scratch: Path) -> None:
    meeting = Meeting(reader, change, scratch / "given", scratch)
    for site, calls in meeting.calls.items():
        for number in numbers(meeting, site, 1 if FULL else max(1, calls * len(CHANGES) // TRIED)):
            meeting.meet(site, number)


def test_deep_verification_outlives_a_run_that_goes_on_while_parts_are_embedded(scratch: Path) -> None:
    meeting = Meeting("deep verify", "appended to", scratch / "given", scratch)
    assert meeting.meet("read", meeting.calls["read"]) == "as before"
    again = Meeting("deep verify", "begun anew, the manifest equal", scratch / "given", scratch)
    assert "was changed while it was verified" in again.meet("read", again.calls["read"])


@pytest.mark.sanitize
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("reader", SANITIZED)
def test_reader_that_meets_a_change_mixes_nothing(scratch: Path, reader: str, change: str) -> None:
    check_meetings(reader, change, scratch)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("reader", [name for name in READERS if name not in SANITIZED])
def test_other_reader_that_meets_a_change_mixes_nothing(scratch: Path, reader: str, change: str) -> None:
    check_meetings(reader, change, scratch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--only", choices=READERS)
    parser.add_argument("--change", choices=CHANGES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        given = make_given(folder / "folder").rename(folder / "given")
        for reader in [arguments.only] if arguments.only else READERS:
            for change in [arguments.change] if arguments.change else CHANGES:
                meeting, table = Meeting(reader, change, given, folder), Counter[str]()
                for site in SITES:
                    for number in numbers(meeting, site, arguments.step):
                        try:
                            said = meeting.meet(site, number)
                        except (AssertionError, subprocess.TimeoutExpired) as fault:
                            said = f"FAULT {fault}"[:3000]
                        table[said.replace(name, "…")] += 1
                print(f"{reader}, {change}: {sum(table.values())} of {meeting.calls}", flush=True)
                for said, count in table.most_common():
                    print(f"{count:6} {said}", flush=True)


if __name__ == "__main__":
    main()
