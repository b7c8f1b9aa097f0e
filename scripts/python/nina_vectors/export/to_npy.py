"""NumPy: vectors.npy, one file that numpy.load maps into memory, with ids/ids-*.parquet beside it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ..output import Output
from .options import Options, Progress
from .target import Target, names, sync
from .to_parquet import IdFiles

NAME = "vectors.npy"
PARTIAL = f"{NAME}.partial"  # holds the rows of all pieces whose ids are there


class NpyWriter:
    def __init__(self, output: Output, options: Options, target: Target) -> None:
        self._output, self._options, self._target = output, options, target
        self._ids = IdFiles(output, options, target)
        self._vectors = output.vectors(options.width)
        header = io.BytesIO()
        what = {"descr": np.dtype(options.dtype).str, "fortran_order": False, "shape": self._vectors.shape}
        np.lib.format.write_array_header_1_0(header, what)
        self._header = header.getvalue()

    def _end_of(self, row: int) -> int:
        """The byte after the rows before `row`."""
        return len(self._header) + row * self._vectors.shape[1] * np.dtype(self._options.dtype).itemsize

    def prepare(self, remembered: dict[str, Any]) -> dict[str, Any]:
        if self._target.has(NAME):  # of an export that ended, and has lost some of its ids
            self._target.commit(self._target.path / NAME, self._target.path / PARTIAL)
        # Asked before anything is written: pieces that follow would lengthen a file that lacks those before.
        self._held = (self._target.path / PARTIAL).stat().st_size if self._target.has(PARTIAL) else 0
        return self._ids.prepare(remembered)

    def is_done(self, number: int) -> bool:
        end = min((number + 1) * self._options.rows_per_file, self._output.rows)
        return self._ids.is_done(number) and self._end_of(end) <= self._held

    def piece(self, number: int, start: int, stop: int, progress: Progress) -> None:
        path, rows = self._target.path / PARTIAL, self._options.batch_rows(self._output)
        with names(path), open(path, "r+b" if path.exists() else "x+b") as file:
            file.write(self._header)
            file.seek(self._end_of(start))
            for first in range(start, stop, rows):
                end = min(first + rows, stop)
                file.write(self._vectors.read(first, end).astype(self._options.dtype, copy=False).tobytes())
                progress(end - first)
        sync(path)
        self._ids.put(number, start, stop)

    def finish(self) -> None:
        self._target.commit(self._target.path / PARTIAL, self._target.path / NAME)
