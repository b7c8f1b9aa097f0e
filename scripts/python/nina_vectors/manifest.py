"""What a run says about itself: OUT/manifest.json, and OUT/parts, a record for each part."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from .errors import DamagedError, NinaError, UsageError

MANIFEST = "manifest.json"
RECORDS = "parts"
FORMAT = 1  # of both; a newer one is refused
_DEFAULTS = {"text_field": "text"}  # of settings; all others are null, false, 0 or "" by default
AGAIN = "start the same nina embed again, unless one is at work there"

_RECORD_NAME = re.compile(r"part-([0-9]{5,10})-([0-9]{5,10})\.json")


class Shard(NamedTuple):
    """A file of the archive that a run embedded: its path as the command named it, its size in bytes, and a hash of its
    first and last 64 KiB."""

    path: str
    size: int
    fingerprint: str


class Part(NamedTuple):
    """The rows of one block of one shard; `first` is the number of its first row in the run."""

    shard: int
    block: int
    rows: int
    first: int

    @property
    def name(self) -> str:
        return part_name(self.shard, self.block)


def part_name(shard: int, block: int) -> str:
    return f"part-{shard:05d}-{block:05d}"


@dataclass(frozen=True)
class Record:
    """A part's commit record: rows, and size and XXH3-128 (hexadecimal) of each file by its path in OUT."""

    rows: int
    files: dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Manifest:
    """OUT/manifest.json. `parts` is None as long as the run has not ended."""

    version: str
    state: str  # "running", "complete", "incomplete"
    model: dict[str, Any]
    settings: dict[str, Any]
    compute_class: dict[str, Any]
    shards: list[Shard]
    parts: list[tuple[int, int, int]] | None  # shard, block, rows

    @property
    def widths(self) -> list[int]:
        """From the widest to the narrowest."""
        widths: list[int] = self.settings["widths"]
        return widths


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise DamagedError(f"{path} is not JSON: {error}") from error


def _part_of(name: str, rows: Any) -> tuple[int, int, int]:
    """A part of the manifest's list, whose name is "SHARD-BLOCK"."""
    shard, block = name.split("-")
    return int(shard), int(block), int(rows)


def manifest_read(out: Path) -> Manifest:
    """UsageError if `out` is not a run's folder, or one of a newer nina."""
    path = out / MANIFEST
    if not out.is_dir():
        raise UsageError(f"{out} is not a folder: name the folder that nina embed --out wrote")
    if not path.is_file() and (out / "corpus" / MANIFEST).is_file():
        raise UsageError(f"{out} is the output of nina eval, whose vectors are two runs: name {out}/corpus or {out}/queries")
    if not path.is_file():
        raise UsageError(f"{out} has no {MANIFEST}: it is not the output of nina embed")
    json_of = _json_of(path)
    try:
        if json_of["format"] > FORMAT:
            raise UsageError(f"{path} is of a newer nina (format {json_of['format']}): take its nina_vectors")
        parts: list[tuple[int, int, int]] | None = None
        if json_of["state"] != "running":
            parts = [_part_of(name, rows) for name, rows in json_of["parts"]]
            if any(part[:2] >= after[:2] for part, after in pairwise(parts)):
                raise ValueError("entries of parts are not in order")
        manifest = Manifest(
            version=json_of["nina"],
            state=json_of["state"],
            model=dict(json_of["model"]),
            settings=dict(json_of["settings"]),
            compute_class=dict(json_of["compute_class"]),
            shards=[Shard(shard["path"], shard["size"], shard["fingerprint"]) for shard in json_of["shards"]],
            parts=parts,
        )
        manifest.widths[0]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedError(f"{path} is not a manifest: {error!r}; nina verify says how it is repaired") from error
    return manifest


Stamp = tuple[int, int]  # size, time in nanoseconds


