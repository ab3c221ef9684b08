"""Who may send to the forward receiver: a client after Fluentd's specification of the forward protocol v1."""
import hashlib
import os
import socket
import ssl
import subprocess
import time

import msgpack
import pytest

from receiving import address, stored


class Client:
    """Says HELO's answer with these; the specification's client checks PONG too."""

    def __init__(self, where, context=None):
        self.socket = socket.create_connection(where)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.socket.settimeout(20)
        self.answers = msgpack.Unpacker(self.socket.makefile("rb", buffering=0), read_size=1, raw=True)

    def shake(self, key, user=b"", password=b"", host=b"client.example", salt=None):
        salt = salt or os.urandom(16)
        kind, self.helo = next(self.answers)
        assert kind == b"HELO" and len(self.helo[b"nonce"]) == 16 and self.helo[b"keepalive"] is True
        digest = hashlib.sha512(salt + host + self.helo[b"nonce"] + key).hexdigest()
        known = hashlib.sha512(self.helo[b"auth"] + user + password).hexdigest() if user else ""
        self.socket.sendall(msgpack.packb(["PING", host.decode(), salt, digest, user.decode(), known]))
        kind, result, reason, server, theirs = next(self.answers)
        assert kind == b"PONG"
        if result:
            assert theirs.decode() == hashlib.sha512(salt + server + self.helo[b"nonce"] + key).hexdigest() and reason == b""
        self.server = server
        return True if result else reason.decode()

    def send(self, line, chunk):
        self.socket.sendall(msgpack.packb(["t", int(time.time()), {"message": line}, {"chunk": chunk}]))
        try:
            return next(self.answers, None)
        except ConnectionError:
            return None


def forward(keys):
    return "job_name: f\nforward: {listen_address: '127.0.0.1:0', labels: {job: f}, %s}" % keys


def test_a_shared_key(ingester, receive):
    shipper = receive(forward("shared_key: s3cret, self_hostname: gate.example")).start()
    where = address(shipper, "forward.f")
    good = Client(where)
    assert good.shake(b"s3cret") is True and good.server == b"gate.example" and good.helo[b"auth"] == b""
    assert good.send("one", "a") == {b"ack": b"a"} and good.send("two", "b") == {b"ack": b"b"}
    bad = Client(where)
    assert bad.shake(b"other") == "shared_key mismatch" and bad.send("lost", "c") is None
    hasty = Client(where)                                   # sends before it has said who it is
    hasty.socket.sendall(msgpack.packb(["t", int(time.time()), {"message": "lost"}, {"chunk": "d"}]))
    assert next(hasty.answers)[0] == b"HELO" and next(hasty.answers)[:2] == [b"PONG", False] and next(hasty.answers, None) is None
    endless = Client(where)
    endless.socket.sendall(b"\xdb\x00\xff\xff\xff" + b"x" * 8000)
    assert next(endless.answers)[0] == b"HELO" and next(endless.answers, None) is None
    replay = Client(where)                                  # another nonce: an old digest is of no use
    next(replay.answers)
    digest = hashlib.sha512(b"salt" + b"h" + good.helo[b"nonce"] + b"s3cret").hexdigest()
    replay.socket.sendall(msgpack.packb(["PING", "h", b"salt", digest, "", ""]))
    assert next(replay.answers)[:3] == [b"PONG", False, b"shared_key mismatch"]
    stored(ingester, [b"one", b"two"], '{job="f"}')
    assert "a client is refused: shared_key mismatch" in shipper.log()
    assert shipper.stop() == 0


def test_users_over_tls(ingester, receive, certificates):
    tls = "tls_config: {cert_file: %(c)s/server.pem, key_file: %(c)s/server.key}" % {"c": certificates}
    shipper = receive(forward("shared_key: k, users: [{username: ann, password: a}, {username: bob, password: 'b b'}], " + tls)).start()
    where = address(shipper, "forward.f")
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    for user, password, want in ((b"ann", b"a", True), (b"bob", b"b b", True), (b"ann", b"b b", "username/password mismatch"),
                                 (b"eve", b"a", "username/password mismatch"), (b"", b"", "username/password mismatch")):
        client = Client(where, context)
        assert client.shake(b"k", user, password) == want, user
        assert len(client.helo[b"auth"]) == 16 and client.server == (os.uname().nodename.encode() if want is True else b"")
        assert (client.send(user.decode(), "c") == {b"ack": b"c"}) == (want is True)
    stored(ingester, [b"ann", b"bob"], '{job="f"}')
    assert shipper.stop() == 0


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_compressed_chunks(ingester, receive, codec):
    shipper = receive(forward("idle_timeout: 1m")).start()
    client = Client(address(shipper, "forward.f"))
    start, packed = int(time.time()) - 1000, b""
    for part in range(3):                                   # Fluentd appends a member or a frame at a time
        raw = b"".join(msgpack.packb([start + i, {"message": "%d %d" % (part, i)}]) for i in range(200))
        packed += subprocess.run([codec, "-c"], input=raw, stdout=subprocess.PIPE, check=True).stdout
    client.socket.sendall(msgpack.packb(["t", packed, {"compressed": codec, "chunk": "z", "size": 600}]))
    assert next(client.answers) == {b"ack": b"z"}
    stored(ingester, [b"%d %d" % (part, i) for part in range(3) for i in range(200)], '{job="f"}')
    client.socket.sendall(msgpack.packb(["t", packed[:-20], {"compressed": codec, "chunk": "y"}]))
    assert next(client.answers, None) is None and codec in shipper.log()
    assert shipper.stop() == 0


def test_what_are_no_logs(receive):
    shipper = receive(forward("idle_timeout: 1m")).start()
    client = Client(address(shipper, "forward.f"))
    client.socket.sendall(msgpack.packb(["t", b"\xc0", {"fluent_signal": 1, "chunk": "m"}]))
    assert next(client.answers, None) is None and "metrics or traces of Fluent Bit: send logs alone" in shipper.log()


@pytest.mark.parametrize("keys, told", [("users: [{username: a, password: b}]", "need a shared_key"), ("self_hostname: %s" % ("x" * 300), "at most 255")])
def test_what_cannot_be_is_told(make_shipper, tmp_path, keys, told):
    shipper = make_shipper(config="positions: {filename: %s/p.yml}\nclients: [{url: 'http://127.0.0.1:1/'}]\nscrape_configs:\n- %s\n"
                           % (tmp_path, forward(keys).replace("\n", "\n  ")))
    done = subprocess.run([*shipper.argv, "--check"], capture_output=True, timeout=60)
    assert done.returncode == 2 and told in done.stderr.decode(), done
