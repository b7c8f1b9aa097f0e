"""FAISS: index.faiss by inner product (of rows of length 1: the cosine), with ids/ids-*.parquet beside it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..errors import UsageError, needs
from ..output import Output
from .options import Options, Progress
from .target import Target
from .to_parquet import IdFiles

NAME = "index.faiss"
TRAIN_ROWS_LEAST, TRAIN_ROWS_A_LIST = 65_536, 64  # FAISS asks for 39 to 256 rows a list
SEED = 1


class FaissWriter:
    """A row's number in the index is its number in the run. An index is one whole: an export that is interrupted adds all
    rows again, but keeps the ids and the trained index."""

    def __init__(self, output: Output, options: Options, target: Target) -> None:
        try:
            import faiss
        except ImportError as error:
            raise needs("faiss-cpu", "--to faiss", "faiss") from error
        self._faiss: Any = faiss
        self._output, self._options, self._target = output, options, target
        self._ids = IdFiles(output, options, target)
        self._next = 0

    def prepare(self, remembered: dict[str, Any]) -> dict[str, Any]:
        faiss, width = self._faiss, self._options.width_of(self._output)
        if self._target.has("trained.faiss"):
            self._index = faiss.read_index(str(self._target.path / "trained.faiss"))
        else:
            try:
                self._index = faiss.index_factory(width, self._options.index, faiss.METRIC_INNER_PRODUCT)
            except RuntimeError as error:
                raise UsageError(f"--index {self._options.index}: FAISS cannot make it for {width} numbers") from error
            if not self._index.is_trained:
                self._train()
        return self._ids.prepare(remembered)

    def _train(self) -> None:
        lists = re.search(r"IVF([0-9]+)", self._options.index)
        wanted = self._options.train_rows or max(TRAIN_ROWS_LEAST, TRAIN_ROWS_A_LIST * int(lists[1]) if lists else 0)
        rows, count = self._output.rows, min(wanted, self._output.rows)
        chosen = np.sort(np.random.default_rng(SEED).choice(rows, count, replace=False))
        try:
            self._index.train(self._output.vectors(self._options.width)[chosen].astype(np.float32))
        except RuntimeError as error:
            raise UsageError(f"--index {self._options.index} cannot be trained with {count} rows: take fewer lists") from error
        with self._target.file("trained.faiss") as path:
            self._faiss.write_index(self._index, str(path))

    def is_done(self, number: int) -> bool:
        return False

    def piece(self, number: int, start: int, stop: int, progress: Progress) -> None:
        vectors, rows = self._output.vectors(self._options.width), self._options.batch_rows(self._output)
        for first in range(start, stop, rows):
            end = min(first + rows, stop)
            self._index.add(vectors.read(first, end).astype(np.float32))
            progress(end - first)
        if not self._ids.is_done(number):
            self._ids.write(number, start, stop)

    def finish(self) -> None:
        with self._target.file(NAME) as path:
            self._faiss.write_index(self._index, str(path))
        self._target.remove("trained.faiss")
