"""Reads the vectors that `nina embed` wrote, and exports them (python -m nina_vectors export OUT --to …).

    import nina_vectors
    out = nina_vectors.open("out/archive")
    out.rows, out.widths             # 150, [384, 256, 128, 64]
    v = out.vectors(64)              # like an array [rows, 64] of fp16 that is read where it is indexed
    v[10], v[1000:2000], v[[3, 1]]
    for batch in out.batches(4096):  # batch.ids, batch.vectors
        ...

Nothing here writes into OUT. See README.md beside this file.
"""

from __future__ import annotations

from pathlib import Path

from .changes import Change, changes_read
from .errors import ChangedError, DamagedError, IncompleteWarning, NinaError, UsageError
from .manifest import Manifest, Part, Shard
from .output import Batch, Id, Output, Row
from .rows import Rows, Vectors
from .widths import derive

__version__ = "0.1.0"
__all__ = [
    "Batch", "Change", "ChangedError", "DamagedError", "Id", "IncompleteWarning", "Manifest", "NinaError", "Output", "Part",
    "Row", "Rows", "Shard", "UsageError", "Vectors", "changes_read", "derive", "open",
]


def open(path: str | Path, *, check_hashes: bool = False) -> Output:
    """Opens the folder that `nina embed --out` wrote; see Output."""
    return Output(path, check_hashes=check_hashes)
