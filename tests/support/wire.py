"""Push bodies in protobuf, as clients make them, and what is in them."""
import json

import cramjam

NS = 10 ** 9


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """(number, value) of a protobuf message: ints for varints, bytes for the rest."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            assert key & 7 == 2, key
            size = varint()
            yield key >> 3, message[at:at + size]
            at += size


def push_body(streams):
    """[("{label text}", [(ns, line), or (ns, line, {name: value})])]"""
    out = []
    for labels, entries in streams:
        rows = [field(1, labels)]
        for ts, line, *metadata in entries:
            pairs = b"".join(field(3, field(1, k) + field(2, v)) for k, v in (metadata[0] if metadata else {}).items())
            rows.append(field(2, field(1, field(1, ts // NS) + field(2, ts % NS)) + field(2, line) + pairs))
        out.append(field(1, b"".join(rows)))
    return b"".join(out)


def snappy(data):
    return bytes(cramjam.snappy.compress_raw(data))


def unsnappy(data):
    return bytes(cramjam.snappy.decompress_raw(data))


def ask_sources(server, shipper, sessions, headers=None):
    """(status, answer): a shipper's question at its start. Ids are hex."""
    status, text = server.ask("POST", "/cordwood/v1/sources", body=json.dumps({"shipper": shipper, "sessions": sessions}).encode(), headers=headers)
    return status, json.loads(text)


def deliver(server, shipper, session, source, ranges, streams=(), confirms=(), headers=None):
    """(status, body) of a push with ranges [(from, to)] of one source."""
    delivery = field(1, bytes.fromhex(shipper)) + field(2, bytes.fromhex(session))
    for a, b in ranges:
        delivery += field(3, field(1, bytes.fromhex(source)) + field(3, a) + field(4, b))
    for c in confirms:
        delivery += field(4, field(1, bytes.fromhex(source)) + field(3, c))
    return server.ask("POST", "/loki/api/v1/push", body=snappy(push_body(streams) + field(1000, delivery)),
                      headers={"Content-Type": "application/x-protobuf", **(headers or {})})
