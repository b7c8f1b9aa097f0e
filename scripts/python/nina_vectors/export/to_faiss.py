"""FAISS: index.faiss by inner product (of rows of length 1: the cosine), with ids/ids-*.parquet beside it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..errors import NinaError, UsageError, needs
from ..output import Output
from .options import Options, Progress
from .target import Target
from .to_parquet import IdFiles

NAME, TRAINED = "index.faiss", "trained.faiss"
TRAIN_ROWS_LEAST, TRAIN_ROWS_A_LIST = 65_536, 64  # FAISS asks for 39 to 256 rows a list
SEED = 1


def reason_of(error: RuntimeError) -> str:
    """FAISS's own words, without the place in its source that it puts before them."""
    return re.split("Error: |failed: ", str(error))[-1].strip()


class FaissWriter:
    """A row's number in the index is its number in the run.

    Each piece becomes an index of its own in pieces/, with codes by the one trained index, and `finish` merges them; so an
    interrupted export goes on after its last piece. FAISS cannot merge some kinds (HNSW, refinement): with them an index
    stays in memory, and an interrupted export adds all rows again.
    """

    def __init__(self, output: Output, options: Options, target: Target) -> None:
        try:
            import faiss
        except ImportError as error:
            raise needs("faiss-cpu", "--to faiss") from error
        self._faiss: Any = faiss
        self._output, self._options, self._target = output, options, target
        self._ids = IdFiles(output, options, target)
        self._pieces: list[str] = []

    def prepare(self, remembered: dict[str, Any]) -> dict[str, Any]:
        if not self._target.has(TRAINED):
            self._target.remove_folder("pieces")  # their codes may be those of another training
            self._write(self._trained(), TRAINED)
        self._empty = self._read(TRAINED)
        self._merges = self._can_be_merged()
        self._index = None if self._merges else self._faiss.clone_index(self._empty)
        return self._ids.prepare(remembered)

    def _trained(self) -> Any:
        faiss, index, width = self._faiss, self._options.index, self._options.width_of(self._output)
        try:
            made = faiss.index_factory(width, index, faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            raise UsageError(f"--index {index}: FAISS cannot make it for {width} numbers ({reason_of(error)})") from error
        if made.is_trained:
            return made
        lists = re.search(r"IVF([0-9]+)", index)
        wanted = self._options.train_rows or max(TRAIN_ROWS_LEAST, TRAIN_ROWS_A_LIST * int(lists[1]) if lists else 0)
        rows, count = self._output.rows, min(wanted, self._output.rows)
        chosen = np.sort(np.random.default_rng(SEED).choice(rows, count, replace=False))
        try:
            made.train(self._output.vectors(self._options.width)[chosen].astype(np.float32))
        except RuntimeError as error:
            raise UsageError(f"--index {index} cannot be trained with {count} rows ({reason_of(error)}): take fewer lists, or "
                             "shorter codes") from error
        return made

    def _can_be_merged(self) -> bool:
        try:
            self._empty.check_compatible_for_merge(self._faiss.clone_index(self._empty))
        except RuntimeError:
            return False
        return True

    def _read(self, name: str) -> Any:
        path = self._target.path / name
        try:
            return self._faiss.read_index(str(path))
        except RuntimeError as error:
            raise NinaError(f"{path}: FAISS cannot read it ({reason_of(error)}); --overwrite starts anew") from error

    def _write(self, index: Any, name: str) -> None:
        """Through Python's file: FAISS's own loses the last bytes on a full disk, and does not tell."""
        with self._target.file(name) as path, open(path, "wb") as file:
            self._faiss.write_index(index, self._faiss.PyCallbackIOWriter(file.write))

    def is_done(self, number: int) -> bool:
        name = f"pieces/piece-{number:05d}.faiss"
        done = self._merges and self._target.has(name) and self._ids.is_done(number)
        if done:
            self._pieces.append(name)
        return done

    def piece(self, number: int, start: int, stop: int, progress: Progress) -> None:
        index = self._faiss.clone_index(self._empty) if self._index is None else self._index
        vectors, rows = self._output.vectors(self._options.width), self._options.batch_rows(self._output)
        for first in range(start, stop, rows):
            end = min(first + rows, stop)
            try:
                index.add(vectors.read(first, end).astype(np.float32))
            except RuntimeError as error:
                raise UsageError(f"--index {self._options.index}: FAISS cannot add rows ({reason_of(error)})") from error
            progress(end - first)
        if self._index is None:
            self._pieces.append(f"pieces/piece-{number:05d}.faiss")
            self._write(index, self._pieces[-1])
        if not self._ids.is_done(number):
            self._ids.put(number, start, stop)

    def finish(self) -> None:
        if self._index is None:
            self._index = self._empty
            # Rows of an inverted file carry their numbers, which move on; those of other kinds have none.
            has_numbers = self._faiss.try_extract_index_ivf(self._index) is not None
            for name in self._pieces:
                self._index.merge_from(self._read(name), self._index.ntotal if has_numbers else 0)
        if self._index.ntotal != self._output.rows:
            raise NinaError(f"FAISS has {self._index.ntotal} rows of {self._output.rows}: --overwrite starts anew")
        self._write(self._index, NAME)
        self._target.remove_folder("pieces")
        self._target.remove(TRAINED)
