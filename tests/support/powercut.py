"""Rebuild the states in which a disk may be when the power goes, from the journal that libpowercut.so wrote.

What may be there after a cut at event k: of each file all that a finished sync covers, and of what came later any
selection of writes, whole or torn (a length that grew without its data reads as zeros); of each folder all names that a
finished sync of the folder covers, and of its later changes any beginning of their row.
"""
import os
import struct
from collections import namedtuple

HEAD = struct.Struct("<cQQQQII")
Event = namedtuple("Event", "op mono_ns inode a b path1 path2 data")
NAMES = "CRULMX"


def read_journal(path):
    events = []
    with open(path, "rb") as f:
        raw = f.read()
    at = 0
    while at + HEAD.size <= len(raw):
        op, mono, inode, a, b, n1, n2 = HEAD.unpack_from(raw, at)
        at += HEAD.size
        first, second = raw[at:at + n1], raw[at + n1:at + n1 + n2]
        at += n1 + n2
        if at > len(raw):
            break                                   # the recorder itself was killed in the middle of a frame
        op = op.decode()
        names = (first.decode(), second.decode()) if op in NAMES else ("", "")
        events.append(Event(op, mono, inode, a, b, *names, first if op == "W" else b""))
    return events


class File:
    def __init__(self):
        self.changes = []                           # (index, Event) of W and T
        self.durable_to = -1                        # changes before this index are on disk


class Folder:
    def __init__(self):
        self.changes = []                           # (index, Event)
        self.durable_to = -1


class Disk:
    """What happened below `root` up to an event, and what of it is sure."""

    def __init__(self, events, root):
        self.root = root
        self.objects = {}                           # inode -> File or Folder now
        self.made = {}                              # index of its C or M -> object
        self.folders = {root: Folder()}             # path -> Folder now
        self.root_inode = os.stat(root).st_ino if os.path.exists(root) else 0
        self.objects[self.root_inode] = self.folders[root]
        begun = {}
        self.names = []                             # (index, Event) of all name changes
        for i, e in enumerate(events):
            if e.op in NAMES:
                self.names.append((i, e))
                self.note_name(i, e)
            elif e.op in "WT":
                # a file that was there before the recording has no history: it is taken as durable
                self.objects.setdefault(e.inode, File()).changes.append((i, e))
            elif e.op == "b":
                begun[e.a] = i
            elif e.op == "e" and e.inode in self.objects:
                thing = self.objects[e.inode]
                thing.durable_to = max(thing.durable_to, begun[e.a])

    def note_name(self, i, e):
        if e.op == "C":
            self.objects[e.inode] = self.made[i] = File()
        elif e.op == "M":
            self.objects[e.inode] = self.made[i] = self.folders[e.path1] = Folder()
        elif e.op == "R" and e.path1 in self.folders:
            self.folders[e.path2] = self.folders.pop(e.path1)
        for path in {os.path.dirname(p) for p in (e.path1, e.path2) if p}:
            if path in self.folders:
                self.folders[path].changes.append((i, e))

    def state(self, rng, mode):
        """{path: bytes or None for a folder}. mode: "least" (only what is sure), "most" (all), "mixed" (drawn)."""
        chosen = set()
        for folder in self.folders.values():
            sure = [i for i, _ in folder.changes if i < folder.durable_to]
            rest = [i for i, _ in folder.changes if i >= folder.durable_to]
            keep = {"least": 0, "most": len(rest)}.get(mode)
            chosen.update(sure + rest[:rng.randrange(len(rest) + 1) if keep is None else keep])
        tree = {}                                   # path -> object
        for i, e in self.names:
            if i not in chosen or (os.path.dirname(e.path1) != self.root and os.path.dirname(e.path1) not in tree):
                continue
            if e.op in "CM":
                tree[e.path1] = self.made[i]
            elif e.op in "UX":
                tree.pop(e.path1, None)
            elif e.op == "L" and e.path1 in tree:
                tree[e.path2] = tree[e.path1]
            elif e.op == "R" and e.path1 in tree:
                for path in [p for p in tree if p == e.path1 or p.startswith(e.path1 + "/")]:
                    tree[e.path2 + path[len(e.path1):]] = tree.pop(path)
        return {path: None if isinstance(thing, Folder) else self.contents(thing, rng, mode) for path, thing in tree.items()}

    @staticmethod
    def contents(file, rng, mode):
        out = bytearray()
        share = rng.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for i, e in file.changes:
            data, sure = e.data, i < file.durable_to
            if not sure:
                if mode == "least" or (mode == "mixed" and rng.random() >= share):
                    continue
                if mode == "mixed" and e.op == "W" and rng.random() < 0.3:      # torn, at a sector or anywhere
                    cut = rng.randrange(len(data) + 1)
                    data = data[:cut - cut % 512 if rng.random() < 0.5 else cut]
                    if rng.random() < 0.3:                                       # the length is there, the rest is not
                        data = data + bytes(len(e.data) - len(data))
            if e.op == "T":
                del out[e.a:]
                out.extend(bytes(e.a - len(out)))
            else:
                out.extend(bytes(max(0, e.a + len(data) - len(out))))
                out[e.a:e.a + len(data)] = data
        return bytes(out)


def write_state(state, root, target):
    os.makedirs(target, mode=0o700, exist_ok=True)
    for path in sorted(state, key=lambda p: p.count("/")):
        where = os.path.join(target, os.path.relpath(path, root))
        if state[path] is None:
            os.makedirs(where, mode=0o700, exist_ok=True)
        else:
            with open(where, "wb") as f:
                f.write(state[path])
