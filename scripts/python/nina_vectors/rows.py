"""Rows of a run as one long array that is read where it is indexed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .row_files import NumberFile
from .widths import derive

if TYPE_CHECKING:
    from .output import Output

_ROWS_AT_ONCE = 4096


class Rows:
    """Rows of numbers, [rows, width], in the order of the run.

    `rows[k]` is one row; `rows[a:b]` and `rows[[k, …]]` are arrays, which alone take memory; `np.asarray(rows)` is
    all of them. One row costs the decompression of 128 KiB.
    """

    def __init__(self, output: Output, folder: str, width: int, dtype: np.dtype[Any]) -> None:
        self._output, self._folder = output, folder
        self.shape, self.dtype, self.ndim = (output.rows, width), dtype, 2

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shape} {self.dtype} of {self._output.path}>"

    def _stored(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Makes rows of what the files hold."""
        return rows

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Rows start … stop - 1, a new array."""
        rows = np.empty((max(0, stop - start), self.shape[1]), self.dtype)
        self.read_into(start, rows)
        return rows

    def read_into(self, start: int, rows: npt.NDArray[Any]) -> None:
        """Fills `rows` with as many rows from `start` on."""
        filled = 0
        for number, first, count in self._output.places(start, start + len(rows)):
            for at in range(first, first + count, _ROWS_AT_ONCE):
                taken = min(_ROWS_AT_ONCE, first + count - at)
                with self._output.turn:
                    file = self._output.part_file(self._folder, number)
                    assert isinstance(file, NumberFile)
                    stored = file.read(at, taken)
                rows[filled : filled + taken] = self._stored(stored)
                filled += taken

    def batches(self, rows: int = _ROWS_AT_ONCE) -> Iterator[npt.NDArray[Any]]:
        """All rows, as arrays of `rows` rows; the last one may be shorter."""
        for start in range(0, len(self), rows):
            yield self.read(start, min(start + rows, len(self)))

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        for batch in self.batches():
            yield from batch

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return self.read(start, max(start, stop))
            return self.take(np.arange(start, stop, step))
        if isinstance(key, (int, np.integer)):
            row: npt.NDArray[Any] = self.take(np.array([key]))[0]
            return row
        places = np.asarray(None if isinstance(key, tuple) else key)  # rows[3, 5] is a number in NumPy, not two rows
        if places.dtype == bool:
            if places.shape != (len(self),):
                raise IndexError(f"a mask of {len(self)} rows has one value each, not the shape {places.shape}")
            places = np.flatnonzero(places)
        if places.ndim != 1 or (places.size and places.dtype.kind not in "iu"):
            raise IndexError("rows are indexed by a number, a slice, a list of numbers or a mask")
        return self.take(places.astype(np.int64))

    def take(self, places: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """The rows with these numbers, in their order. They are read from the first to the last, so that each frame is
        decompressed once. IndexError if one does not exist."""
        places = np.where(places < 0, places + len(self), places)
        if places.size and not (0 <= places.min() and places.max() < len(self)):
            raise IndexError(f"{self._output.path} has {len(self)} rows")
        rows = np.empty((len(places), self.shape[1]), self.dtype)
        order = np.argsort(places, kind="stable")
        ends = np.flatnonzero(np.diff(places[order]) != 1) + 1  # consecutive ones are read together
        for run in np.split(order, ends):
            if run.size:
                rows[run] = self.read(int(places[run[0]]), int(places[run[-1]]) + 1)
        return rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """All rows. They always have to be read, so `copy=False` is a ValueError."""
        if copy is False:
            raise ValueError("the rows are in compressed files: an array of them is a copy")
        rows = self.read(0, len(self))
        return rows if dtype is None else rows.astype(dtype, copy=False)


class Vectors(Rows):
    """Vectors at one width: fp16, of length 1 (or all zero)."""

    def __init__(self, output: Output, width: int, stored: int) -> None:
        """`stored` is the width in whose files they are: `width`, or the widest, from which they are derived."""
        super().__init__(output, f"w{stored}", width, np.dtype("<f2"))
        self._derives = stored != width

    def _stored(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return derive(rows, self.shape[1]) if self._derives else rows
