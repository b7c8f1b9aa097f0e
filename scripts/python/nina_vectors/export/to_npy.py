"""NumPy: vectors.npy, one file that numpy.load maps into memory, with ids/ids-*.parquet beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..output import Output
from .options import Options, Progress
from .target import Target, sync
from .to_parquet import IdFiles

NAME = "vectors.npy"
PARTIAL = f"{NAME}.partial"  # holds the rows of all pieces whose ids are there


class NpyWriter:
    def __init__(self, output: Output, options: Options, target: Target) -> None:
        self._output, self._options, self._target = output, options, target
        self._ids = IdFiles(output, options, target)

    def prepare(self, remembered: dict[str, Any]) -> dict[str, Any]:
        return self._ids.prepare(remembered)

    def is_done(self, number: int) -> bool:
        return self._ids.is_done(number) and (self._target.has(PARTIAL) or self._target.has(NAME))

    def piece(self, number: int, start: int, stop: int, progress: Progress) -> None:
        vectors = self._output.vectors(self._options.width)
        path, rows = self._target.path / PARTIAL, self._options.batch_rows(self._output)
        with open(path, "r+b" if path.exists() else "x+b") as file:
            header = {"descr": np.dtype(self._options.dtype).str, "fortran_order": False, "shape": vectors.shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.seek(start * vectors.shape[1] * np.dtype(self._options.dtype).itemsize, 1)
            for first in range(start, stop, rows):
                end = min(first + rows, stop)
                file.write(vectors.read(first, end).astype(self._options.dtype, copy=False).tobytes())
                progress(end - first)
        sync(path)
        self._ids.put(number, start, stop)

    def finish(self) -> None:
        if self._target.has(PARTIAL):
            self._target.commit(self._target.path / PARTIAL, self._target.path / NAME)
