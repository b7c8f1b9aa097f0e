"""The files of one part: rows of numbers (`.npy.zst`) and lines of JSON (`.jsonl.zst`), one a row."""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DamagedError
from .seekable import SeekableFile

_MAGIC = b"\x93NUMPY\x01\x00"
_PREFIX = 10  # magic, version, u16 length of the following text
_HEADER = re.compile(rb"\{'descr': '(<f2|\|u1)', 'fortran_order': False, 'shape': \(([0-9]+), ([0-9]+)\), \} *\n")


class NumberFile:
    """Rows of fp16 (`<f2`: vectors) or of bytes (`|u1`: hashes), as NumPy's .npy in a seekable file.

    shape   (rows, width)
    dtype   of a number
    """

    def __init__(self, path: Path) -> None:
        self.content = SeekableFile(path)
        try:
            self._read_header(path)
        except BaseException:
            self.content.close()
            raise

    def _read_header(self, path: Path) -> None:
        prefix = self.content.read(0, min(_PREFIX, self.content.size))
        length = int.from_bytes(prefix[8:], "little")
        self._data = _PREFIX + length
        header = None
        if prefix.startswith(_MAGIC) and self._data <= self.content.size:
            header = _HEADER.fullmatch(self.content.read(_PREFIX, length))
        if not header:
            raise DamagedError(f"{path} does not hold rows as nina writes them (.npy 1.0, <f2 or |u1, two dimensions)")
        self.dtype = np.dtype(header[1].decode())
        self.shape = int(header[2]), int(header[3])
        self._row_bytes = self.shape[1] * self.dtype.itemsize
        if self._data + self.shape[0] * self._row_bytes != self.content.size:
            raise DamagedError(f"{path}: its header says {self.shape[0]} rows of {self.shape[1]} numbers, but "
                               f"{self.content.size - self._data} bytes follow")

    def close(self) -> None:
        self.content.close()

    def read(self, first: int, count: int) -> npt.NDArray[Any]:
        """Rows first … first + count - 1, [count, width]; reads only the frames that hold them."""
        content = self.content.read(self._data + first * self._row_bytes, count * self._row_bytes)
        return np.frombuffer(content, self.dtype).reshape(count, self.shape[1])


class LineFile:
    """Lines of JSON, one a row, in a seekable file whose frames hold whole lines.

    rows   lines that the part must have (the file does not say it)
    """

    def __init__(self, path: Path, rows: int) -> None:
        self.path, self.rows = path, rows
        self.content = SeekableFile(path)
        self._first = [0]  # first row of each frame that was read so far, and of the one after
        self._kept: tuple[int, list[bytes]] = (-1, [])  # number and lines of the frame that was read last

    def close(self) -> None:
        self.content.close()

    def _frame(self, number: int) -> list[bytes]:
        """A frame's lines, without their ends. Frames are first read in order."""
        if self._kept[0] != number:
            lines = self.content.frame(number).split(b"\n")
            if lines.pop():
                raise DamagedError(f"{self.path}: frame {number} does not end with a line's end")
            if number + 1 == len(self._first):
                self._first.append(self._first[-1] + len(lines))
            self._kept = number, lines
        return self._kept[1]

    def lines(self, first: int, count: int) -> list[bytes]:
        """Lines from `first` on: those of `count` that stand in the same frame, at least one. Reads that frame and, once, those
        before, to count."""
        number, lines = bisect_right(self._first, first) - 1, []
        while not lines and number < self.content.frames:
            lines = self._frame(number)[first - self._first[number] :][:count]
            number += 1
        if not lines or (number == self.content.frames and self._first[-1] != self.rows):
            raise DamagedError(f"{self.path} has {self._first[-1]} lines, but its part {self.rows} rows; "
                               "nina verify says how it is repaired")
        return lines
