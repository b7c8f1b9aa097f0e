"""The power fails between any two changes that a run makes on disk: what was not synced is lost, torn, or there before what came
earlier (power.py). The same command then goes on to the right bytes, or says what is damaged and how to go on. What was committed
is there.

By default every few changes are tried, with `scripts/test --full` each. By hand, the table of tests/README.md:
test_power_loss.py [--only NAME] [--step N]."""

import argparse
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failing import COMMANDS, Trial, differing, make_given
from power import FATES, KEPT, TORN, Disk, Folder, put
from program import DONE, FAILED, FULL, REJECTS, SANITIZER_WORDS, USAGE, nina

RUNS = ("embed with two threads", "resume", "repair", "append", "overwrite", "chunk", "reuse")
TRIED = 1  # state of a run and a fate, unless all are


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_given(tmp_path_factory.mktemp("given"))


class Outage:
    def __init__(self, name: str, given: Path, scratch: Path) -> None:
        self.trial, self.scratch = Trial(name, given, scratch), scratch
        self.new = self.trial.prepared("recorded")
        self.disk = Disk(self.new)
        self.committed = self.records()
        self.record()

    def record(self) -> None:
        record = self.scratch / "record"
        record.unlink(missing_ok=True)
        result, files = self.trial.run(self.new, {"NINA_CALL_RECORD": str(record)})
        assert (result.status, files) == (self.trial.straight.status, self.trial.files), result
        self.lines = record.read_text().splitlines()

    def kill(self, changes: int) -> None:
        """The run is killed after so many changes: what follows is the run that goes on with what it left, synced or not."""
        for line in self.lines[:changes]:
            self.do(line)
        shutil.rmtree(self.new)
        put(self.disk.after(KEPT, 0), self.new.name, self.new)
        self.record()

    def parts(self) -> Folder:
        new = self.disk.find(str(self.new))
        parts = new.names.get("parts") if isinstance(new, Folder) else None
        return parts if isinstance(parts, Folder) else Folder()

    def records(self) -> set[str]:
        return {name for name in self.parts().names if name.endswith(".json")}

    def do(self, line: str) -> None:
        """A part is committed when the folder of records is synced, and until its record is removed."""
        self.disk.do(line)
        what, *words = line.split("\t")
        if what == "sync" and self.disk.open.get(int(words[0])) is self.parts():
            self.committed = self.records()
        self.committed &= self.records()

    def check_committed(self, state: dict[str, bytes | None]) -> None:
        for record in self.committed:
            content = state.get(f"{self.new.name}/parts/{record}")
            assert content, f"the committed {record} is gone"
            for file in json.loads(content)["files"]:
                found = state.get(f"{self.new.name}/{file['path']}")
                assert found is not None and len(found) == file["size"], f"{file['path']}, which {record} names, is gone"

    def states(self, judged: bool = True) -> Iterator[tuple[str, str, dict[str, bytes | None]]]:
        """Each different state once: the fate, the last change before it, and what is found. `judged`: what was committed is there."""
        seen = set()
        for number, line in enumerate(["", *self.lines]):
            if line:
                self.do(line)
            for fate in FATES:
                state, change = self.disk.after(fate, number), f"change {number}, {line[:200]}"
                try:
                    if judged:
                        self.check_committed(state)
                except AssertionError as error:
                    raise AssertionError(f"{self.trial.name}, {fate} after {change}: {error}") from error
                found = tuple(state.items())
                if found not in seen:
                    seen.add(found)
                    yield fate, change, state

    def start(self, place: Path, words: list[Any]) -> str:
        """Returns "right", or the sentence that refuses."""
        trial = self.trial
        given, trial.command = trial.command, replace(trial.command, words=words)
        result, files = trial.run(place, {})
        trial.command = given
        assert not any(word in result.stderr for word in SANITIZER_WORDS), result
        if result.status == trial.straight.status:
            assert files == trial.files, (result, differing(files, trial.files))
            return "right"
        assert result.status in (FAILED, USAGE), result
        return result.stderr.splitlines()[-1]

    def go_on(self, place: Path, words: list[Any]) -> str:
        """How the command ends: "right", "a minute's wait" for a lock that is torn, or "refused" in favour of --overwrite."""
        end = self.start(place, words)
        waits = "NEW/job.lock" in end
        if waits:
            (place / "job.lock").unlink()
            end = self.start(place, words)
        assert end == "right" or "--overwrite" in end, end
        return "refused" if end != "right" else "a minute's wait" if waits else end

    def check_verify(self, place: Path, state: dict[str, bytes | None]) -> None:
        """What verify calls whole is whole."""
        told = nina("verify", place, status=(DONE, FAILED, USAGE))
        if told.status == DONE:
            files = {name.removeprefix(f"{self.new.name}/"): content for name, content in state.items() if content is not None}
            whole = [self.trial.files]
            if self.trial.command.before:
                old = self.trial.given / self.trial.command.before
                whole.append({str(path.relative_to(old)): path.read_bytes() for path in old.rglob("*") if path.is_file()})
            parts = [{name: content for name, content in run.items() if "/" in name} for run in (files, *whole)]
            assert any(part.items() <= parts[0].items() for part in parts[1:]), told

    def try_state(self, fate: str, state: dict[str, bytes | None]) -> str:
        place, words = self.scratch / "found", self.trial.command.words
        resumed = [word for word in words if word != "--overwrite"]
        try:
            put(state, self.new.name, place)
            if place.exists():
                self.check_verify(place, state)
            end = self.go_on(place, resumed)  # of --overwrite too: the old run and the new one are not mixed
            if end == "refused":
                assert place.exists() and (fate != KEPT or words != resumed), fate
                assert self.go_on(place, [*resumed, "--overwrite"]) != "refused"
            if words != resumed:
                shutil.rmtree(place)
                put(state, self.new.name, place)
                assert self.go_on(place, words) != "refused"
            return end
        finally:
            shutil.rmtree(place, ignore_errors=True)


