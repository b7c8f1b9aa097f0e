"""A run's output: rows in the order of the input, read as they are needed."""

from __future__ import annotations

import json
import os
import warnings
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import ChangedError, DamagedError, IncompleteWarning, NinaError, UsageError, needs
from .manifest import AGAIN, Part, Shard, Stamp, goes_on, identity_of, kept_fields_of, manifest_read, manifest_stamp, parts_committed, record_read, record_stamp
from .row_files import LineFile, NumberFile
from .rows import Rows, Vectors

_OPEN_FILES = 16  # kept open, each with one decompressed frame
_LINES_AT_ONCE = 4096  # lines that are parsed together, or fewer of
_LINE_BYTES_AT_ONCE = 16 << 20
_HASHED_AT_ONCE = 1 << 20  # bytes


class Id(NamedTuple):
    """A row's id and the place of its text: a line of OUT/ids.

    shard, line     number of the file in Output.shards, and line in it (from 1)
    offset          first byte of the line, in decompressed bytes
    tokens          of the model, special tokens, prompt and title included
    truncated       whether the text was cut off
    chunk           its number in the document; None without --chunk-tokens
    start, end      what was embedded, text[start:end] in Python; end is None if that is the whole text
    """

    id: str | int
    shard: int
    line: int
    offset: int
    tokens: int
    truncated: bool
    chunk: int | None = None
    start: int | None = None
    end: int | None = None


class Row(NamedTuple):
    """Everything of one row. `vector` is [width] fp16; `text` is None without --store-text, `fields` without
    --keep-fields."""

    number: int
    id: Id
    vector: npt.NDArray[np.float16]
    text: str | None
    fields: dict[str, Any] | None


@dataclass(frozen=True)
class Batch:
    """Rows first … first + len(ids) - 1. `vectors` is [rows, width] fp16; `texts` and `fields` are None unless asked for."""

    first: int
    ids: list[Id]
    vectors: npt.NDArray[np.float16]
    texts: list[str] | None
    fields: list[dict[str, Any]] | None

    def __len__(self) -> int:
        return len(self.ids)


