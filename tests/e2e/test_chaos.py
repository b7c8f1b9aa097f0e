"""A job that is killed, starved and struck at random moments, until it is done. By hand: test_chaos.py --rounds 1000 [--seed N]."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from many import Ranks, finish, heeds, needs_mpirun, rank_processes, start
from output import Output, unzstd
from program import ANY, DONE, FAILED, FULL, USAGE, embed, nina, tokenize
from shards import write_shard
from test_scale import make_text, null_rows

pytestmark = needs_mpirun

ROWS, WIDTH = 100_000, 16
SHARES = {"a.jsonl.zst": 0.6, "b.jsonl": 0.15, "c.jsonl.gz": 0.2, "d.jsonl.zst": 0.05}  # of the rows
OPTIONS = {"widths": WIDTH, "block_lines": 1000, "threads": 1}
SITES = {"write": 600, "sync": 400, "rename": 200, "read": 40}  # about so many calls a rank makes in a whole job
MOST_STARTS = 6  # of a round; the last is left in peace
# mpirun killed; mpirun after one of its ranks was, or was aborted; and mpirun 4.1 itself, which may crash when it gets a SIGTERM while
# it is ending (in PMIx_Finalize). A crash of a rank is 128 + SIGSEGV, and not among them.
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL, 128 + signal.SIGTERM, 128 + signal.SIGABRT, -signal.SIGSEGV)


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

    def check(self, out: Path) -> None:
        """Every row exactly once, in order, equal to the hash of its text; nothing else there; verify is content."""
        output = Output(out)
        lines = unzstd(output.parts("ids")).splitlines()
        assert [json.loads(line)["id"] for line in lines] == self.places
        assert np.array_equal(output.vectors(WIDTH).view(np.uint16), self.rows.view(np.uint16))
        assert output.manifest()["totals"]["rows"] == ROWS
        assert not output.temporaries() and not (out / "job.lock").exists()
        nina("verify", out)


def random_fault(rng: random.Random) -> str:
    site = rng.choice(list(SITES))
    action = rng.choice(["ENOSPC", "EIO", "kill"]) if site != "read" else rng.choice(["EIO", "kill"])
    return f"{site}:{rng.randint(1, SITES[site])}{rng.choice(['', '+'])}:{action}"


def strike(rng: random.Random, job: subprocess.Popen[bytes], count: int) -> None:
    """Kills, or warns, a rank, the launcher or all of it."""
    ranks = rank_processes(job)
    what = rng.choice(["rank", "launcher", "everybody", "warn", "end"])
    if what == "rank" and ranks:
        os.kill(rng.choice(ranks), signal.SIGKILL)
    elif what == "warn" and sum(heeds(rank, signal.SIGUSR1) for rank in ranks) == count:  # who is not yet there would die of it
        job.send_signal(signal.SIGUSR1)
    elif what == "end":
        job.send_signal(signal.SIGTERM)
    else:
        job.kill()
        for rank in ranks if what == "everybody" else []:
            try:
                os.kill(rank, signal.SIGKILL)
            except ProcessLookupError:
                pass


def attempt(rng: random.Random, out: Path, corpus: Corpus) -> bool:
    """One start of the job, among misfortunes. True when it says that it is done."""
    count = rng.choice([1, 2, 3, 5])
    groups = [Ranks(1, fault=random_fault(rng) if rng.random() < 0.3 else None) for _ in range(count)]
    rate = rng.choice([None, None, 200_000])
    job = start(out, *corpus.shards, ranks=groups, null_rate=rate, grace=2, **OPTIONS)
    if rng.random() < 0.7:
        time.sleep(rng.uniform(0.2, 2.0))
        if job.poll() is None:
            strike(rng, job, count)
    # A start right after a kill may find ranks of the last one that are still there, and is refused after a while.
    status = finish(job, (DONE, FAILED, USAGE, *KILLED)).status
    return status == DONE


def chaos_round(seed: int, folder: Path, corpus: Corpus) -> int:
    """Starts the job until it is done; returns how often."""
    rng = random.Random(seed)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    starts = 1
    while starts < MOST_STARTS and not attempt(rng, out, corpus):
        starts += 1
    if starts == MOST_STARTS:
        embed(out, *corpus.shards, **OPTIONS)
    corpus.check(out)
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
