"""Many rows: no row is lost, doubled or misplaced. The null encoder's rows differ from text to text."""

from pathlib import Path

import numpy as np
import pytest
import xxhash

from output import Output, derive, same_bits, unzstd
from program import FULL, embed, nina, tokenize
from shards import WORDS, write_shard

ROWS = (2_000_000 if FULL else 200_000) // 8  # per shard, for the eight shards that have rows
SHARDS = ["a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.jsonl", "empty.jsonl", "e.jsonl.zst", "f.jsonl.gz"]
SHARDS += ["g.jsonl", "h.jsonl"]
WIDEST, NARROW = 48, 16
CHUNK = 50_000  # rows compared at a time


def mix(z: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def null_rows(ids: list[list[int]], width: int) -> np.ndarray:
    """The null encoder's rows, by the definition in host/cpu/encoder_null.h."""
    contents = (np.array(tokens, "<i4").tobytes() for tokens in ids)
    hashes = np.array([xxhash.xxh3_64_intdigest(content) for content in contents], np.uint64)
    steps = np.arange(1, width + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    top = (mix(hashes[:, None] + steps) >> np.uint64(48)).astype(np.uint16).view(np.int16)
    x = top.astype(np.float32) / np.float32(32768)
    s = (1 / np.sqrt(np.square(x.astype(np.float64)).sum(axis=1, keepdims=True))).astype(np.float32)
    return (x * s).astype(np.float16)


def make_text(number: int) -> str:
    """A different text for every number, with one to twelve words."""
    return " ".join(WORDS[(number * 7 + i * i) % len(WORDS)] for i in range(number % 12)) + f" {number}"


def test_each_of_many_rows_is_that_of_its_own_text(tmp_path: Path) -> None:
    texts, shards, places = [], [], []
    for shard, name in enumerate(SHARDS):
        count = 0 if name.startswith("empty") else ROWS
        documents = [make_text(len(texts) + i) for i in range(count)]
        places += [f"{shard}:{line}" for line in range(1, count + 1)]
        shards.append(write_shard(tmp_path / name, (f'{{"text":"{text}"}}' for text in documents)))
        texts += documents
    assert len(set(texts)) == len(texts) == 8 * ROWS
    embed(tmp_path / "out", *shards, widths=f"{WIDEST},{NARROW}", batch_tokens=5000)
    nina("verify", tmp_path / "out")

    output = Output(tmp_path / "out")
    assert [line.split(b'"', 4)[3].decode() for line in unzstd(output.parts("ids")).splitlines()] == places
    ids = tokenize(texts)
    widest, narrow = output.vectors(WIDEST), output.vectors(NARROW)
    assert len(widest) == len(narrow) == len(texts)
    for start in range(0, len(texts), CHUNK):
        expected = null_rows(ids[start : start + CHUNK], WIDEST)
        assert same_bits(widest[start : start + CHUNK], expected)
        assert same_bits(narrow[start : start + CHUNK], derive(expected, NARROW))


@pytest.mark.threads
@pytest.mark.sanitize
def test_rows_of_the_null_encoder_are_as_its_header_says(tmp_path: Path) -> None:
    texts = [make_text(number) for number in range(300)] + [""]
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    embed(tmp_path / "out", shard, threads=3, block_lines=50)
    assert same_bits(Output(tmp_path / "out").vectors(128), null_rows(tokenize(texts), 128))
