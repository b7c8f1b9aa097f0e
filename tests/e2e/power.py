"""What is on a disk when the power fails, by the record of what a program changed (tests/preload/call_record.h).

The model promises no more than POSIX does. A file's bytes are safe when the file was synced, a name when its folder was synced. What
was not may be there or not, in any order, and a file's bytes may be there in part, or as zeros. (A rename is one change: no file
system that nina is meant for does half of it.)"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

KEPT, LOST, EMPTY, TORN, REORDERED = FATES = "kept", "lost", "empty", "torn", "reordered"


@dataclass(eq=False)
class File:
    safe: bytes = b""
    writes: list[tuple[int, bytes]] = field(default_factory=list)  # since the last sync; without bytes: cut or grown to this size

    def sync(self) -> None:
        self.safe, self.writes = self.content(KEPT, random.Random()), []

    def content(self, fate: str, chance: random.Random) -> bytes:
        """`fate` is KEPT, LOST or TORN."""
        found = bytearray(self.safe)
        for offset, new in self.writes if fate != LOST else []:
            if not new:
                found[offset:] = bytes(max(0, offset - len(found)))
                continue
            cut = chance.choice((0, len(new) // 2, len(new))) if fate == TORN else len(new)
            grown = chance.choice((cut, len(new)))  # zeros where the size came to the disk and the bytes did not
            found.extend(bytes(max(0, offset + grown - len(found))))
            found[offset : offset + cut] = new[:cut]
        return bytes(found)


@dataclass(eq=False)
class Folder:
    names: dict[str, File | Folder] = field(default_factory=dict)
    safe: dict[str, File | Folder] = field(default_factory=dict)


@dataclass(eq=False)
class Change:
    """Entries of folders that change at once; None: the name goes."""

    entries: list[tuple[Folder, str, File | Folder | None]]

    def places(self) -> set[tuple[int, str]]:
        return {(id(folder), name) for folder, name, _ in self.entries}


class Disk:
    """Everything below a folder, which holds what `place` holds at the start; that is safe."""

    def __init__(self, place: Path) -> None:
        self.place, self.root = str(place.parent), Folder()
        self.open: dict[int, File | Folder | None] = {}
        self.changes: list[Change] = []  # whose folders were not synced since
        if place.exists():
            self.root.names[place.name] = self.read(place)
            self.root.safe = dict(self.root.names)

    def read(self, path: Path) -> File | Folder:
        if path.is_file():
            return File(path.read_bytes())
        names = {below.name: self.read(below) for below in path.iterdir()}
        return Folder(names, dict(names))

    def parent(self, path: str) -> tuple[Folder, str] | None:
        """The folder that a name stands in; None if it is elsewhere."""
        if not path.startswith(self.place + "/"):
            return None
        *above, name = [part for part in path.removeprefix(self.place).split("/") if part]
        folder: File | Folder | None = self.root
        for part in above:
            folder = folder.names.get(part) if isinstance(folder, Folder) else None
        assert isinstance(folder, Folder), path
        return folder, name

    def find(self, path: str) -> File | Folder | None:
        path = os.path.normpath(path)
        if path == self.place:
            return self.root
        found = self.parent(path)
        return found[0].names.get(found[1]) if found else None

    def change(self, *entries: tuple[str, File | Folder | None]) -> None:
        change = Change([])
        for path, node in entries:
            place = self.parent(path)
            if not place:
                continue
            folder, name = place
            change.entries.append((folder, name, node))
            if node is None:
                folder.names.pop(name, None)
            else:
                folder.names[name] = node
        if change.entries:
            self.changes.append(change)

    def closed(self, chosen: list[Change]) -> list[Change]:
        """The chosen changes and those that came before them at the same names, in order."""
        places, found = set[tuple[int, str]](), []
        for change in reversed(self.changes):
            if change in chosen or places & change.places():
                places |= change.places()
                found.append(change)
        return found[::-1]

    def sync(self, node: File | Folder | None) -> None:
        if isinstance(node, File):
            node.sync()
        elif node:
            done = self.closed([change for change in self.changes if any(folder is node for folder, _, _ in change.entries)])
            for change in done:
                for folder, name, entry in change.entries:
                    apply(folder.safe, name, entry)
            self.changes = [change for change in self.changes if change not in done]

    def do(self, line: str) -> None:
        """A line of the record."""
        what, *words = line.split("\t")
        match what:
            case "open":
                descriptor, kind, path = int(words[0]), words[1], words[2]
                if kind == "created":
                    self.change((path, File()))
                node = self.open[descriptor] = self.find(path)
                if kind == "emptied" and isinstance(node, File):
                    node.writes.append((0, b""))
            case "write" | "truncate":
                node = self.open.get(int(words[0]))
                if isinstance(node, File):
                    node.writes.append((int(words[1]), bytes.fromhex(words[2]) if what == "write" else b""))
            case "sync":
                self.sync(self.open.get(int(words[0])))
            case "close":
                self.open.pop(int(words[0]), None)
            case "rename":
                node = self.find(words[0])
                self.change((words[0], None), (words[1], node))
            case "link":
                self.change((words[1], self.find(words[0])))
            case "unlink" | "rmdir":
                self.change((words[0], None))
            case "mkdir":
                self.change((words[0], Folder()))
            case _:
                raise AssertionError(line)

    def after(self, fate: str, seed: int) -> dict[str, bytes | None]:
        """What is found when the power is back: each file's bytes; None for a folder."""
        chance = random.Random(seed)
        done = {LOST: [], REORDERED: self.closed([change for change in self.changes if chance.random() < 0.5])}.get(fate, self.changes)
        names = {}
        for change in done:
            for folder, name, entry in change.entries:
                apply(names.setdefault(folder, dict(folder.safe)), name, entry)
        bytes_fate = {EMPTY: LOST, REORDERED: TORN}.get(fate, fate)

        def walk(folder: Folder, path: str) -> Iterator[tuple[str, bytes | None]]:
            for name, node in sorted(names.get(folder, folder.safe).items()):
                if isinstance(node, File):
                    yield path + name, node.content(bytes_fate, chance)
                else:
                    yield path + name, None
                    yield from walk(node, f"{path}{name}/")

        return dict(walk(self.root, ""))


def apply(names: dict[str, File | Folder], name: str, node: File | Folder | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def put(state: dict[str, bytes | None], name: str, place: Path) -> None:
    """Makes at `place` what the state has below `name`."""
    for path, content in state.items():
        if path != name and not path.startswith(f"{name}/"):
            continue
        to = Path(f"{place}{path.removeprefix(name)}")
        if content is None:
            to.mkdir()
        else:
            to.write_bytes(content)
