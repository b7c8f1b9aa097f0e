"""Parquet: vectors as fixed-size lists of float16 or float32, with ids, places, kept fields and texts beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import needs
from ..output import Output
from .options import Options, Progress
from .target import Target

if TYPE_CHECKING:
    import pyarrow as pa

COMPRESSION, LEVEL = "zstd", 1  # higher levels make vectors no smaller (README.md)
VECTOR = "vector"
VECTOR_LEAF = f"{VECTOR}.list.element"  # its name among Parquet's leaf columns


def metadata_of(output: Output, options: Options) -> dict[str, str]:
    """What a reader has to know of the vectors, for the schema."""
    settings = output.manifest.settings
    prompt = settings.get("prompt")
    return {
        "nina.model": str(output.manifest.model.get("name", "")),
        "nina.identity": str(output.manifest.model.get("identity", "")),
        "nina.width": str(options.width_of(output)),
        "nina.widest": str(output.widths[0]),
        "nina.dtype": options.dtype,
        "nina.prompt": prompt if isinstance(prompt, str) else "",
        "nina.rows": str(output.rows),
        "nina.state": output.manifest.state,
        "nina.version": output.manifest.version,
        "nina.settings": json.dumps(settings, ensure_ascii=False),
    }


class RowTable:
    """Writes Parquet files of a run's rows: the columns of RowColumns and, if `vectors`, the vectors."""

    def __init__(self, output: Output, options: Options, target: Target, vectors: bool) -> None:
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise needs("pyarrow", f"--to {options.to}") from error
        self._output, self._options, self._target, self._vectors = output, options, target, vectors

    def prepare(self, remembered: dict[str, Any]) -> dict[str, Any]:
        from . import columns

        types = remembered or columns.types_seen(self._output)
        import pyarrow as pa

        text = self._options.text and self._options.to == "parquet"
        self._columns = columns.RowColumns(self._output, types, text)
        fields = list(self._columns.schema)
        if self._vectors:
            number = pa.float16() if self._options.dtype == "float16" else pa.float32()
            fields.append(pa.field(VECTOR, pa.list_(number, self._options.width_of(self._output))))
        self._schema = pa.schema(fields, metadata=metadata_of(self._output, self._options))
        return types

    def write(self, path: Path, start: int, stop: int, progress: Progress) -> None:
        """Writes rows start … stop - 1 as a file; each batch is a row group."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        plain = [field.name for field in self._schema if field.name != VECTOR]
        how: dict[str, Any] = {"compression": COMPRESSION, "compression_level": LEVEL, "use_dictionary": plain,
                               "write_statistics": plain, "store_schema": True}
        if self._vectors:
            how["column_encoding"] = {VECTOR_LEAF: "BYTE_STREAM_SPLIT"}
        rows = self._options.batch_rows(self._output)
        with pq.ParquetWriter(path, self._schema, **how) as writer:
            if start == stop:
                writer.write_table(self._schema.empty_table())
            for first, end in self._output.spans(start, stop, rows, self._columns.folders):
                arrays = self._columns.arrays(first, end)
                if self._vectors:
                    arrays.append(self._vector_array(first, end))
                writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=rows)
                progress(end - first)

    def _vector_array(self, first: int, end: int) -> pa.Array:
        import pyarrow as pa

        vectors = self._output.vectors(self._options.width).read(first, end)
        numbers = vectors.astype(np.dtype(self._options.dtype), copy=False).reshape(-1)
        return pa.FixedSizeListArray.from_arrays(pa.array(numbers), vectors.shape[1])


class _ParquetFiles:
    """A file for each piece, written last of what a piece has, so it tells that the piece is done."""

    def __init__(self, output: Output, options: Options, target: Target, name: str, vectors: bool) -> None:
        """`name` is that of a file, with a place for its number."""
        self._target = target
        self._name = name
        self._table = RowTable(output, options, target, vectors=vectors)

    def prepare(self, remembered: dict[str, Any]) -> dict[str, Any]:
        return self._table.prepare(remembered)

    def is_done(self, number: int) -> bool:
        return self._target.has(self._name.format(number))

    def write(self, number: int, start: int, stop: int, progress: Progress) -> None:
        with self._target.file(self._name.format(number)) as path:
            self._table.write(path, start, stop, progress)


class ParquetWriter(_ParquetFiles):
    """part-00000.parquet, …: all columns, and the vectors."""

    def __init__(self, output: Output, options: Options, target: Target) -> None:
        super().__init__(output, options, target, "part-{:05d}.parquet", vectors=True)

    def piece(self, number: int, start: int, stop: int, progress: Progress) -> None:
        self.write(number, start, stop, progress)

    def finish(self) -> None:
        pass


class IdFiles(_ParquetFiles):
    """ids/ids-00000.parquet, …: ids, places and kept fields of the rows, beside vectors of another format, which count the
    progress."""

    def __init__(self, output: Output, options: Options, target: Target) -> None:
        super().__init__(output, options, target, "ids/ids-{:05d}.parquet", vectors=False)

    def put(self, number: int, start: int, stop: int) -> None:
        self.write(number, start, stop, lambda rows: None)
