"""Reads and replaces what a run wrote, using only the format that README promises and none of nina's own code."""

import io
import json
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from shards import compress

SEEK_TABLE_MAGIC, SKIPPABLE_MAGIC = 0x8F92EAB1, 0x184D2A5E  # zstd's seekable format, version 0.1.0


def unzstd(paths: Sequence[Path]) -> bytes:
    """The decompressed content of .zst files, one after another."""
    if not paths:
        return b""
    return subprocess.run(["zstd", "-dcq", "--", *paths], check=True, capture_output=True).stdout


def unzstd_bytes(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-dcq"], input=content, check=True, capture_output=True).stdout


def hash128(content: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(content)


def seek_table(content: bytes) -> list[tuple[int, int]]:
    """(compressed, decompressed) size of every frame, from the table at the end of a seekable .zst file."""
    count, descriptor, magic = struct.unpack("<IBI", content[-9:])
    assert magic == SEEK_TABLE_MAGIC and descriptor == 0
    table = content[-(8 * count + 17) :]
    assert struct.unpack("<II", table[:8]) == (SKIPPABLE_MAGIC, 8 * count + 9)
    frames = list(struct.iter_unpack("<II", table[8 : 8 + 8 * count]))
    assert sum(compressed for compressed, _ in frames) == len(content) - len(table)
    return frames


def frame_texts(content: bytes) -> list[bytes]:
    """Every frame, decompressed by itself."""
    texts, at = [], 0
    for compressed, decompressed in seek_table(content):
        texts.append(unzstd_bytes(content[at : at + compressed]))
        assert len(texts[-1]) == decompressed
        at += compressed
    return texts


def seekable(texts: Sequence[bytes]) -> bytes:
    """A seekable .zst file whose frames are these texts."""
    frames = [compress(text, ".zst") for text in texts]
    table = b"".join(struct.pack("<II", len(frame), len(text)) for frame, text in zip(frames, texts, strict=True))
    head = struct.pack("<II", SKIPPABLE_MAGIC, len(table) + 9)
    return b"".join(frames) + head + table + struct.pack("<IBI", len(frames), 0, SEEK_TABLE_MAGIC)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two fp16 arrays are equal to the last bit."""
    return np.array_equal(a.view(np.uint16), b.view(np.uint16))


def derive(h: np.ndarray, width: int) -> np.ndarray:
    """Derives rows at a narrower width from h, the rows at the widest width: README's three lines."""
    x = h[:, :width].astype(np.float32)
    s = (1 / np.sqrt(np.square(x.astype(np.float64)).sum(axis=1, keepdims=True))).astype(np.float32)
    return (x * s).astype(np.float16)


class Output:
    """An OUT folder. Everything comes in the order of shards and blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def parts(self, folder: str) -> list[Path]:
        return sorted((self.path / folder).glob("part-*"))

    def files(self, *patterns: str) -> dict[str, bytes]:
        """Maps paths inside OUT to contents, for every file that matches a pattern such as `w*/*`."""
        found = (path for pattern in patterns for path in self.path.glob(pattern) if path.is_file())
        return {str(path.relative_to(self.path)): path.read_bytes() for path in found}

    def embedding(self) -> dict[str, bytes]:
        """What must not depend on threads, kills and restarts: all files in all parts."""
        return self.files("w*/*", "ids/*", "hashes/*", "text/*", "fields/*", "rejects/*", "parts/*")

    def temporaries(self) -> list[str]:
        return [str(path) for path in self.path.rglob("*.tmp")]

    def manifest(self) -> dict[str, Any]:
        return json.loads((self.path / "manifest.json").read_text())

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in self.parts("parts")]

    def ids(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in unzstd(self.parts("ids")).splitlines()]

    def texts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in unzstd(self.parts("text")).splitlines()]

    def fields(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in unzstd(self.parts("fields")).splitlines()]

    def rejects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for path in self.parts("rejects") for line in path.read_text().splitlines()]

    def part_vectors(self, width: int) -> list[np.ndarray]:
        """Each part's array."""
        stream, arrays = io.BytesIO(unzstd(self.parts(f"w{width}"))), []
        while stream.tell() < len(stream.getbuffer()):
            arrays.append(np.load(stream))
        return arrays

    def vectors(self, width: int) -> np.ndarray:
        return np.concatenate(self.part_vectors(width))

    def replace(self, path: Path, content: bytes) -> None:
        """Puts other content in the place of a part's file, with a record that says so."""
        path.write_bytes(content)
        record_path = self.path / "parts" / f"{path.name.split('.')[0]}.json"
        record = json.loads(record_path.read_text())
        (entry,) = [entry for entry in record["files"] if entry["path"] == str(path.relative_to(self.path))]
        entry |= {"size": len(content), "hash": hash128(content)}
        record_path.write_text(json.dumps(record))
