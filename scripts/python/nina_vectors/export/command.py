"""One export from beginning to end; it goes on where it was interrupted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..output import Output
from .options import Options, Progress, WriterMaker
from .target import Target
from .to_faiss import FaissWriter
from .to_npy import NpyWriter
from .to_parquet import ParquetWriter
from .to_pgcopy import PgcopyWriter

# Of _export.json. The source's identity: in 1 of the manifest alone, in 2 of the shards' paths too, in 3 of the model's name and
# of the compute class.
FORMAT = 4

WRITERS: dict[str, WriterMaker] = {
    "parquet": ParquetWriter,
    "npy": NpyWriter,
    "faiss": FaissWriter,
    "pgcopy": PgcopyWriter,
}


@dataclass(frozen=True)
class Summary:
    """
    rows      in all
    written   in this export; fewer than `rows` if it went on, 0 if all was there
    files     the files, relative to the folder
    bytes     their sizes together
    seconds   of this export
    """

    into: Path
    rows: int
    written: int
    files: list[str]
    bytes: int
    seconds: float


def export(output: Output, options: Options, into: Path, *, overwrite: bool = False,
           progress: Progress = lambda rows: None) -> Summary:
    """Exports a run into the folder `into`. An interrupted export of the same run with the same options goes on, a finished
    one is left as it is. UsageError if the folder holds anything else, unless `overwrite`; DamagedError, OSError.

    `progress` is called with rows that are done, those of earlier starts first.
    """
    began = time.monotonic()
    if into.resolve().is_relative_to(output.path.resolve()):
        raise UsageError(f"{into} is inside {output.path}, into which nothing is written: give another --into")
    target = Target(into)
    try:
        state = _state_of(target, output, options, overwrite)
        target.remove_left_over()
        written = 0
        if state["state"] != "complete" or not all(target.has(name) for name in state["files"]):
            written = _write(target, output, options, state, progress)
        else:
            progress(output.rows)
        files = state["files"]
        size = sum((into / name).stat().st_size for name in files)
        return Summary(into, output.rows, written, files, size, time.monotonic() - began)
    finally:
        target.close()


def _state_of(target: Target, output: Output, options: Options, overwrite: bool) -> dict[str, Any]:
    """The state of the export that goes on, or of a new one."""
    source = {"path": str(output.path.resolve()), "identity": output.identity, "rows": output.rows,
              "state": output.manifest.state}
    wanted = options.of(output)
    state = None if overwrite and target.clear() else target.state()
    if state is None:
        return {"format": FORMAT, "state": "running", "options": wanted, "source": source,
                "model": output.manifest.model.get("name"), "shards": [shard.path for shard in output.shards],
                "remembered": {}, "files": []}
    differences = [f"{key} was {state['options'].get(key)}, is now {wanted.get(key)}"
                   for key in sorted({*wanted, *state["options"]}) if state["options"].get(key) != wanted.get(key)]
    if state.get("format") != FORMAT:
        differences.append("an older or a newer nina_vectors wrote it")
    elif state["source"]["identity"] != source["identity"]:
        differences.append(f"it was of {state['source']['path']} with {state['source']['rows']} rows, "
                           f"{source['path']} now has {source['rows']} rows or is another run")
    if differences:
        raise UsageError(f"{target.path} holds another export (--overwrite starts anew, another --into leaves it alone): "
                         + "; ".join(differences))
    return state


def _write(target: Target, output: Output, options: Options, state: dict[str, Any], progress: Progress) -> int:
    writer = WRITERS[options.to](output, options, target)
    state |= {"state": "running", "files": []}
    target.save(state)  # from here on the folder is this export's, whatever happens
    remembered = writer.prepare(state["remembered"])
    if remembered != state["remembered"]:
        state["remembered"] = remembered
        target.save(state)
    written = 0
    for number, start in enumerate(range(0, max(1, output.rows), options.rows_per_file)):
        stop = min(start + options.rows_per_file, output.rows)
        if writer.is_done(number):
            progress(stop - start)
        else:
            writer.piece(number, start, stop, progress)
            written += stop - start
    writer.finish()
    state["files"] = target.files()
    state["state"] = "complete"
    target.save(state)
    return written
