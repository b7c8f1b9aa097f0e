"""The folder that an export writes: _export.json, and files that have their names only if they are whole."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import NinaError, UsageError

STATE = "_export.json"  # readers of a folder of Parquet files leave names with "_" out
_TEMPORARY = ".tmp"
_FOLDERS = ("", "ids", "pieces")  # where an export's files lie
_OURS = re.compile(r"part-[0-9]+\.parquet|ids/ids-[0-9]+\.parquet|vectors\.npy(\.partial)?|rows-[0-9]+\.copy|load\.sql|"
                   r"(index|trained|pieces/piece-[0-9]+)\.faiss")


def _is_left_over(name: str) -> bool:
    """Whether it is a temporary file of an export that was killed; other programs have such names too."""
    match = re.fullmatch(rf"(.*/)?\.(.+){re.escape(_TEMPORARY)}", name)
    final = (match[1] or "") + match[2] if match else ""
    return final == STATE or _OURS.fullmatch(final) is not None


def _is_utf8(path: Path) -> bool:
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False


class Target:
    """A target's folder, locked against a second export as long as it is open."""

    def __init__(self, path: Path) -> None:
        """Makes the folder if it is not there. NinaError if another export writes into it."""
        self.path = path
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is not a folder: give another --into")
        if not _is_utf8(path):
            raise UsageError(f"{path} is not UTF-8, which Parquet's and FAISS's libraries want of a path: give another --into")
        path.mkdir(parents=True, exist_ok=True)
        self._folder = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._folder)
            raise NinaError(f"another export writes into {path}: wait for it, or give another --into") from error

    def close(self) -> None:
        os.close(self._folder)

    def state(self) -> dict[str, Any] | None:
        """What _export.json says; None if the folder is empty. UsageError if it holds something else than an export."""
        path = self.path / STATE
        try:
            state = json.loads(path.read_bytes())
            if not isinstance(state, dict) or "options" not in state or "source" not in state:
                raise ValueError("it lacks its members")
            return state
        except FileNotFoundError:
            for found in sorted(self.path.iterdir()):
                if not _is_left_over(found.name):
                    raise UsageError(f"{self.path} holds {found.name} but no {STATE}: it is not an export; give another "
                                     "--into, or empty it") from None
            return None
        except ValueError as error:
            raise UsageError(f"{path} is not an export's ({error}): --overwrite starts anew") from error

    def save(self, state: dict[str, Any]) -> None:
        with self.file(STATE) as path:
            path.write_text(json.dumps(state, indent=1) + "\n")  # in ASCII: a path may hold bytes that are not UTF-8

    def files(self) -> list[str]:
        """The names of an export's files that are there, but for its state."""
        return sorted(name for name in self._names() if _OURS.fullmatch(name))

    def _names(self) -> list[str]:
        """Of all files where an export's lie, relative to the folder."""
        folders = [self.path / name for name in _FOLDERS if (self.path / name).is_dir()]
        return [str(path.relative_to(self.path)) for folder in folders for path in folder.iterdir() if path.is_file()]

    def clear(self) -> bool:
        """Removes an export's files but for its state, which the next `save` replaces, so that the folder stays an export's.
        Other files stay. False if there is no export here; then nothing is removed."""
        if not self.has(STATE):
            return False
        self.remove_left_over()
        for name in self.files():
            self.remove(name)
        return True

    def remove_left_over(self) -> None:
        """Removes temporary files of an export that was killed."""
        for name in filter(_is_left_over, self._names()):
            self.remove(name)

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def remove_folder(self, name: str) -> None:
        """Removes a folder of files; nothing if it is not there."""
        folder = self.path / name
        if folder.is_dir():
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """A file to write: inside `with`, under a temporary name; after it, synced and under its own. If the writing
        fails, nothing stays."""
        final = self.path / name
        final.parent.mkdir(exist_ok=True)
        temporary = final.parent / f".{final.name}{_TEMPORARY}"
        try:
            with names(final):
                yield temporary
                self.commit(temporary, final)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def commit(self, written: Path, final: Path) -> None:
        """Syncs a file and gives it its name."""
        sync(written)
        os.replace(written, final)
        sync(final.parent)


@contextlib.contextmanager
def names(path: Path) -> Iterator[None]:
    """An error of the system that names no file, as of a full disk, is of this one."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def sync(path: Path) -> None:
    """Makes a file's content, or a folder's names, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
