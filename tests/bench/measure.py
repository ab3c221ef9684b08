"""What the benchmarks share: the corpus, the programs under measurement, what they cost, and the table.

Figures: CPU seconds are user + system of the whole process (all its threads); MB are 10^6 bytes of log text, line ends
included; peak memory is the kernel's VmHWM. A yardstick (`zstd -1`, `rg`) runs on the same data in the same run, so that
figures of different machines can be compared.
"""
import argparse
import contextlib
import glob
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "support"))
from programs import Ingester, Shipper, cli  # noqa: E402,F401

START = "2026-01-05T00:00:00Z"          # the corpus' day; servers without an age limit take it
START_NS = 1767571200 * 10 ** 9
DAY_NS = 86400 * 10 ** 9


def arguments(doc, **more):
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--mb", type=int, default=32, help="size of the corpus in MiB (default 32)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the rows there too")
    for name, options in more.items():
        parser.add_argument("--" + name, **options)
    return parser.parse_args()


def corpus(mb, seed):
    """Folder of the corpus; made once and kept."""
    kind = "loghub" if os.environ.get("CORDWOOD_SAMPLES") else "free"
    folder = os.path.join(TOP, "build-tests", "corpus", "%s-%d-%d" % (kind, mb, seed))
    if not os.path.exists(os.path.join(folder, "done")):
        subprocess.run([sys.executable, os.path.join(HERE, "mkcorpus.py"), folder, "--mb", str(mb), "--seed", str(seed), "--start", START], check=True)
        open(os.path.join(folder, "done"), "w").close()
    if kind == "free":
        print("note: grown from the Apache-2.0 sample and two generators only; set CORDWOOD_SAMPLES for all 13 systems")
    return folder


def files(folder):
    return sorted(glob.glob(os.path.join(folder, "*.log")))


def size_mb(folder):
    return sum(os.path.getsize(f) for f in files(folder)) / 1e6


def cpu_seconds(pid):
    """User + system of all threads, to the ns: the process' CPU clock (clock_getcpuclockid(3) numbers it so on Linux)."""
    return time.clock_gettime(~pid << 3 | 2)


def io_mb(pid, counter):
    with open("/proc/%d/io" % pid) as f:
        return next(int(row.split()[1]) for row in f if row.startswith(counter + ":")) / 1e6


def read_mb(pid):
    """What the process had the disk read, page faults and read-ahead included."""
    return io_mb(pid, "read_bytes")


def written_mb(pid):
    """What it gave the disk to write."""
    return io_mb(pid, "write_bytes")


def forget_pages(folder):
    """Drop the files of a folder from the page cache. Nobody may have them mapped."""
    os.sync()
    for at, _, names in os.walk(folder):
        for name in names:
            fd = os.open(os.path.join(at, name), os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def status_mb(pid, name):
    with open("/proc/%d/status" % pid) as f:
        return next(int(row.split()[1]) for row in f if row.startswith(name + ":")) * 1024 / 1e6


def peak_mb(pid):
    return status_mb(pid, "VmHWM")


def resident_mb(pid):
    return status_mb(pid, "VmRSS")


def own_mb(pid):
    """Resident without pages of files."""
    return status_mb(pid, "RssAnon")


def disk_mb(folder):
    return int(subprocess.run(["du", "-s", "--block-size=1", folder], stdout=subprocess.PIPE, check=True).stdout.split()[0]) / 1e6


def wait_quiet(pid, seconds=3, share=0.02, limit=300):
    """Until the process took under `share` of a core for `seconds`."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before = cpu_seconds(pid)
        time.sleep(seconds)
        if cpu_seconds(pid) - before < share * seconds:
            return
    raise SystemExit("the program does not come to rest within %d s" % limit)


class PeakDisk:
    """The most that a folder takes while the block runs (`mb`), looked at every 50 ms."""

    def __init__(self, folder):
        self.folder, self.mb, self.over = folder, 0.0, threading.Event()

    def look(self):
        while not self.over.wait(0.05):
            used = 0
            for at, _, names in os.walk(self.folder):
                for name in names:
                    with contextlib.suppress(FileNotFoundError):
                        used += os.stat(os.path.join(at, name)).st_blocks * 512
            self.mb = max(self.mb, used / 1e6)

    def __enter__(self):
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def yardstick(argv, stdin=None, ok=(0, 1)):
    """CPU seconds of a command, and what it printed."""
    before = children_cpu()
    done = subprocess.run(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode not in ok:
        raise SystemExit("%s: exit status %d" % (argv[0], done.returncode))
    return children_cpu() - before, done.stdout


def zstd_yardstick(folder):
    """`zstd -1` of every file, one after the other: (CPU seconds, compressed MB)."""
    with tempfile.TemporaryDirectory() as out:
        seconds, _ = yardstick(["zstd", "-1", "-q", "-T1", "--output-dir-flat", out, *files(folder)])
        return seconds, sum(os.path.getsize(os.path.join(out, f)) for f in os.listdir(out)) / 1e6


def push_corpus(folder, server, hosts=8, first_host=0):
    """push.py: about 1 MB of text a protobuf request, two at a time; its line of figures."""
    done = subprocess.run([sys.executable, os.path.join(HERE, "push.py"), folder, "--url", server.url + "/loki/api/v1/push",
                           "--pid", str(server.pid), "--start", START, "--hosts", str(hosts), "--first-host", str(first_host)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise SystemExit("push.py failed: %s %s" % (done.stdout.decode()[-500:], done.stderr.decode()[-500:]))
    return done.stdout.decode().strip()


def table(title, rows, path=None):
    """rows: [(what, {figure: value})]; values are numbers or text."""
    names = list(dict.fromkeys(name for _, figures in rows for name in figures))
    show = lambda v: "" if v is None else v if isinstance(v, str) else "%d" % v if isinstance(v, int) else "%.*f" % (3 if v < 1 else 2 if v < 100 else 0, v)
    cells = [[title, *names]] + [[what, *(show(figures.get(name)) for name in names)] for what, figures in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for row in cells:
        print("  ".join([row[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:])]))
    if path:
        with open(path, "w") as f:
            json.dump([{"what": what, **figures} for what, figures in rows], f, indent=1)