def chosen(outage: Outage) -> Iterator[tuple[str, str, dict[str, bytes | None]]]:
    """All states, or a few of each fate, from other places in each run."""
    states = list(outage.states())
    if FULL:
        yield from states
        return
    for fate in FATES:
        of_fate = [state for state in states if state[0] == fate]
        step = max(1, len(of_fate) // TRIED)
        yield from of_fate[RUNS.index(outage.trial.name) * 3 % step :: step]


@pytest.mark.parametrize("name", RUNS)
def test_run_whose_power_failed_goes_on_to_the_right_bytes(tmp_path: Path, given: Path, name: str) -> None:
    outage = Outage(name, given, tmp_path)
    for fate, change, state in chosen(outage):
        try:
            outage.try_state(fate, state)
        except AssertionError as error:
            raise AssertionError(f"{name}, {fate} after {change}: {error}") from error


@pytest.mark.parametrize("folder", ["", "parts"])
def test_run_after_one_that_was_killed_before_a_new_folder_was_synced_keeps_what_it_commits(tmp_path: Path, given: Path, folder: str) -> None:
    outage = Outage("embed with two threads", given, tmp_path)
    made = f"mkdir\t{outage.new}/{folder}".rstrip("/")
    outage.kill(outage.lines.index(made) + 1)
    for fate, change, state in chosen(outage):
        try:
            outage.try_state(fate, state)
        except AssertionError as error:
            raise AssertionError(f"{fate} after {change}: {error}") from error


def without_syncs(lines: list[str]) -> list[str]:
    """A record in which no vectors were synced."""
    opened, kept = {}, []
    for line in lines:
        what, *words = line.split("\t")
        if what == "open":
            opened[words[0]] = words[2]
        if what != "sync" or ".npy.zst." not in opened[words[0]]:
            kept.append(line)
    return kept


def test_run_that_does_not_sync_its_vectors_would_be_found_out(tmp_path: Path, given: Path) -> None:
    outage = Outage("embed with two threads", given, tmp_path)
    outage.lines = without_syncs(outage.lines)
    torn = [state for fate, _, state in outage.states(judged=False) if fate == TORN]
    with pytest.raises(AssertionError, match="w32/part-"):
        for state in reversed(torn):
            outage.try_state(TORN, state)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only")
    parser.add_argument("--step", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        given = make_given(Path(folder))
        for name in [arguments.only] if arguments.only else RUNS:
            table: Counter[tuple[str, str]] = Counter()
            scratch = Path(folder) / f"outages of {name}"
            scratch.mkdir()
            outage = Outage(name, given, scratch)
            states = list(outage.states())
            print(f"{name}: {len(outage.lines)} changes, {len(states)} states", flush=True)
            for fate, change, state in states[:: arguments.step]:
                try:
                    end = outage.try_state(fate, state)
                except AssertionError as error:
                    end = "FAULT"
                    print(f"{name}, {fate} after {change}: {error}"[:3000], flush=True)
                table[fate, end] += 1
            for (fate, end), count in sorted(table.items()):
                print(f"{fate:10} {end:16} {count}", flush=True)


if __name__ == "__main__":
    main()
