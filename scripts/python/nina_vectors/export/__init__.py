"""Exports of a run: python -m nina_vectors export OUT --to parquet|npy|faiss|pgcopy."""

from __future__ import annotations

from .command import Summary, export
from .options import Options

__all__ = ["Options", "Summary", "export"]