class Output:
    """What `nina embed --out OUT` wrote; nothing in OUT is ever changed. Threads may share it, and take turns; other processes
    get one of their own by pickle.

    path, manifest   the folder, behind all links, and what manifest.json says (model, settings, shards, state)
    widths           the widths that are stored, from the widest to the narrowest; every narrower one can be asked for
    shards           the files that were embedded: path, size, fingerprint
    parts            the parts, in the order of their rows
    rows             their number, also len()
    complete         False if the run has not ended, or if a shard is damaged
    chunks           whether a document may have several rows
    stores_text      whether texts are stored (--store-text)
    kept_fields      the keys of `fields`, in their order (--keep-fields)
    identity         32 hexadecimal digits: differs if model, settings, shards or any file of a part differs; reads all records

    Memory is that of one part's names and a few frames of 128 KiB, however long the run is. Errors: UsageError for what a
    run does not have, DamagedError for files that are not what their record says, ChangedError if another run has taken
    OUT's place since it was opened (a run that went on, --append or a resume, has its rows still), OSError.
    """

    def __init__(self, path: str | Path, *, check_hashes: bool = False) -> None:
        """Opens OUT. With `check_hashes`, every file is read whole and held against its record's XXH3-128 before anything
        of it is used (this needs xxhash). Warns with IncompleteWarning if the run is not complete."""
        self.path = Path(os.path.realpath(path))  # a link may lead elsewhere tomorrow, and a program may change its folder
        self._stamp = manifest_stamp(self.path)
        self.manifest = manifest_read(self.path)
        self._check_hashes = check_hashes
        found = self.manifest.parts
        if found is None:
            found = parts_committed(self.path)
        self.parts: list[Part] = []
        self.rows = 0
        for shard, block, rows in found:
            self.parts.append(Part(shard, block, rows, self.rows))
            self.rows += rows
        self._first = [part.first for part in self.parts]
        # A run that begins anew removes the old records before its manifest takes the place of the old one, and a run that
        # goes on leaves them alone, so the record tells the runs apart even if their manifests are equal.
        record = self._first_record()
        self._record = record if manifest_stamp(self.path) == self._stamp else None  # another manifest: perhaps not its record
        self._by_name: dict[str, Part] = {}  # filled by number_of
        self.turn = RLock()  # of a reader of part_file, whose files others close
        self._files: OrderedDict[tuple[str, int], NumberFile | LineFile] = OrderedDict()
        self.complete = self.manifest.state == "complete"
        if check_hashes:
            _xxhash()
        if not self.complete:
            warnings.warn(
                f"{self.path} is {self.manifest.state}: it has {self.rows} rows in {len(self.parts)} parts so far; "
                "start the same nina embed again to complete it", IncompleteWarning, stacklevel=3)

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        return f"<nina_vectors.Output {str(self.path)!r}: {self.rows} rows, widths {self.widths}, {self.manifest.state}>"

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files that are open; reading opens them again."""
        with self.turn:
            while self._files:
                self._files.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which opens the files itself."""
        return self.__dict__ | {"turn": None, "_files": OrderedDict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state | {"turn": RLock()}

    @property
    def widths(self) -> list[int]:
        return self.manifest.widths

    @property
    def shards(self) -> list[Shard]:
        return self.manifest.shards

    @property
    def chunks(self) -> bool:
        return bool(self.manifest.settings.get("chunk_tokens"))

    @property
    def stores_text(self) -> bool:
        return bool(self.manifest.settings.get("store_text"))

    @property
    def kept_fields(self) -> list[str]:
        return kept_fields_of(self.manifest.settings.get("keep_fields"))

    @property
    def stores_hashes(self) -> bool:
        return bool(self.manifest.settings.get("hashes"))

    @property
    def identity(self) -> str:
        try:
            return identity_of(self.path, self.manifest, self.parts)
        finally:
            self._check_stands()

    # Vectors and hashes.

    def vectors(self, width: int | None = None) -> Vectors:
        """The vectors at a width (by default the widest), [rows, width] fp16, as something that reads when it is indexed:
        `v[7]`, `v[1000:2000]`, `v[[3, 1, 4]]`, `np.asarray(v)` for all of them. A width that is not stored is made from
        the widest, with the bits that nina would have written. Each row has length 1, or is all zero."""
        widest = self.widths[0]
        width = widest if width is None else width
        if not 1 <= width <= widest:
            raise UsageError(f"{self.path} has vectors of 1 to {widest} numbers, none of {width}")
        return Vectors(self, width, width if width in self.widths else widest)

    def hashes(self) -> Rows:
        """XXH3-128 of each row's token ids, [rows, 16] bytes, read when indexed. Two rows of one model with equal hashes
        are the same row."""
        if not self.stores_hashes:
            raise UsageError(f"{self.path} has no hashes: an older nina began it")
        return Rows(self, "hashes", 16, np.dtype("|u1"))

    # Lines: ids, texts, fields.

    def ids(self, start: int = 0, stop: int | None = None) -> Iterator[Id]:
        """The ids of rows start … stop - 1, of all by default."""
        for said in self._objects("ids", start, stop):
            yield Id(said["id"], said["shard"], said["line"], said["offset"], said["tokens"], said["truncated"],
                     said.get("chunk"), said.get("start"), said.get("end"))

    def texts(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """The texts of rows start … stop - 1 (of a chunk, its own); UsageError if the run has none (--store-text)."""
        if not self.stores_text:
            raise UsageError(f"{self.path} has no texts: they are stored with nina embed --store-text")
        return (said["text"] for said in self._objects("text", start, stop))

    def fields(self, start: int = 0, stop: int | None = None) -> Iterator[dict[str, Any]]:
        """The kept fields of rows start … stop - 1, as an object each; UsageError if the run has none (--keep-fields)."""
        self._check_fields()
        return self._objects("fields", start, stop)

    def field_lines(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The same as the JSON that is stored: values have the bytes that came in."""
        self._check_fields()
        return self._lines("fields", start, stop)

    def _check_fields(self) -> None:
        if not self.kept_fields:
            raise UsageError(f"{self.path} has no fields: they are stored with nina embed --keep-fields")

    def _lines(self, folder: str, start: int, stop: int | None) -> Iterator[bytes]:
        stop = self.rows if stop is None else min(stop, self.rows)
        for number, first, count in self.places(start, stop):
            while count:
                with self.turn:  # opened anew if others were read since
                    file = self.part_file(folder, number)
                    assert isinstance(file, LineFile)
                    lines = file.lines(first, count)
                yield from lines
                first, count = first + len(lines), count - len(lines)

    def _objects(self, folder: str, start: int, stop: int | None) -> Iterator[dict[str, Any]]:
        lines: list[bytes] = []
        size = 0
        for line in self._lines(folder, start, stop):
            lines.append(line)
            size += len(line)
            if len(lines) == _LINES_AT_ONCE or size >= _LINE_BYTES_AT_ONCE:
                yield from self._parsed(folder, lines)
                lines, size = [], 0
        yield from self._parsed(folder, lines)

    def _parsed(self, folder: str, lines: list[bytes]) -> list[dict[str, Any]]:
        """Parses lines together, which is several times as fast as one by one."""
        try:
            objects: list[dict[str, Any]] = json.loads(b"[" + b",".join(lines) + b"]")
        except RecursionError as error:
            deep = "a line is nested deeper than Python's json module reads; no damage: nina search and nina diff read it"
            raise NinaError(f"{self.path / folder}: {deep}") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DamagedError(f"{self.path / folder}: a line cannot be parsed: {error}") from error
        except ValueError as error:  # sys.set_int_max_str_digits
            long = "a line has an integer of more digits than Python reads; no damage: nina search and nina diff read it"
            raise NinaError(f"{self.path / folder}: {long} ({error})") from error
        if len(objects) != len(lines):
            raise DamagedError(f"{self.path / folder}: {len(lines)} lines hold {len(objects)} values")
        return objects

    def spans(self, start: int, stop: int, rows: int, folders: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Cuts rows start … stop - 1 into (first, end) of at most `rows` rows, and of about 16 MiB in the folders of lines, by
        the mean of each part. For a reader that holds what it has read of some rows: texts may be long."""
        first, size = start, 0.0
        for number, row, left in self.places(start, stop):
            row += self.parts[number].first
            with self.turn:
                mean = sum(self.part_file(folder, number).content.size for folder in folders) / self.parts[number].rows
            while left:
                count = min(left, first + rows - row, max(int((_LINE_BYTES_AT_ONCE - size) / mean), 1 if row == first else 0))
                row, left, size = row + count, left - count, size + count * mean
                if left or row == first + rows:
                    yield first, row
                    first, size = row, 0.0
        if first < stop:
            yield first, stop

    # Everything together.

    def batches(self, rows: int = 4096, width: int | None = None, *, start: int = 0, stop: int | None = None,
                texts: bool = False, fields: bool = False) -> Iterator[Batch]:
        """Rows start … stop - 1 in batches of `rows` (the last one may be shorter), each with its ids and vectors, and
        with texts and fields if asked for. Memory is that of one batch."""
        if rows < 1:
            raise UsageError(f"a batch has at least 1 row, not {rows}")
        stop = self.rows if stop is None else min(stop, self.rows)
        vectors = self.vectors(width)
        for first in range(start, stop, rows):
            end = min(first + rows, stop)
            yield Batch(first, list(self.ids(first, end)), vectors.read(first, end),
                        list(self.texts(first, end)) if texts else None,
                        list(self.fields(first, end)) if fields else None)

    def take(self, numbers: Sequence[int], width: int | None = None) -> Iterator[Row]:
        """The rows with these numbers, in their order, with all that is stored of each. Their vectors are in memory
        together. IndexError if one does not exist."""
        vectors = self.vectors(width).take(np.asarray(numbers, np.int64))
        for number, vector in zip(numbers, vectors, strict=True):
            number, end = number % self.rows, number % self.rows + 1
            yield Row(number, next(self.ids(number, end)), vector,
                      next(self.texts(number, end)) if self.stores_text else None,
                      next(self.fields(number, end)) if self.kept_fields else None)

    def row(self, number: int, width: int | None = None) -> Row:
        """Row `number` (from 0; negative ones count from the end), with all that is stored of it. IndexError if there is
        none."""
        if not -self.rows <= number < self.rows:
            raise IndexError(f"{self.path} has {self.rows} rows: none has number {number}")
        return next(self.take([number], width))

    def number_of(self, part: str, row: int) -> int:
        """The number of a row that is given as `nina diff` gives it: its part ("part-00003-00017") and its row in it.
        UsageError if there is none."""
        if not self._by_name:
            self._by_name = {part.name: part for part in self.parts}
        found = self._by_name.get(part)
        if found is None or not 0 <= row < found.rows:
            raise UsageError(f"{self.path} has no row {row} in {part}")
        return found.first + row

    # Files.

    def places(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """(number of the part, first row in it, rows) of rows start … stop - 1; IndexError if there are fewer."""
        if start < 0 or stop > self.rows:
            raise IndexError(f"{self.path} has {self.rows} rows: it has no rows {start} to {stop}")
        number = bisect_right(self._first, start) - 1
        while start < stop:
            part = self.parts[number]
            count = min(stop, part.first + part.rows) - start
            if count > 0:
                yield number, start - part.first, count
                start += count
            number += 1

    def part_file(self, folder: str, number: int) -> NumberFile | LineFile:
        """A part's file in a folder of OUT ("ids", "w384"), checked against its record. Not for longer than a `turn` is held."""
        key = folder, number
        if key in self._files:
            self._files.move_to_end(key)
            return self._files[key]
        try:
            file = self._part_open(folder, number)
        except FileNotFoundError as error:
            self._check_stands()
            raise DamagedError(f"{error.filename} is missing: {AGAIN}") from error
        except (DamagedError, OSError):
            self._check_stands()
            raise
        try:
            self._check_stands()
        except ChangedError:
            file.close()
            raise
        self._files[key] = file
        if len(self._files) > _OPEN_FILES:
            self._files.popitem(last=False)[1].close()
        return file

    def _part_open(self, folder: str, number: int) -> NumberFile | LineFile:
        part = self.parts[number]
        path = self.path / folder / (part.name + (".jsonl.zst" if folder in ("ids", "text", "fields") else ".npy.zst"))
        self._check(path, number)
        if path.name.endswith(".jsonl.zst"):
            return LineFile(path, part.rows)
        file = NumberFile(path)
        width = 16 if folder == "hashes" else int(folder[1:])
        if file.shape != (part.rows, width):
            file.close()
            raise DamagedError(f"{path} has the shape {file.shape}, but its part {part.rows} rows of {width} numbers")
        return file

    def _check_stands(self) -> None:
        """ChangedError if OUT was begun anew since it was opened. A run that begins anew replaces the manifest before any
        other file, so what was opened before this check is of the run that `manifest` tells of."""
        now = manifest_stamp(self.path)
        if now == self._stamp:
            return
        try:
            stands = now is not None and goes_on(self.manifest, manifest_read(self.path))
            if self.parts:
                stands = stands and self._record is not None and self._first_record() == self._record
        except (NinaError, OSError):
            stands = False
        if not stands:
            raise ChangedError(f"{self.path} was begun anew while it was read, so its rows may be of two runs: start again "
                               "when its nina embed is done")
        self._stamp = now

    def _first_record(self) -> Stamp | None:
        return record_stamp(self.path, *self.parts[0][:2]) if self.parts else None

    def _check(self, path: Path, number: int) -> None:
        """Holds a file against its part's record: its size, and its hash if the caller asked for that."""
        part = self.parts[number]
        entry = record_read(self.path, part.shard, part.block).files.get(f"{path.parent.name}/{path.name}")
        if entry is None:
            raise DamagedError(f"{path} is not in its part's record; nina verify says how it is repaired")
        size = path.stat().st_size
        if size != entry[0]:
            raise DamagedError(f"{path} has {size} bytes, but its record says {entry[0]}: {AGAIN}")
        if self._check_hashes:
            _hash_check(path, entry[1])

    def check_hashes(self, progress: Callable[[int], object] | None = None) -> int:
        """Reads every file of every part and holds it against its record's size and XXH3-128; returns their number.
        DamagedError names the first that differs. `progress` is called with the bytes of each file. Needs xxhash."""
        _xxhash()
        checked = 0
        try:
            for part in self.parts:
                for path, (size, hash128) in record_read(self.path, part.shard, part.block).files.items():
                    if not (self.path / path).is_file() or (self.path / path).stat().st_size != size:
                        raise DamagedError(f"{self.path / path} is missing or cut short: {AGAIN}")
                    _hash_check(self.path / path, hash128)
                    checked += 1
                    if progress:
                        progress(size)
        finally:
            self._check_stands()
        return checked


def _xxhash() -> Any:
    try:
        import xxhash
    except ImportError as error:
        raise needs("xxhash", "checking hashes") from error
    return xxhash


def _hash_check(path: Path, expected: str) -> None:
    state = _xxhash().xxh3_128()
    with open(path, "rb") as file:
        while piece := file.read(_HASHED_AT_ONCE):
            state.update(piece)
    if state.hexdigest() != expected:
        raise DamagedError(f"{path} has other bytes than its record says; nina verify says how it is repaired")
