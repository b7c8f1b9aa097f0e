"""What an export is asked for, and what all targets share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..output import Output

if TYPE_CHECKING:
    from .target import Target

ROWS_PER_FILE = 250_000
BATCH_BYTES = 16 << 20  # of vectors that are in memory together, and in one row group of Parquet
BATCH_ROWS_MOST = 32_768  # ids, texts and fields are Python objects: narrow vectors must not make them many

Progress = Callable[[int], object]  # called with the rows that are done


@dataclass(frozen=True)
class Options:
    """
    to              "parquet", "npy", "faiss", "pgcopy"
    width           None: the widest
    dtype           "float16" or "float32", the type of the numbers that are written
    rows_per_file   rows of a file, and what an interrupted export does again at most
    text            whether texts go along, if the run has them
    index           for faiss: as faiss.index_factory takes it
    train_rows      for faiss: rows to train with; None: as many as the index asks for
    table           for pgcopy: the table's name
    """

    to: str
    width: int | None = None
    dtype: str = "float16"
    rows_per_file: int = ROWS_PER_FILE
    text: bool = True
    index: str = "Flat"
    train_rows: int | None = None
    table: str = "nina"

    def of(self, output: Output) -> dict[str, Any]:
        """What decides the files, for the comparison with the export that is to be continued."""
        said = {
            "to": self.to,
            "width": self.width_of(output),
            "dtype": self.dtype,
            "rows_per_file": self.rows_per_file,
        }
        if self.to in ("parquet", "pgcopy"):
            said["text"] = self.text
        if self.to == "faiss":
            said |= {"index": self.index, "train_rows": self.train_rows}
        if self.to == "pgcopy":
            said["table"] = self.table
        return said

    def width_of(self, output: Output) -> int:
        return output.vectors(self.width).shape[1]

    def batch_rows(self, output: Output) -> int:
        """Rows that are read together."""
        row_bytes = self.width_of(output) * np.dtype(self.dtype).itemsize
        return max(1, min(BATCH_ROWS_MOST, BATCH_BYTES // row_bytes))


class Writer(Protocol):
    """One kind of target. An export calls `prepare` once, `piece` for each piece that is not there yet, in order, and
    `finish` if all are there. After an interruption it does the same again."""

    def prepare(self, remembered: dict[str, Any]) -> dict[str, Any]:
        """Finds out what needs all rows (the types of columns). Returns what is remembered in _export.json; an export that
        goes on gets this back in `remembered`, which is empty otherwise."""

    def is_done(self, number: int) -> bool:
        """Whether the piece is whole."""

    def piece(self, number: int, start: int, stop: int, progress: Progress) -> None:
        """Writes rows start … stop - 1, and gives the files their names at the end."""

    def finish(self) -> None:
        """Writes what needs all pieces."""


WriterMaker = Callable[[Output, Options, "Target"], Writer]
