"""A bit of a part's file flips on the disk. What reads the file gives the same result as before, or an error; never another result."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import package  # noqa: F401  makes nina_vectors be found
from output import Output
from program import DONE, FAILED, MODEL, Argument, Status, embed, nina
from shards import make_texts, write_shard

import nina_vectors

FLIPS = 25  # of each file
OPTIONS: dict[str, Any] = {"widths": "64,16", "block_lines": 40, "id_field": "id", "keep_fields": "n", "store_text": True}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two equal runs of two parts; the second run is damaged."""
    folder = tmp_path_factory.mktemp("flips")
    texts = make_texts(60, 5)
    shard = write_shard(folder / "a.jsonl", [{"id": f"d{i}", "text": text, "n": i % 7} for i, text in enumerate(texts)])
    for name in ("old", "new"):
        embed(folder / name, shard, **OPTIONS)
    return folder / "old", folder / "new"


def flips(path: Path, seed: str) -> Iterator[int]:
    """Flips one bit of the file at a time; gives the bit's number."""
    content, chance = path.read_bytes(), random.Random(seed)
    for bit in chance.sample(range(8 * len(content)), FLIPS):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            yield bit
        finally:
            path.write_bytes(content)


def run(arguments: Sequence[Argument], status: Status) -> tuple[int, str]:
    done = nina(*arguments, status=status)
    return done.status, done.stdout


def search(out: Path, status: Status, *arguments: Argument) -> tuple[int, str]:
    return run(["search", "--model", MODEL, "--device", "null", "--vectors", out, "--json", *arguments, "la plaça"], status)


# The folders whose files the command reads, and the command: old, new, status.
COMMANDS: dict[str, tuple[tuple[str, ...], Callable[[Path, Path, Status], tuple[int, str]]]] = {
    "search": (("ids", "text", "w64"), lambda old, new, status: search(new, status, "--top-k", 7)),
    "search --where": (("fields",), lambda old, new, status: search(new, status, "--top-k", 60, "--where", "n<3")),
    "diff": (("ids", "fields", "hashes"), lambda old, new, status: run(["diff", old, new], status)),
}


@pytest.mark.sanitize
@pytest.mark.parametrize("command", COMMANDS)
def test_a_flipped_bit_never_gives_another_result(pair: tuple[Path, Path], command: str) -> None:
    folders, command_run = COMMANDS[command]
    right, failures = command_run(*pair, DONE), 0
    for folder in folders:
        path = Output(pair[1]).parts(folder)[0]
        for bit in flips(path, f"{command} {folder}"):
            status, found = command_run(*pair, (DONE, FAILED))
            # What was printed before the error may have been used already.
            good = found == right[1] if status == DONE else right[1].startswith(found)
            assert good, f"bit {bit} of {folder}/{path.name}"
            failures += status == FAILED
    assert failures > len(folders)
    assert command_run(*pair, DONE) == right


def read_rows(out: Path) -> list[Any]:
    """A few rows, each by itself, as nina_vectors reads them: only the frames that hold them."""
    with nina_vectors.open(out) as run:
        vectors, hashes = run.vectors(16), run.hashes()
        places = (0, 17, 39, 59)
        lines = [(*run.ids(k, k + 1), *run.texts(k, k + 1), *run.field_lines(k, k + 1)) for k in places]
        return [lines, [np.asarray(vectors[k]).tobytes() for k in places], [np.asarray(hashes[k]).tobytes() for k in places]]


@pytest.mark.parametrize("folder", ["ids", "text", "fields", "w16", "hashes"])
def test_nina_vectors_never_reads_a_flipped_bit(pair: tuple[Path, Path], folder: str) -> None:
    right, failures = read_rows(pair[1]), 0
    for bit in flips(Output(pair[1]).parts(folder)[0], folder):
        try:
            assert read_rows(pair[1]) == right, f"bit {bit}"
        except nina_vectors.DamagedError:
            failures += 1
    assert failures > 0
