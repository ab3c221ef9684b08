"""How the shipper hears of changes: folders that come, go and are renamed, links that change, and what inotify does not tell."""
import itertools
import os
import random
import shutil
import signal
import time

import pytest

from load import differences, numbered
from programs import wait_for

# Folders are looked through only when the kernel tells of a change, unless a test says otherwise.
CONFIG = """
clients: [{url: "%s/loki/api/v1/push", batchwait: 20ms}]
positions: {filename: "%s/positions"}
target_config: {sync_period: %s}
global: {file_watch_config: {min_poll_frequency: %s, max_poll_frequency: %s}}
scrape_configs: [{static_configs: [{labels: {job: s, __path__: "%s"}}]}]
"""


def append(path, *lines):
    with open(path, "ab") as f:
        f.write(b"".join(line + b"\n" for line in lines))


@pytest.fixture
def follow(make_shipper, ingester, tmp_path):
    """follow(pattern) - a running shipper that has looked through the folders once."""
    def start(pattern, scan="1h", poll=("1h", "1h"), wrapper=()):
        shipper = make_shipper(config=CONFIG % (ingester.url, tmp_path, scan, *poll, pattern))
        shipper.argv = [*wrapper, *shipper.argv]
        shipper.start()
        wait_for("first look", lambda: "files\"" in shipper.log())
        return shipper
    return start


def stored(server, want, seconds=30):
    wait_for("%d stored lines" % len(want), lambda: server.count('{job="s"}') >= len(want), seconds, 0.05)
    time.sleep(0.3)                                         # what would come twice, comes now
    difference = differences(want, server.export_lines('{job="s"}'))
    assert difference is None, difference


def test_folders_come_are_renamed_and_go(follow, ingester, logs):
    follow(logs / "**" / "*.log")
    want, lines = [], (b"line %d" % i for i in itertools.count())

    def write(path, n=1):
        more = [next(lines) for _ in range(n)]
        append(path, *more)
        want.extend(more)
    for i in range(5):                                      # written before anybody can watch them
        deep = logs / ("a%d" % i) / "b" / "c"
        deep.mkdir(parents=True)
        write(deep / "x.log", 20)
    stored(ingester, want)
    os.rename(logs / "a0", logs / "renamed")
    write(logs / "renamed" / "b" / "c" / "x.log")
    write(logs / "renamed" / "b" / "new.log")
    stored(ingester, want)
    os.rename(logs / "renamed", logs / "a0")                # back, and another in its place
    os.rename(logs / "a1", logs / "gone")
    (logs / "a1" / "b").mkdir(parents=True)
    write(logs / "a1" / "b" / "y.log")
    write(logs / "gone" / "b" / "c" / "x.log")
    write(logs / "a0" / "b" / "c" / "x.log")
    stored(ingester, want)
    for i in range(5):
        write(logs / "a2" / "b" / "c" / "x.log", 1000)
        shutil.rmtree(logs / "a2")                          # what was open is read to its end
        (logs / "a2" / "b" / "c").mkdir(parents=True)
        write(logs / "a2" / "b" / "c" / "x.log")
        stored(ingester, want)
    shutil.rmtree(logs)
    logs.mkdir()
    write(logs / "z.log")
    stored(ingester, want)


def test_folders_change_all_the_time(follow, ingester, logs):
    follow(logs / "*" / "*.log")
    rng, want = random.Random(11), []
    names = ["d%d" % i for i in range(6)]
    for i in range(400):
        name = logs / rng.choice(names)
        if not name.exists():
            name.mkdir()
        elif rng.random() < 0.3:
            other = logs / rng.choice(names)
            if not other.exists():
                os.rename(name, other)
                name = other
        want.append(b"line %d" % i)
        append(name / ("%d.log" % rng.randrange(3)), want[-1])
        time.sleep(rng.choice((0, 0, 0, 0.02)))
    stored(ingester, want, 60)


def test_a_pattern_whose_folder_is_not_there_yet(follow, ingester, logs):
    shutil.rmtree(logs)
    follow(logs / "deep" / "er" / "a.log")
    (logs / "deep" / "er").mkdir(parents=True)
    append(logs / "deep" / "er" / "a.log", b"one")
    stored(ingester, [b"one"])


def test_links_that_are_pointed_elsewhere(follow, ingester, logs):
    """Of files and of folders, and what is rotated at a link's end, in a folder that no pattern names."""
    want = []
    for version in "12":
        (logs / version).mkdir()
        append(logs / version / "app.log", b"version " + version.encode())
        append(logs / ("file-%s" % version), b"file " + version.encode())
    (logs / "seen").mkdir()

    def point(name, where):
        os.symlink(where, logs / "new")
        os.rename(logs / "new", name)
    point(logs / "seen" / "current", logs / "1")
    point(logs / "seen" / "link.log", logs / "file-1")
    shipper = follow(logs / "seen" / "{*/*,*}.log")
    want += [b"version 1", b"file 1"]
    stored(ingester, want)
    for i in range(3):                                      # as the kubelet does behind /var/log/containers
        os.rename(logs / "file-1", logs / ("file-1.%d" % i))
        append(logs / ("file-1.%d" % i), b"late %d" % i)
        time.sleep(0.2)
        append(logs / "file-1", b"rotated %d" % i)
        want += [b"late %d" % i, b"rotated %d" % i]
        stored(ingester, want)
    point(logs / "seen" / "current", logs / "2")
    point(logs / "seen" / "link.log", logs / "file-2")
    want += [b"version 2", b"file 2"]
    stored(ingester, want)
    for name in ("1/app.log", "2/app.log", "file-1", "file-2"):
        append(logs / name, b"more in " + name.encode())    # of those that no link leads to any more too
        want.append(b"more in " + name.encode())
    stored(ingester, want)
    assert shipper.stop() == 0


