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
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from many import Ranks, finish, heeds, needs_mpirun, rank_processes, start
from output import Output, unzstd
from program import ANY, DONE, FAILED, FULL, USAGE, embed, nina, tokenize
from shards import write_shard
from test_scale import make_text, null_rows

pytestmark = needs_mpirun

ROWS, WIDTH = 100_000, 16
SHARES = {"a.jsonl.zst": 0.6, "b.jsonl": 0.15, "c.jsonl.gz": 0.2, "d.jsonl.zst": 0.05}  # share of the rows
OPTIONS: dict[str, Any] = {"widths": WIDTH, "block_lines": 1000, "threads": 1}
CHUNKS: dict[str, Any] = OPTIONS | {"chunk_tokens": 16, "chunk_overlap": 4}  # most texts become two rows and more
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


class Corpus:
    """The shards, and what every row must be."""

    def __init__(self, folder: Path) -> None:
        texts = [make_text(number) for number in range(ROWS)]
        self.shards, self.places, first = [], [], 0
        for shard, (name, share) in enumerate(SHARES.items()):
            count = round(ROWS * share)
            lines = (f'{{"text":"{text}"}}' for text in texts[first : first + count])
            self.shards.append(write_shard(folder / name, lines))
            self.places += [f"{shard}:{line}" for line in range(1, count + 1)]
            first += count
        assert first == ROWS
        self.rows = null_rows(tokenize(texts), WIDTH)
        # An earlier run that has half of the texts, in other places.
        halves = write_shard(folder / "old.jsonl", (f'{{"text":"{text}"}}' for text in texts[::-2]))
        self.old = folder / "old"
        embed(self.old, halves, **OPTIONS)
        embed(folder / "chunks", *self.shards, **CHUNKS)
        self.chunks = Output(folder / "chunks").embedding()
        assert Output(folder / "chunks").manifest()["totals"]["rows"] > 1.5 * ROWS

    def check(self, out: Path, chunked: bool) -> None:
        """Every row exactly once, in order, equal to its text's hash (with chunks: the bytes of a run without misfortunes); no
        other files; verify finds nothing."""
        output = Output(out)
        assert not output.temporaries() and not (out / "job.lock").exists()
        nina("verify", out)
        if chunked:
            assert output.embedding() == self.chunks
            return
        lines = unzstd(output.parts("ids")).splitlines()
        assert [json.loads(line)["id"] for line in lines] == self.places
        assert np.array_equal(output.vectors(WIDTH).view(np.uint16), self.rows.view(np.uint16))
        assert output.manifest()["totals"]["rows"] == ROWS


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


def attempt(rng: random.Random, out: Path, corpus: Corpus, options: dict[str, Any]) -> bool:
    """Starts the job once, with misfortunes. True if the job says that it is done."""
    count = rng.choice([1, 2, 3, 5])
    faults = [random_fault(rng) if rng.random() < 0.3 else None for _ in range(count)]
    groups = [Ranks(1, fault=fault) for fault in faults]
    rate = rng.choice([None, None, 200_000])
    reuse = rng.choice([None, corpus.old])  # each start with or without: the bytes are the same
    job = start(out, *corpus.shards, ranks=groups, null_rate=rate, grace=2, reuse=reuse, **options)
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


def chaos_round(seed: int, folder: Path, corpus: Corpus) -> int:
    """Starts the job until it is done; returns how many starts that took."""
    rng = random.Random(seed)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    options = rng.choice([OPTIONS, CHUNKS])
    starts = 1
    while starts < MOST_STARTS and not attempt(rng, out, corpus, options):
        starts += 1
    if starts == MOST_STARTS:
        embed(out, *corpus.shards, **options)
    corpus.check(out, options is CHUNKS)
    return starts


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


@pytest.mark.parametrize("seed", range(100 if FULL else 10))
def test_job_among_misfortunes_ends_with_every_row_once(seed: int, tmp_path: Path, corpus: Corpus) -> None:
    chaos_round(seed, tmp_path, corpus)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus, starts = Corpus(Path(folder)), 0
        for seed in range(arguments.seed, arguments.seed + arguments.rounds):
            starts += chaos_round(seed, Path(folder), corpus)
            print(f"seed {seed}: {starts} starts so far", flush=True)


if __name__ == "__main__":
    main()
