"""The shipper on files of all kinds: compressed, renamed, replaced, linked, more than may be open, in other encodings."""
import bz2
import gzip
import lzma
import os
import random
import resource
import shutil
import signal
import subprocess
import threading
import time
import zlib

import pytest

from load import differences, numbered
from programs import LONG, wait_for

PACKERS = {
    ".gz": lambda data: gzip.compress(data),
    ".bz2": lambda data: bz2.compress(data[:len(data) // 2]) + bz2.compress(data[len(data) // 2:]),
    ".xz": lambda data: lzma.compress(data),
    ".zst": lambda data: subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout,
}


def append(path, lines, end=b"\n"):
    with open(path, "ab") as f:
        f.write(b"\n".join(lines) + end)


def pack(path, end):
    """As gzip(1) and its like: the time of the last change stays."""
    old = os.stat(path)
    with open(path, "rb") as f:
        data = f.read()
    with open(str(path) + end, "wb") as f:
        f.write(PACKERS[end](data))
    os.utime(str(path) + end, ns=(old.st_atime_ns, old.st_mtime_ns))
    os.unlink(path)


def stored(server, want, seconds=30):
    wait_for("%d stored lines" % len(want), lambda: server.count('{job="s"}') >= len(want), seconds, 0.3)
    time.sleep(0.5)                                         # what would come twice, comes now
    difference = differences(want, server.export_lines('{job="s"}'))
    assert difference is None, difference


@pytest.fixture
def once(make_shipper, ingester, logs):
    """Read all there is, and exit."""
    def run(pattern="*.log"):
        shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=s", "--once", str(logs / pattern)])
        shipper.start()
        shipper.finish()
        return shipper
    return run


@pytest.mark.parametrize("end", sorted(PACKERS))
@pytest.mark.parametrize("pattern", ["*.log", "*"])
def test_generations_that_were_compressed_while_it_was_down_are_joined(once, ingester, logs, end, pattern):
    first, rest, missed, now = numbered("first", 100), numbered("rest", 3000), numbered("missed", 50), numbered("now", 10)
    append(logs / "a.log", first)
    once(pattern)
    time.sleep(0.1)
    append(logs / "a.log", rest)
    os.rename(logs / "a.log", logs / "a.log.1")
    append(logs / "a.log", missed)
    pack(logs / "a.log.1", end)
    os.rename(logs / ("a.log.1" + end), logs / ("a.log.2" + end))
    os.rename(logs / "a.log", logs / "a.log.1")
    append(logs / "a.log", now)
    pack(logs / "a.log.1", end)
    once(pattern)
    want = first + rest + missed + now
    stored(ingester, want)
    once(pattern)
    stored(ingester, want)


def test_an_old_generation_that_was_read_is_not_read_again(once, ingester, logs):
    lines = numbered("old", 100)
    append(logs / "a.log", lines)
    once()
    os.rename(logs / "a.log", logs / "a.log.1")
    pack(logs / "a.log.1", ".gz")
    append(logs / "a.log", numbered("new", 10))
    for _ in range(3):
        once()
    stored(ingester, lines + numbered("new", 10))


def test_kills_while_it_unpacks_lose_and_repeat_nothing(make_shipper, ingester, logs):
    first, rest = numbered("first", 10), numbered("a rather long line, so that there is something to unpack,", 1000000)
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=s", str(logs / "*.log")])
    append(logs / "a.log", first)
    shipper.start()
    wait_for("the first lines", lambda: ingester.count('{job="s"}') == 10)
    shipper.process.send_signal(signal.SIGTERM)
    shipper.process.wait(30)
    append(logs / "a.log", rest)
    os.rename(logs / "a.log", logs / "a.log.1")
    pack(logs / "a.log.1", ".gz")
    append(logs / "a.log", numbered("now", 5))
    for i in range(6):
        shipper.start()
        before = ingester.count('{job="s"}')
        wait_for("some lines", lambda: ingester.count('{job="s"}') > before, 60, 0.05)
        shipper.kill()
    shipper.start()
    stored(ingester, first + rest + numbered("now", 5), 240)


CONFIG = """
clients: [{url: "%s/loki/api/v1/push", batchwait: 100ms}]
positions: {filename: "%s"}
target_config: {sync_period: 200ms}
scrape_configs: [{job_name: j, %s, static_configs: [{labels: {job: s, __path__: "%s"}}]}]
"""


def test_files_that_are_only_ever_compressed(make_shipper, ingester, logs, tmp_path):
    config = CONFIG % (ingester.url, tmp_path / "positions", "decompression: {enabled: true, initial_delay: 1s, format: gz}", logs / "*.gz")
    shipper = make_shipper(config=config)
    want = []
    for i in range(5):
        append(logs / ("a%d" % i), numbered("a%d" % i, 200))
        want += numbered("a%d" % i, 200)
        pack(logs / ("a%d" % i), ".gz")
    damaged = PACKERS[".gz"](b"before the damage\n" * 100 + os.urandom(100000))
    with open(logs / "bad.gz", "wb") as f:
        f.write(damaged[:50000] + bytes(100) + damaged[50100:])
    with open(logs / "no.gz", "w") as f:
        f.write("not compressed\n")
    shipper.start()
    wait_for("the damage to be told", lambda: "bad.gz is damaged" in shipper.log(), 60)
    for i in range(2):
        wait_for("all", lambda: differences(want + [b"not compressed"], ingester.export_lines('{job="s", filename!~".*bad.gz"}')) is None, 60, 0.5)
        assert ingester.export_lines('{job="s", filename=~".*bad.gz"}').count(b"before the damage") == 100
        shipper.kill()
        shipper.start()
        time.sleep(3)


def test_a_format_is_known_whatever_the_files_are_called(make_shipper, ingester, logs, tmp_path):
    made = {"gz": gzip.compress, "z": zlib.compress}
    want = []
    for format, compress in made.items():
        for name in ("app.log-20260101", "up.log." + format.upper(), "x." + format):
            (logs / (format + "." + name)).write_bytes(compress(b"%s in %s\n" % (name.encode(), format.encode())))
            want.append(b"%s in %s" % (name.encode(), format.encode()))
    (logs / "z.text").write_text("no zlib\n")
    jobs = ", ".join("{job_name: %s, decompression: {enabled: true, format: %s}, static_configs: [{labels: {job: s, __path__: %s/%s.*}}]}" % (f, f, logs, f) for f in made)
    base = "clients: [{url: %s/loki/api/v1/push}]\npositions: {filename: %s/positions}\nscrape_configs: [%s]\n"
    shipper = make_shipper(config=base % (ingester.url, tmp_path, jobs), arguments=["--once"])
    shipper.start().finish()
    stored(ingester, want + [b"no zlib"])
    wrong = make_shipper("wrong", config=base % (ingester.url, tmp_path, jobs.replace("format: z", "format: nonsense")), arguments=["--check"]).start()
    assert wrong.process.wait(30) == 2
    assert 'shipper.yaml:3:' in wrong.log() and '"nonsense" is none of gz, z (zlib), bz2, zst and xz' in wrong.log(), wrong.log()


def test_damaged_files_hold_up_no_others(make_shipper, ingester, logs, tmp_path):
    """Two that end in the middle, as if they were still written, and one that nobody writes any more."""
    config = CONFIG % (ingester.url, tmp_path / "positions", "decompression: {enabled: true}", logs / "*.gz")
    cut = {"a1": b"first of a1\n", "a2": b"first of a2\n", "old": b"first of old\n"}
    for name, line in cut.items():
        packed = gzip.compress(line * 50 + os.urandom(100000).hex().encode() + b"\n")
        (logs / (name + ".gz")).write_bytes(packed[:len(packed) // 2])
    os.utime(logs / "old.gz", (time.time() - 3600,) * 2)
    want = []
    for i in range(4):
        append(logs / ("b%d" % i), numbered("b%d" % i, 100))
        want += numbered("b%d" % i, 100)
        pack(logs / ("b%d" % i), ".gz")
    shipper = make_shipper(config=config).start()
    wait_for("the others", lambda: differences(want, ingester.export_lines('{job="s", filename=~".*/b[0-9].gz"}')) is None, 50, 0.3)
    wait_for("the damage of the old one", lambda: "old.gz is damaged" in shipper.log(), 10)
    wait_for("the wait for the young ones", lambda: all("a%d.gz is not read to its end yet: it ends in the middle" % i in shipper.log() for i in (1, 2)), 10)
    assert "a1.gz is damaged" not in shipper.log() and "a2.gz is damaged" not in shipper.log()
    for name in ("a1", "a2"):                     # the time that they are waited for is over
        os.utime(logs / (name + ".gz"), (time.time() - 3600,) * 2)
        wait_for(name, lambda: name + ".gz is damaged" in shipper.log(), 20)
        assert ingester.export_lines('{job="s", filename=~".*/%s.gz"}' % name).count(cut[name].strip()) == 50


@pytest.mark.parametrize("kind", ["missing", "damaged", "unreadable"])
def test_once_tells_by_its_status_what_it_could_not_read(make_shipper, ingester, logs, kind):
    append(logs / "good.log", [b"good"])
    bad = logs / "bad.log.gz"
    if kind == "damaged":
        bad.write_bytes(gzip.compress(os.urandom(100000).hex().encode())[:1000])
        os.utime(bad, (time.time() - 3600,) * 2)
    if kind == "unreadable":
        bad.write_bytes(gzip.compress(b"secret\n"))
        bad.chmod(0)
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=s", "--once", str(logs / "good.log"), str(bad)])
    if os.geteuid() == 0:                                  # whom modes do not bind else
        shipper.argv = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *shipper.argv]
    shipper.start()
    assert shipper.process.wait(60) == 1
    assert "not all could be read: 1 files or folders" in shipper.log() and "bad.log.gz" in shipper.log(), shipper.log()
    assert ingester.export_lines('{job="s", filename=~".*good.log"}') == [b"good"]


def test_a_compressed_file_is_read_if_it_is_named_itself(make_shipper, ingester, logs):
    (logs / "named.log.gz").write_bytes(gzip.compress(b"named\n"))
    (logs / "sub").mkdir()
    (logs / "sub" / "rotated.log.1.gz").write_bytes(gzip.compress(b"rotated\n"))
    make_shipper(arguments=["--push", ingester.url, "--label", "job=s", "--once", str(logs / "named.log.gz"), str(logs / "sub")]).start().finish()
    stored(ingester, [b"named"])


def test_other_encodings(make_shipper, ingester, logs, tmp_path):
    shipper = make_shipper(config=CONFIG % (ingester.url, tmp_path / "positions", "encoding: GBK", logs / "*.log"))
    append(logs / "a.log", [("你好 %d" % i).encode("gbk") for i in range(100)])
    with open(logs / "utf16.log", "wb") as f:
        f.write("".join("é %d\n" % i for i in range(100)).encode("utf-16"))
    shipper.start()
    stored(ingester, [("你好 %d" % i).encode() for i in range(100)] + [("é %d" % i).encode() for i in range(100)])


def test_more_files_than_may_be_open(make_shipper, ingester, logs):
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=s", str(logs / "*.log")])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    names = ["f%d.log" % i for i in range(600)]
    want = []

    def write(round):
        for name in names:
            append(logs / name, numbered(name, 1, round))
            want.extend(numbered(name, 1, round))
    write(0)
    shipper.start()
    resource.prlimit(shipper.pid, resource.RLIMIT_NOFILE, (hard, hard))
    stored(ingester, want)
    shipper.kill()
    shipper.argv = ["sh", "-c", 'ulimit -n 200; exec "$@"', "sh", *shipper.argv]
    shipper.start()
    for round in range(1, 4):
        write(round)
        stored(ingester, want)
    os.rename(logs / "f7.log", logs / "f7.log.1")             # of those that rest some are renamed, truncated, removed
    append(logs / "f7.log.1", [b"behind the rename"])
    append(logs / "f7.log", [b"the new f7"])
    shutil.copy(logs / "f8.log", logs / "f8.log.1")
    os.truncate(logs / "f8.log", 0)
    append(logs / "f8.log", [b"the new f8"])
    os.unlink(logs / "f9.log")
    stored(ingester, want + [b"behind the rename", b"the new f7", b"the new f8"])


def test_names_and_kinds_of_files(make_shipper, ingester, logs):
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=s", str(logs / "**" / "*.log")])
    want, deep = [], logs
    while len(str(deep)) < 1500:                            # servers take label values of 2048 bytes
        deep = deep / ("d" * 200)
    deep.mkdir(parents=True)
    for path in (deep / ("x" * 240 + ".log"), bytes(logs) + b"/\xff\xfe name.log", logs / "plain.log"):
        append(path, [b"of %d bytes" % len(os.fsencode(path))])
        want.append(b"of %d bytes" % len(os.fsencode(path)))
    os.symlink(logs / "plain.log", logs / "symbolic.log")
    os.link(logs / "plain.log", logs / "hard.log")
    os.symlink("nowhere", logs / "broken.log")
    open(logs / "empty.log", "w").close()
    os.mkfifo(logs / "fifo.log")
    append(logs / "replaced.log", [b"before the folder"])
    shipper.start()
    stored(ingester, want + [b"before the folder"])
    os.unlink(logs / "replaced.log")
    (logs / "replaced.log").mkdir()
    append(logs / "hard.log", [b"once for all its names"])
    append(logs / "empty.log", [b"no longer empty"])
    want += [b"before the folder", b"once for all its names", b"no longer empty"]
    stored(ingester, want)
    for i in range(20):                                     # an inode is given out again at once
        append(logs / "reused.log", [b"incarnation %d" % i])
        want.append(b"incarnation %d" % i)
        stored(ingester, want) if i % 5 == 0 else time.sleep(0.3)
        os.unlink(logs / "reused.log")
    stored(ingester, want)
    for i in range(3, 0, -1):                               # renamed over and over before anybody looks
        append(logs / "chain.log", [b"generation %d" % i])
        want.append(b"generation %d" % i)
        for k in range(3, 0, -1):
            if (logs / ("chain.log.%d" % k)).exists():
                os.rename(logs / ("chain.log.%d" % k), logs / ("chain.log.%d" % (k + 1)))
        os.rename(logs / "chain.log", logs / "chain.log.1")
    stored(ingester, want)


class Kubelet:
    """Rotates a container's log as the kubelet does: the newest generation stays as it is, the one before is compressed, under the
    time of that, by way of a temporary name."""

    def __init__(self, folder):
        self.folder, self.log, self.n, self.lines = folder, folder / "0.log", 0, []
        folder.mkdir(parents=True)

    def write(self, n):
        lines = [b"line %d of %s" % (len(self.lines) + i, b"x" * 50) for i in range(n)]
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()).encode()
        append(self.log, [b"%s.%09dZ stdout F " % (now, len(self.lines) + i) + line for i, line in enumerate(lines)])
        self.lines += lines

    def rotate(self):
        for path in self.folder.glob("0.log.*"):
            if path.suffix != ".gz":
                tmp = path.with_name(path.name + ".tmp")
                with open(path, "rb") as f, gzip.open(tmp, "wb") as out:
                    shutil.copyfileobj(f, out)
                os.rename(tmp, path.with_name(path.name + ".gz"))
                os.unlink(path)
        self.n += 1
        os.rename(self.log, self.folder / ("0.log.20260105-%06d" % self.n))
        open(self.log, "w").close()


def test_a_line_does_not_wait_for_another_files_backlog(make_shipper, ingester, logs, tmp_path):
    """Nor for its end: the backlog is read on when nobody else's lines are due."""
    line, n = b"of a backlog, whose lines are as long as those of many programs: %09d\n", 2_000_000
    shipper = make_shipper(config="""
clients: [{url: "%s/loki/api/v1/push", batchwait: 100ms}]
positions: {filename: "%s"}
scrape_configs: [{static_configs: [{labels: {job: s, __path__: "%s"}}]}]
""" % (ingester.url, tmp_path / "positions", logs / "*.log"))
    with open(logs / "small.log", "ab") as f:
        f.write(b"first\n")
    shipper.start()
    wait_for("the first line", lambda: ingester.count('{job="s"}') == 1)
    with open(logs / "big.part", "wb") as f:
        for i in range(0, n, 100_000):
            f.write(b"".join(line % k for k in range(i, i + 100_000)))
    os.rename(logs / "big.part", logs / "big.log")
    big, small = ('{job="s"} |= "%s"' % word for word in ("of a backlog", "second"))
    wait_for("some of the backlog", lambda: ingester.count(big) > 0, 30, 0.01)
    append(logs / "small.log", [b"second"])
    wait_for("the second line", lambda: ingester.count(small) == 1, 60, 0.01)
    assert ingester.count(big) < n, "it came behind the backlog"
    wait_for("the backlog", lambda: ingester.count(big) == n, 120)


def test_container_logs_that_the_kubelet_compresses(make_shipper, ingester, logs, tmp_path):
    config = CONFIG % (ingester.url, tmp_path / "positions", "pipeline_stages: [{cri: {}}]", logs / "pods" / "*" / "*" / "*.log")
    kubelet, rng = Kubelet(logs / "pods" / "ns_pod_uid" / "app"), random.Random(3)
    kubelet.write(10)
    shipper = make_shipper(config=config).start()
    stored(ingester, kubelet.lines)
    for i in range(12):
        kubelet.write(rng.randrange(1, 3000))
        if i % 4 == 1:                                      # what is compressed then was not read to its end, or not at all
            time.sleep(rng.choice((0, 0.3)))
            shipper.kill()
        for _ in range(rng.randrange(1, 4)):
            kubelet.rotate()
            kubelet.write(rng.randrange(1, 500))
            if i % 4 != 1:
                time.sleep(0.5)                             # the kubelet looks each ten seconds: nobody sees less
        if i % 4 == 1:
            shipper.start()
        elif i % 4 == 3:
            stored(ingester, kubelet.lines, 60)
    stored(ingester, kubelet.lines, 60)
    shipper.kill()
    time.sleep(1)
    kubelet.rotate()
    kubelet.write(10)
    for _ in range(2):
        shipper.start()
        stored(ingester, kubelet.lines, 60)
        shipper.kill()


class Logged(threading.Thread):
    """Appends lines all the time, but while the log is rotated: what comes between copy and truncation is in no file."""

    def __init__(self, path):
        super().__init__()
        self.path, self.lines, self.lock, self.ending = path, [], threading.Lock(), threading.Event()

    def run(self):
        rng = random.Random(self.path.name)
        while not self.ending.is_set():
            with self.lock, open(self.path, "ab", buffering=0) as f:
                for _ in range(rng.randrange(1, 200)):
                    self.lines.append(b"%s line %d %s" % (self.path.name.encode(), len(self.lines), b"y" * rng.randrange(100)))
                    f.write(self.lines[-1] + b"\n")
            time.sleep(rng.uniform(0, 0.05))


@pytest.mark.parametrize("how", ["create", "copytruncate"])
def test_rotation_with_compression_under_kills(make_shipper, ingester, logs, tmp_path, how):
    config = tmp_path / "logrotate.conf"
    config.write_text("%s/*.log {\n rotate 1000\n size 1\n %s\n compress\n missingok\n}\n" % (logs, "create" if how == "create" else how))
    shipper = make_shipper(config=CONFIG % (ingester.url, tmp_path / "positions", "pipeline_stages: []", logs / "*.log")).start()
    writers, rng = [Logged(logs / name) for name in ("a.log", "b.log")], random.Random(9)
    for writer in writers:
        writer.start()
    try:
        for i in range(30 if LONG else 10):
            time.sleep(rng.uniform(0.1, 1))
            kill = rng.random() < 0.5
            if kill and rng.random() < 0.5:
                shipper.kill()
            with writers[0].lock, writers[1].lock:
                for writer in writers:                      # a line is there, or the shipper could not know the file
                    writer.lines.append(b"before rotation %d of %s" % (i, writer.path.name.encode()))
                    append(writer.path, writer.lines[-1:])
                subprocess.run(["/usr/sbin/logrotate", "-f", "-s", str(tmp_path / "status"), str(config)], check=True)
            if kill:
                shipper.kill()
                time.sleep(rng.choice((0, 0.2)))
                shipper.start()
    finally:
        for writer in writers:
            writer.ending.set()
            writer.join()
    stored(ingester, [line for writer in writers for line in writer.lines], 120)


@pytest.mark.parametrize("how", ["create", "copytruncate"])
def test_rotations_with_compression_between_two_looks(make_shipper, ingester, logs, tmp_path, how):
    """logrotate runs several times while the shipper does not: generations are written, renamed and compressed before it has met them. Then
    it goes on, or is killed and started again."""
    config = tmp_path / "logrotate.conf"
    config.write_text("%s/*.log {\n rotate 1000\n size 1\n %s\n compress\n missingok\n}\n" % (logs, how))
    names, want, rng = ("a.log", "b.log"), [], random.Random(4)

    def write(what):
        for name in names:
            lines = numbered("%s %s" % (name, what), rng.randrange(1, 2000))
            append(logs / name, lines)
            want.extend(lines)
    shipper = make_shipper(config=CONFIG % (ingester.url, tmp_path / "positions", "pipeline_stages: []", logs / "*.log")).start()
    for i in range(10 if LONG else 5):
        write("read %d" % i)
        stored(ingester, want, 120)
        shipper.process.send_signal(signal.SIGSTOP)
        for k in range(4):
            write("unseen %d.%d" % (i, k))
            subprocess.run(["/usr/sbin/logrotate", "-f", "-s", str(tmp_path / "status"), str(config)], check=True)
        write("last %d" % i)
        if i % 2 == 0:
            shipper.process.send_signal(signal.SIGCONT)
        else:
            shipper.kill()
            shipper.start()
    stored(ingester, want, 120)
    shipper.kill()
    shipper.start()
    stored(ingester, want, 120)
