"""python -m nina_vectors export OUT --to parquet|npy|faiss|pgcopy"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .command_line import run, say
from .errors import UsageError
from .output import Output

def arguments_read(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("nina_vectors", description="Exports what nina embed wrote.")
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "export", help="writes a run's vectors in another format",
        description="Writes a run's vectors in another format. An interrupted export goes on if it is started again; OUT is "
        "never changed. Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.")
    command.add_argument("out", metavar="OUT", type=Path, help="what nina embed --out wrote")
    command.add_argument("--to", required=True, choices=["parquet", "npy", "faiss", "pgcopy"])
    command.add_argument("--into", type=Path, metavar="FOLDER", help="where to write (default: OUT-parquet, … beside OUT)")
    command.add_argument("--width", type=int, help="of the vectors (default: the widest; any narrower one)")
    command.add_argument("--dtype", choices=["float16", "float32"], default="float16",
                         help="of the numbers (default float16; pgcopy: halfvec or vector; faiss takes float32 always)")
    command.add_argument("--rows-per-file", type=int, default=250_000, metavar="N",
                         help="also what an interrupted export does again at most (default 250000)")
    command.add_argument("--no-text", action="store_true", help="leave stored texts out")
    command.add_argument("--index", default="Flat", help="faiss: as index_factory takes it (default Flat)")
    command.add_argument("--train-rows", type=int, metavar="N", help="faiss: rows to train the index with")
    command.add_argument("--table", default="nina", help="pgcopy: the table's name (default nina)")
    command.add_argument("--check-hashes", action="store_true", help="hold every file against its hash before it is read")
    command.add_argument("--overwrite", action="store_true", help="remove the export that is in FOLDER first")
    command.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    return parser.parse_args(words)


def progress_bar(rows: int, quiet: bool) -> Any:
    """tqdm's bar on standard error; None if that is no terminal, or without tqdm."""
    if quiet or not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=rows, unit=" rows", unit_scale=True, file=sys.stderr)


def export_run(arguments: argparse.Namespace) -> None:
    from .export import Options, export

    if arguments.rows_per_file < 1 or (arguments.train_rows or 1) < 1:
        raise UsageError("--rows-per-file and --train-rows are at least 1")
    options = Options(arguments.to, arguments.width, arguments.dtype, arguments.rows_per_file, not arguments.no_text,
                      arguments.index, arguments.train_rows, arguments.table)
    with Output(arguments.out, check_hashes=arguments.check_hashes) as output:
        into = arguments.into or Path(f"{output.path.resolve()}-{arguments.to}")
        bar = progress_bar(output.rows, arguments.quiet)
        try:
            done = export(output, options, into, overwrite=arguments.overwrite, progress=bar.update if bar else lambda rows: None)
        finally:
            if bar is not None:
                bar.close()
    if arguments.quiet:
        return
    earlier = done.rows - done.written
    rate = f", {done.written / max(done.seconds, 1e-3):,.0f} rows/s" if done.written else ""
    state = "already there" if not done.written and done.rows else f"complete after {done.seconds:.1f} s{rate}"
    say(f"{into}: {state}")
    print(f"  rows   {done.rows:,} of width {options.width_of(output)}" + (f", {earlier:,} from before" if earlier else ""),
          file=sys.stderr)
    print(f"  files  {len(done.files)} with {done.bytes:,} bytes", file=sys.stderr)
    print(f"  memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB at the peak", file=sys.stderr)


def main(words: Sequence[str] | None = None) -> int:
    arguments = arguments_read(words)
    return run(lambda: export_run(arguments), arguments.out)


if __name__ == "__main__":
    sys.exit(main())