def _stamp(path: Path) -> Stamp | None:
    """Tells a file from another one that takes its place later. None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns


def manifest_stamp(out: Path) -> Stamp | None:
    return _stamp(out / MANIFEST)


def record_stamp(out: Path, shard: int, block: int) -> Stamp | None:
    return _stamp(_record_path(out, shard, block))


def _contents(shards: list[Shard]) -> list[tuple[int, str]]:
    """Without the paths: a run goes on after its shards were moved."""
    return [(shard.size, shard.fingerprint) for shard in shards]


def _model_and_settings(manifest: Manifest) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a resume compares of them. The model's name does not count: it is that of a folder, which may be another one with
    the same model. A setting that an older nina did not write has its default. (A model without a hash, of an older nina,
    counts as another one than the same with its hash.)"""
    model = {key: value for key, value in manifest.model.items() if key != "name"}
    return model, {key: value for key, value in (_DEFAULTS | manifest.settings).items() if value}


def _classes(manifest: Manifest) -> list[Any]:
    """The compute classes; a mixed run has several."""
    said = manifest.compute_class
    return list(said["mixed"]) if "mixed" in said else [said]


def goes_on(then: Manifest, now: Manifest) -> bool:
    """Whether `now`, read from the same OUT later, can be of the same run, which may have gone on since. Not known, so
    False, of standard input. Two runs of shards with the same fingerprints have equal manifests: ask about a part's record
    too."""
    sizes_known = all(shard.size >= 0 for shard in then.shards)
    same = _model_and_settings(then) == _model_and_settings(now)
    same = same and all(one in _classes(now) for one in _classes(then))  # --mixed adds classes
    return same and sizes_known and _contents(then.shards) == _contents(now.shards)[: len(then.shards)]


def _record_path(out: Path, shard: int, block: int) -> Path:
    return out / RECORDS / f"{part_name(shard, block)}.json"


def record_read(out: Path, shard: int, block: int) -> Record:
    """DamagedError if the record is missing or not one."""
    path = _record_path(out, shard, block)
    try:
        json_of = _json_of(path)
        files = {file["path"]: (int(file["size"]), str(file["hash"])) for file in json_of["files"]}
        if json_of["format"] > FORMAT or (json_of["shard"], json_of["block"]) != (shard, block):
            raise ValueError("it is another part's, or of a newer nina")
        return Record(int(json_of["rows"]), files)
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is missing: {AGAIN}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{path} is not a commit record: {error}; nina verify says how it is repaired") from error


def _is_whole(out: Path, record: Record) -> bool:
    """True if the record's files have their sizes. A resume asks no more."""
    try:
        return all((out / path).stat().st_size == size for path, (size, _) in record.files.items())
    except OSError:
        return False


def parts_committed(out: Path) -> list[tuple[int, int, int]]:
    """The parts of a run that has not ended, by shard and block, from their records. A part without a readable record, or
    without a file of it, does not exist (yet)."""
    found = []
    folder = out / RECORDS
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _RECORD_NAME.fullmatch(path.name)
        if not match:
            continue
        try:
            record = record_read(out, int(match[1]), int(match[2]))
        except NinaError:
            continue
        if _is_whole(out, record):
            found.append((int(match[1]), int(match[2]), record.rows))
    return sorted(found)


def identity_of(out: Path, manifest: Manifest, parts: list[Part]) -> str:
    """A hash (hexadecimal) of all that decides the rows (model, settings, shards and parts), and of the hashes of the parts'
    files: shards may change without changing in the manifest. Compute classes do not count: the files tell, and a mixed run
    that is started again may get another class without another row. Reads every record."""
    said = [*_model_and_settings(manifest), _contents(manifest.shards), parts]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for part in parts:
        digest.update(json.dumps(record_read(out, part.shard, part.block).files, sort_keys=True).encode())
    return digest.hexdigest()[:32]


def kept_fields_of(setting: str | None) -> list[str]:
    """The keys in fields/ from the option --keep-fields, in its order. A backslash keeps the comma after it in a key."""
    return re.findall(r"(?:\\.|[^,\\])+", setting or "", re.DOTALL)
