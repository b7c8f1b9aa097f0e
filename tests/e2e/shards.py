"""Writes shards."""

import gzip
import json
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

WORDS = """ajuntament plaça carrer llicència obres termini sol·licitud d'empadronament l'alcaldia ple acta arxiu
municipal biblioteca aigua residus escola mercat festa major subvenció per a entitats beca menjador padró taxa
ordenança reglament veïns barri parc""".split()


def line_of(document: dict[str, Any] | bytes | str) -> bytes:
    """A document as a line without the line end; bytes and strings stay unchanged."""
    if isinstance(document, dict):
        document = json.dumps(document, ensure_ascii=False)
    return document.encode() if isinstance(document, str) else document


def lines_of(documents: Iterable[dict[str, Any] | bytes | str]) -> bytes:
    return b"".join(line_of(document) + b"\n" for document in documents)


def compress(content: bytes, ending: str) -> bytes:
    """`content` packed as a file with this ending: .gz, .zst; any other ending means plain."""
    if ending == ".gz":
        return gzip.compress(content, compresslevel=1, mtime=0)
    if ending == ".zst":
        return subprocess.run(
            ["zstd", "-q", "-1", "-c"], input=content, check=True, capture_output=True
        ).stdout
    return content


def write_shard(path: Path, documents: Iterable[dict[str, Any] | bytes | str]) -> Path:
    path.write_bytes(compress(lines_of(documents), path.suffix))
    return path


def read_shard(path: Path) -> bytes:
    """A shard's decompressed bytes."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", "--", path], check=True, capture_output=True).stdout
    return path.read_bytes()


def make_texts(count: int, seed: int, longest: int = 30) -> list[str]:
    """Texts of 1 to `longest` words; each contains its number, so that no two are equal."""
    rng = random.Random(seed)
    return [" ".join([*rng.choices(WORDS, k=rng.randint(1, longest)), f"{seed}/{i}"]) for i in range(count)]


def make_documents(count: int, seed: int, longest: int = 30) -> list[dict[str, Any]]:
    return [{"text": text} for text in make_texts(count, seed, longest)]


def make_archive(folder: Path, rows: tuple[int, ...], longest: int = 30) -> list[Path]:
    """One shard for each entry in `rows`: plain, gzip and zstd in turn."""
    endings = (".jsonl", ".jsonl.gz", ".jsonl.zst")
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write_shard(folder / f"shard-{i}{endings[i % 3]}", make_documents(count, i, longest))
        for i, count in enumerate(rows)
    ]
