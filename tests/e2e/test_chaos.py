"""A job that is killed, starved and struck at random moments, until it is done. By hand: test_chaos.py --rounds 1000 [--seed N]."""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from many import Ranks, finish, heeds, needs_mpirun, rank_processes, start
from output import Output, unzstd
from program import DONE, FAILED, FULL, LONGEST_RUN, USAGE, embed, has_int8, nina, tokenize
from shards import write_shard
from test_scale import make_text, null_rows

pytestmark = needs_mpirun

ROWS, INT8_ROWS, WIDTH = 100_000, 20_000, 16
SHARES = {"a.jsonl.zst": 0.6, "b.jsonl": 0.15, "c.jsonl.gz": 0.2, "d.jsonl.zst": 0.05}  # share of the rows
OPTIONS: dict[str, Any] = {"widths": WIDTH, "block_lines": 1000, "threads": 1}
CHUNKS: dict[str, Any] = OPTIONS | {"chunk_tokens": 16, "chunk_overlap": 4}  # most texts become two rows and more
INT8: dict[str, Any] = OPTIONS | {"block_lines": INT8_ROWS // 100, "device": "cpu", "precision": "int8"}
SITES = {"write": 600, "sync": 400, "rename": 200, "read": 40}  # roughly the calls that a rank makes in a whole job
STILL = 15  # seconds for which mpirun may go on without a rank
MOST_STARTS = 6  # per round; the last start meets no misfortune
# If a signal kills mpirun itself, the status is -N; if a signal kills a rank, it is 128 + N. Each misfortune explains the statuses
# below. No misfortune explains a rank's crash or failed assertion (128 + SIGSEGV, SIGABRT).
RANK_DIED = (128 + signal.SIGKILL,)
EXPLAINED = {
    None: (),
    "rank": RANK_DIED,
    "launcher": (-signal.SIGKILL,),
    "everybody": (-signal.SIGKILL, *RANK_DIED),
    "warn": (),
    # The signal kills mpirun if it is not ready yet; and mpirun 4.1 may crash (in PMIx_Finalize) if the signal comes while it ends.
    "end": (128 + signal.SIGTERM, -signal.SIGTERM, -signal.SIGSEGV),
}
CRASH = re.compile(r"\[[^\]]*:(\d+)\] \*\*\* Process received signal")  # what Open MPI makes a crashing process print, with its id


class Archive:
    """Shards, an earlier run that has half of their texts, and what a run without misfortunes makes of them."""

    def __init__(self, folder: Path, texts: list[str], options: dict[str, Any]) -> None:
        self.options, self.shards, first = options, [], 0
        self.places: list[str] = []
        folder.mkdir()
        for shard, (name, share) in enumerate(SHARES.items()):
            count = round(len(texts) * share)
            self.shards.append(write_shard(folder / name, documents_of(texts[first : first + count])))
            self.places += [f"{shard}:{line}" for line in range(1, count + 1)]
            first += count
        assert first == len(texts)
        self.old = folder / "old"  # in other places
        embed(self.old, write_shard(folder / "old.jsonl", documents_of(texts[::-2])), **options)
        self.straight = Output(folder / "straight")
        embed(self.straight.path, *self.shards, **options)
        self.expected = self.straight.embedding()

    def check(self, out: Path) -> None:
        """The bytes of a run without misfortunes, no other files; verify finds nothing."""
        output = Output(out)
        assert not output.temporaries() and not (out / "job.lock").exists()
        nina("verify", out)
        assert output.embedding() == self.expected


def documents_of(texts: list[str]) -> Iterator[str]:
    return (f'{{"text":"{text}"}}' for text in texts)


def make_archives(folder: Path) -> dict[str, Archive]:
    """One for each kind of run."""
    texts = [make_text(number) for number in range(ROWS)]
    rows = Archive(folder / "rows", texts, OPTIONS)
    # Every row exactly once, in order, equal to its text's hash.
    lines = unzstd(rows.straight.parts("ids")).splitlines()
    assert [json.loads(line)["id"] for line in lines] == rows.places
    assert np.array_equal(rows.straight.vectors(WIDTH).view(np.uint16), null_rows(tokenize(texts), WIDTH).view(np.uint16))
    chunks = Archive(folder / "chunks", texts, CHUNKS)
    assert chunks.straight.manifest()["totals"]["rows"] > 1.5 * ROWS
    archives = {"rows": rows, "chunks": chunks}
    return archives | {"int8": Archive(folder / "int8", texts[:INT8_ROWS], INT8)} if has_int8() else archives


def random_fault(rng: random.Random) -> str:
    site = rng.choice(list(SITES))
    action = rng.choice(["ENOSPC", "EIO", "kill"]) if site != "read" else rng.choice(["EIO", "kill"])
    return f"{site}:{rng.randint(1, SITES[site])}{rng.choice(['', '+'])}:{action}"


def kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def strike(rng: random.Random, job: subprocess.Popen[bytes], count: int) -> str:
    """Kills or warns a rank, the launcher or all of them; returns what it did."""
    ranks = rank_processes(job)
    what = rng.choice(["rank", "launcher", "everybody", "warn", "end"])
    heeding = sum(heeds(rank, signal.SIGUSR1) for rank in ranks) == count  # a rank that is not ready would die from a warning
    if (what == "rank" and not ranks) or (what == "warn" and not heeding):
        what = "launcher"
    if what == "rank":
        kill(rng.choice(ranks))
    elif what == "warn":
        job.send_signal(signal.SIGUSR1)
    elif what == "end":
        job.send_signal(signal.SIGTERM)
    else:
        job.kill()
        for rank in ranks if what == "everybody" else []:
            kill(rank)
    return what


def end_of_ranks(job: subprocess.Popen[bytes]) -> bool:
    """Waits for the job. mpirun 4.1 sometimes never ends after its ranks have ended, because it waits for a lock in
    PMIx_server_finalize. It is then killed, and this is reported."""
    lonely = 0
    while job.poll() is None:
        lonely = 0 if rank_processes(job) else lonely + 1
        if lonely == STILL:
            job.kill()
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.communicate(timeout=1)
    return False


def attempt(rng: random.Random, out: Path, archive: Archive, shards: list[Path], append: bool) -> bool:
    """Starts the job once, with misfortunes. True if the job says that it is done."""
    count = rng.choice([1, 2, 3, 5])
    faults = [random_fault(rng) if rng.random() < 0.3 else None for _ in range(count)]
    groups = [Ranks(1, fault=fault) for fault in faults]
    # Each start at another rate, and with or without the earlier run: the bytes are the same.
    options = archive.options | {"reuse": rng.choice([None, archive.old])}
    if "device" not in options:
        options["null_rate"] = rng.choice([None, None, 200_000])
    job = start(out, *shards, ranks=groups, grace=2, append=append, **options)
    struck = None
    if rng.random() < 0.7:
        time.sleep(rng.uniform(0.2, 2.0))
        if job.poll() is None:
            struck = strike(rng, job, count)
    died = RANK_DIED if any(fault and fault.endswith("kill") for fault in faults) else ()
    # A start right after a kill may find ranks from the last start that still live; it is then refused after a while.
    stuck = (-signal.SIGKILL,) if end_of_ranks(job) else ()
    result = finish(job, (DONE, FAILED, USAGE, *EXPLAINED[struck], *died, *stuck))
    assert set(map(int, CRASH.findall(result.stderr))) <= {job.pid}, result.stderr
    return result.status == DONE


def complete(out: Path, shards: list[Path], append: bool, options: dict[str, Any]) -> None:
    """The last start meets no misfortune. While ranks of the start before it still live, it is refused."""
    end = time.monotonic() + LONGEST_RUN
    while (refused := embed(out, *shards, append=append, status=(DONE, USAGE), **options)).status == USAGE:
        refused.says("another job, process")
        assert time.monotonic() < end, refused
        time.sleep(1)


def chaos_round(seed: int, folder: Path, archives: dict[str, Archive]) -> tuple[str, int]:
    """Starts the job until it is done; returns what kind of run it was, and how many starts it took."""
    rng = random.Random(seed)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    kind = list(archives)[seed % len(archives)]
    archive = archives[kind]
    shards = archive.shards
    # Every other round of a kind, the archive grows once: after the run is done, or after a start or two.
    grows = seed // len(archives) % 2 == 1
    begun, patience = (rng.randrange(1, len(shards)), rng.choice([1, 2])) if grows else (len(shards), 0)
    starts = 1
    while starts < MOST_STARTS:
        done = attempt(rng, out, archive, shards[:begun], append=grows and begun == len(shards))
        if done and begun == len(shards):
            break
        if done or starts >= patience:
            begun = len(shards)
        starts += 1
    if starts == MOST_STARTS:
        complete(out, shards, grows, archive.options)
    archive.check(out)
    return f"{kind}, appended" if grows else kind, starts


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Archive]:
    return make_archives(tmp_path_factory.mktemp("archives"))


@pytest.mark.parametrize("seed", range(100 if FULL else 10))
def test_job_among_misfortunes_ends_with_every_row_once(seed: int, tmp_path: Path, archives: dict[str, Archive]) -> None:
    chaos_round(seed, tmp_path, archives)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    arguments = parser.parse_args()
    rounds, starts = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        archives = make_archives(Path(folder))
        for seed in range(arguments.seed, arguments.seed + arguments.rounds):
            kind, took = chaos_round(seed, Path(folder), archives)
            rounds[kind] += 1
            starts[kind] += took
            print(f"seed {seed}: {kind}, {took} starts", flush=True)
    print(*(f"{kind}: {rounds[kind]} rounds, {starts[kind]} starts" for kind in sorted(rounds)), sep="\n")
    print(f"in all: {rounds.total()} rounds, {starts.total()} starts; each ended with the bytes of a run without misfortunes")


if __name__ == "__main__":
    main()