def test_events_that_are_lost_are_made_up_for(follow, ingester, logs):
    shipper = follow(logs / "*.log")
    with open("/proc/sys/fs/inotify/max_queued_events") as f:
        room = int(f.read())
    want = numbered("a", 10) + numbered("b", 10)
    append(logs / "a.log", *numbered("a", 10))
    append(logs / "b.log", *numbered("b", 10))
    stored(ingester, want)
    shipper.process.send_signal(signal.SIGSTOP)
    for i in range(room // 2 + 10):                         # coming and going
        path = logs / str(i % 7)
        open(path, "w").close()
        os.unlink(path)
    os.rename(logs / "a.log", logs / "a.log.1")
    append(logs / "a.log.1", b"before the rotation")
    append(logs / "a.log", b"behind it")
    append(logs / "b.log", b"more of b")
    append(logs / "c.log", b"a new one")
    shipper.process.send_signal(signal.SIGCONT)
    stored(ingester, want + [b"before the rotation", b"behind it", b"more of b", b"a new one"])
    assert "inotify lost events" in shipper.log()


def own_limits(**limits):
    """Runs a program under limits of inotify that are its own."""
    return ["unshare", "-Ur", "sh", "-c", "".join("echo %d > /proc/sys/user/%s && " % (n, name) for name, n in limits.items()) + 'exec "$@"', "sh"]


@pytest.mark.parametrize("limits, says", [({"max_inotify_watches": 4}, "no more inotify watches"), ({"max_inotify_instances": 0}, "files are polled")])
def test_without_inotify_files_are_polled(follow, ingester, logs, limits, says):
    shipper = follow(logs / "*" / "*.log", scan="300ms", poll=("100ms", "100ms"), wrapper=own_limits(**limits))
    want = []
    for i in range(12):
        folder = logs / ("d%d" % (i % 4))
        folder.mkdir(exist_ok=True)
        for name in ("x.log", "y.log"):
            want.append(b"%s %d" % (name.encode(), i))
            append(folder / name, want[-1])
        if i % 5 == 4:
            stored(ingester, want)                          # what nobody has seen must not be renamed
            os.rename(folder / "x.log", folder / ("x.log.%d" % i))
            want.append(b"late %d" % i)
            append(folder / ("x.log.%d" % i), want[-1])
    stored(ingester, want)
    assert says in shipper.log()
    assert shipper.stop() == 0


@pytest.fixture
def overlay(tmp_path):
    for name in ("lower", "upper", "work", "mount"):
        (tmp_path / name).mkdir()
    wrapper = ["unshare", "-m", "sh", "-c", 'mount -t overlay overlay -o "lowerdir=$0/lower,upperdir=$0/upper,workdir=$0/work" "$0/mount" && exec "$@"', str(tmp_path)]
    return tmp_path / "mount", wrapper


def test_an_overlay_is_polled_as_often_as_configured(follow, ingester, overlay):
    mount, wrapper = overlay
    shipper = follow(mount / "*.log", poll=("2s", "2s"), wrapper=wrapper)
    inside = "/proc/%d/root%s" % (shipper.pid, mount)
    append(inside + "/a.log", b"0")
    stored(ingester, [b"0"])
    for i in range(1, 4):                                   # each right behind a look
        before = time.monotonic()
        append(inside + "/a.log", b"%d" % i)
        wait_for("line %d" % i, lambda: ingester.count('{job="s"}') == i + 1)
        assert i == 1 or time.monotonic() - before > 1, "it is looked at more often than each two seconds"
    os.rename(inside + "/a.log", inside + "/a.log.1")
    append(inside + "/a.log.1", b"late")
    append(inside + "/a.log", b"new")
    stored(ingester, [b"0", b"1", b"2", b"3", b"late", b"new"])


def test_polling_slows_down_where_nothing_changes_and_is_fast_again_when_something_does(follow, ingester, overlay):
    mount, wrapper = overlay
    shipper = follow(mount / "*.log", poll=("50ms", "4s"), wrapper=wrapper)
    inside = "/proc/%d/root%s" % (shipper.pid, mount)
    want = [b"%d" % i for i in range(41)]
    append(inside + "/a.log", want[0])
    stored(ingester, want[:1])
    for line in want[1:40]:
        append(inside + "/a.log", line)
        time.sleep(0.05)
    wait_for("the lines", lambda: ingester.count('{job="s"}') == 40, every=0.005)
    time.sleep(12)                                          # looks come 10.35 and 14.35 s behind the last that found something
    before = time.monotonic()
    append(inside + "/a.log", want[40])
    wait_for("the last line", lambda: ingester.count('{job="s"}') == 41, every=0.005)
    assert time.monotonic() - before > 0.7
    stored(ingester, want)
