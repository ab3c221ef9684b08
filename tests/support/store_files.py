"""What the files of a data directory hold, as far as tests must know it to damage them: wal_format.h and format.h say it."""
import glob
import os
import struct

SEGMENT_HEADER = FRAME_HEADER = 64
FOOTER = 256
REGIONS = ("filters", "blocks", "streams", "postings", "origin")


class Frame:
    def __init__(self, start, end, kind, meta, body, seq):
        self.start, self.end, self.kind, self.meta, self.body, self.seq = start, end, kind, meta, body, seq


def segments(data):
    return sorted(glob.glob(os.path.join(data, "wal", "*.wal")))


def frames(path):
    """The frames of a whole segment, the first of which is a checkpoint; meta and body are offsets."""
    with open(path, "rb") as f:
        raw = f.read()
    assert raw[:8] == b"CWWALSEG"
    out, at = [], SEGMENT_HEADER
    while at + FRAME_HEADER <= len(raw):
        magic, kind = struct.unpack_from("<IB", raw, at)
        assert magic == 0x72465743, at
        seq, = struct.unpack_from("<Q", raw, at + 16)
        body_len, meta_len = struct.unpack_from("<II", raw, at + 52)
        end = at + FRAME_HEADER + meta_len + body_len
        out.append(Frame(at, end, kind, at + FRAME_HEADER, at + FRAME_HEADER + meta_len, seq))
        at = (end + 7) // 8 * 8
    return out


def parts(data):
    return sorted(glob.glob(os.path.join(data, "parts", "*", "*", "*.part")))


class Part:
    """Where the regions and blocks of a part lie: {name: (offset, length)}, [(offset, length, rows)]."""

    def __init__(self, path):
        with open(path, "rb") as f:
            raw = f.read()
        self.size = len(raw)
        self.footer = len(raw) - FOOTER
        self.rows, = struct.unpack_from("<Q", raw, self.footer + 48)
        nblocks, = struct.unpack_from("<I", raw, self.footer + 80)
        self.level = raw[self.footer + 12]
        self.regions = {name: struct.unpack_from("<QQ", raw, self.footer + 96 + 24 * i) for i, name in enumerate(REGIONS)}
        at = self.regions["blocks"][0]
        self.blocks = [struct.unpack_from("<QII", raw, at + 48 * i) for i in range(nblocks)]


def flip(path, at, mask=0x10):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ mask]))


def quarantined(data):
    folder = os.path.join(data, "quarantine")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


SECTIONS = {1: "text", 2: "lengths", 3: "times", 4: "streams", 5: "metadata", 6: "templates", 7: "rows", 8: "small", 9: "column", 10: "raw"}


def sections(path, block):
    """[(name, offset, length)] of the block that begins at the offset `block` of a part; those without bytes are left out."""
    with open(path, "rb") as f:
        raw = f.read()
    dir_bytes, = struct.unpack_from("<I", raw, block + 48)
    out, at = [], block + 64 + dir_bytes
    for entry in range(block + 64, block + 64 + dir_bytes, 16):
        stored, = struct.unpack_from("<I", raw, entry + 8)
        if stored:
            out.append((SECTIONS[raw[entry] & 127], at, stored))
        at += stored
    return out
