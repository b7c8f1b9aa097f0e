"""The zstd seekable format (version 0.1.0 of its specification): independent frames, then a table of their sizes.

An ordinary decompressor reads such a file too, if it goes on after the first frame. `zstandard.decompress` and
`ZstdDecompressor().decompress` do not: they return the first frame alone, without an error.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import zstandard

from .errors import DamagedError

# Layout of the table, all numbers little-endian: u32 SKIPPABLE_MAGIC, u32 number of following bytes; for each frame u32
# compressed size, u32 decompressed size and, if the descriptor says so, u32 checksum; u32 frames, u8 descriptor, u32
# TABLE_MAGIC.
_SKIPPABLE_MAGIC, _TABLE_MAGIC = 0x184D2A5E, 0x8F92EAB1
_HEAD, _FOOT = struct.Struct("<II"), struct.Struct("<IBI")
_ENTRY, _CHECKSUM_BYTES = struct.Struct("<II"), 4
_CHECKSUMS, _RESERVED = 0x80, 0x7C  # bits of the descriptor

# RFC 8878: a block takes at least 4 bytes and gives at most 128 KiB, so this is a frame's largest growth.
_GROWTH_MOST = 32768


class SeekableFile:
    """A file in the seekable format, open for reading; for one thread at a time.

    size     bytes of the whole decompressed content
    starts   [frames + 1] the first byte of each frame in the content, then `size`

    Raises DamagedError if the table or a frame is not what it must be, OSError if the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "rb", buffering=0)
        try:
            self._places, self.starts = self._table()
        except BaseException:
            self._file.close()
            raise
        self.size = self.starts[-1]
        self._decompressor = zstandard.ZstdDecompressor()
        self._kept = (-1, b"")  # number and content of the frame that was read last

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> SeekableFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError(f"{self.path}: {what}; nina verify says how it is repaired")

    def _pread(self, size: int, place: int) -> bytes:
        content = b""
        while len(content) < size:
            try:
                piece = os.pread(self._file.fileno(), size - len(content), place + len(content))
            except OSError as error:
                error.filename = str(self.path)
                raise
            if not piece:
                raise self._damaged("it is cut short")
            content += piece
        return content

    def _table(self) -> tuple[list[int], list[int]]:
        """The places of the frames, and then of the table, in the file; and likewise in the content."""
        file_size = os.fstat(self._file.fileno()).st_size
        if file_size < _HEAD.size + _FOOT.size:
            raise self._damaged("it has no seek table")
        frames, descriptor, magic = _FOOT.unpack(self._pread(_FOOT.size, file_size - _FOOT.size))
        if magic != _TABLE_MAGIC or descriptor & _RESERVED:
            raise self._damaged("it has no seek table")
        step = _ENTRY.size + (_CHECKSUM_BYTES if descriptor & _CHECKSUMS else 0)
        following = frames * step + _FOOT.size
        table_at = file_size - _HEAD.size - following
        if table_at < 0:
            raise self._damaged("its seek table is longer than the file")
        table = self._pread(file_size - table_at, table_at)
        if _HEAD.unpack_from(table) != (_SKIPPABLE_MAGIC, following):
            raise self._damaged("its seek table does not begin where it must")
        places, starts = [0], [0]
        for i in range(frames):
            compressed, size = _ENTRY.unpack_from(table, _HEAD.size + i * step)
            if size // _GROWTH_MOST > compressed:
                raise self._damaged(f"frame {i} cannot have {compressed} bytes that give {size}")
            places.append(places[-1] + compressed)
            starts.append(starts[-1] + size)
        if places[-1] != table_at:
            raise self._damaged(f"its frames take {places[-1]} bytes, but the seek table stands at byte {table_at}")
        return places, starts

    @property
    def frames(self) -> int:
        return len(self.starts) - 1

    def frame(self, number: int) -> bytes:
        """One frame's content. The last frame is kept, so reading it again costs nothing."""
        if self._kept[0] != number:
            place, size = self._places[number], self.starts[number + 1] - self.starts[number]
            compressed = self._pread(self._places[number + 1] - place, place)
            try:
                # Before anything is decompressed: a forged frame cannot ask for more memory than the table says.
                if zstandard.frame_content_size(compressed) != size:
                    raise self._damaged(f"frame {number} does not give the {size} bytes of the seek table")
                content = self._decompressor.decompress(compressed)
            except zstandard.ZstdError as error:
                raise self._damaged(f"frame {number} cannot be decompressed ({error})") from error
            self._kept = (number, content)
        return self._kept[1]

    def read(self, offset: int, size: int) -> bytearray:
        """Bytes offset … offset + size - 1 of the content; decompresses only the frames that hold them. IndexError if
        the content ends before."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise IndexError(f"{self.path} holds {self.size} bytes: it has no {size} bytes at byte {offset}")
        content, number = bytearray(), bisect_right(self.starts, offset) - 1
        while len(content) < size:
            start = offset + len(content) - self.starts[number]
            content += self.frame(number)[start : start + size - len(content)]
            number += 1
        return content

    def contents(self, first: int = 0) -> Iterator[bytes]:
        """Every frame's content, from frame `first` on."""
        return (self.frame(number) for number in range(first, self.frames))
