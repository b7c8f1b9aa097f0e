"""PostgreSQL with pgvector: rows-*.copy in COPY's text format, and load.sql, which makes the table and reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import UsageError
from ..output import Output
from .options import Options, Progress
from .target import Target

MOST_NUMBERS = 16_000  # of a vector or halfvec in pgvector
ROWS_AT_ONCE = 4096  # their lines' numbers are Python objects

# The terminal's or the database's may be another, which would make other letters of all texts.
CLIENT_ENCODING = "SET client_encoding = 'UTF8';"

# The table's columns before `embedding`, in the order of a line.
COLUMNS = {
    "id": "text NOT NULL",
    "chunk": "integer NOT NULL",
    "shard": "integer",
    "line": "bigint",
    "start": "bigint",
    '"end"': "bigint",
    "tokens": "integer",
    "truncated": "boolean",
    "fields": "jsonb",
    "text": "text",
}

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\N{REPLACEMENT CHARACTER}"})


def copy_text(value: str | int | bool | None) -> str:
    """A value in COPY's text format. PostgreSQL cannot store U+0000: it becomes U+FFFD."""
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    return value.translate(_ESCAPES) if isinstance(value, str) else str(value)


def json_text(line: bytes) -> str:
    """Stored JSON as it is, but for U+0000, which jsonb refuses."""
    return re.sub(r"(\\\\)|\\u0000", lambda found: found[1] or "\N{REPLACEMENT CHARACTER}", line.decode())


def numbers_of() -> list[str]:
    """The shortest decimal of every fp16 number, by its bits; read as fp32 or fp16 it is that number again."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return [np.format_float_scientific(number, unique=True, trim="-") for number in halves.astype(np.float32)]


class CopyLines:
    """Makes COPY's lines of a run's rows, with the columns of COLUMNS. UsageError for what pgvector cannot store."""

    def __init__(self, output: Output, width: int | None, text: bool) -> None:
        self._output, self._vectors = output, output.vectors(width)
        if self._vectors.shape[1] > MOST_NUMBERS:
            raise UsageError(f"pgvector stores at most {MOST_NUMBERS} numbers: give --width")
        self._has_text = text and output.stores_text
        self._folders = ["ids"] + ["fields"] * bool(output.kept_fields) + ["text"] * self._has_text
        self._numbers = numbers_of()

    def of(self, start: int, stop: int) -> Iterator[str]:
        """The lines of rows start … stop - 1. A document without chunks is its chunk 0."""
        for first, end in self._output.spans(start, stop, ROWS_AT_ONCE, self._folders):
            yield from self._of_span(first, end)

    def _of_span(self, start: int, stop: int) -> Iterator[str]:
        output = self._output
        ids = list(output.ids(start, stop))
        bits = self._vectors.read(start, stop).view(np.uint16).tolist()
        texts = output.texts(start, stop) if self._has_text else [None] * len(ids)
        fields = map(json_text, output.field_lines(start, stop)) if output.kept_fields else [None] * len(ids)
        for row, text, values, halves in zip(ids, texts, fields, bits, strict=True):
            place = (str(row.id), row.chunk or 0, row.shard, row.line, row.start, row.end, row.tokens, row.truncated)
            vector = ",".join(map(self._numbers.__getitem__, halves))
            yield "\t".join(map(copy_text, (*place, values, text))) + f"\t[{vector}]\n"


def check_table(name: str) -> None:
    """UsageError if it is not a plain name of a table."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise UsageError(f"--table {name}: a table's name is small letters, digits and _")


def quoted(name: str) -> str:
    """A plain name of a table that may be a word of SQL, such as user."""
    return f'"{name}"'


class PgcopyWriter:
    def __init__(self, output: Output, options: Options, target: Target) -> None:
        check_table(options.table)
        self._lines = CopyLines(output, options.width, options.text)
        self._output, self._options, self._target = output, options, target
        self._pieces: list[str] = []

    def prepare(self, remembered: dict[str, Any]) -> dict[str, Any]:
        return {}

    def is_done(self, number: int) -> bool:
        name = f"rows-{number:05d}.copy"
        done = self._target.has(name)
        if done:
            self._pieces.append(name)
        return done

    def piece(self, number: int, start: int, stop: int, progress: Progress) -> None:
        rows, name = self._options.batch_rows(self._output), f"rows-{number:05d}.copy"
        with self._target.file(name) as path, open(path, "w", encoding="utf-8", newline="\n") as file:
            for first in range(start, stop, rows):
                end = min(first + rows, stop)
                file.writelines(self._lines.of(first, end))
                progress(end - first)
        self._pieces.append(name)

    def finish(self) -> None:
        table, kind = quoted(self._options.table), "halfvec" if self._options.dtype == "float16" else "vector"
        columns = ", ".join(f"{name} {of}" for name, of in COLUMNS.items())
        lines = [
            "-- In this folder: psql DATABASE -v ON_ERROR_STOP=1 -f load.sql",
            CLIENT_ENCODING,
            "CREATE EXTENSION IF NOT EXISTS vector;",
            f"CREATE TABLE {table} ({columns},",
            f"  embedding {kind}({self._options.width_of(self._output)}) NOT NULL);",
            *(f"\\copy {table} FROM '{name}'" for name in self._pieces),
            "-- Fails if ids are not unique; rows are then loaded, but cannot be replaced by their id.",
            f"ALTER TABLE {table} ADD PRIMARY KEY (id, chunk);",
        ]
        with self._target.file("load.sql") as path:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
