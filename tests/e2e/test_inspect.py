"""`cordwood inspect` tells what lines look like and what their values cost."""
import glob
import os
import re

from programs import NS, cli

T = 1767571200 * NS


def test_templates_and_columns_are_told_with_their_counts(ingester):
    lines = ["GET /item/%d took %d.%02d ms from 10.0.0.%d" % (i * 7919 % 100003, i % 90 + 1, i % 100, i % 250) for i in range(2000)]
    lines += ["\x1b[31mretry %d\x1b[0m" % i for i in range(100)]
    ingester.push([({"app": "web"}, [(T + i * NS, line) for i, line in enumerate(lines)])])
    assert ingester.ask("POST", "/flush")[0] == 204
    (part,) = glob.glob(os.path.join(ingester.data, "parts", "*", "*", "*.part"))
    for place in (ingester.data, part):
        done = cli("inspect", place)
        assert done.returncode == 0, done
        text = done.stdout.decode()
        assert re.search(r"^ +2000 +1  GET /item/<num> took <dec> ms from <ip4>$", text, re.M), text
        assert re.search(r"^ +100 +1  \\x1b\[<str> <num>\\x1b\[<str>$", text, re.M), text
        assert "\x1b" not in text                                      # a log cannot speak to the terminal
        assert re.search(r"^ +2000 +[0-9.]+ k?B +1  ip4 +ms from $", text, re.M), text
        values = sum(int(row.split()[0]) for row in re.search(r" values .*\n((?: +\d+ .*\n)+)", text).group(1).splitlines())
        assert values >= 3 * 2000


def size(number, unit):
    return float(number) * {"B": 1, "kB": 1e3, "MB": 1e6}[unit]


def test_sizes_by_section_and_stream_add_up_to_the_file(ingester):
    streams = {"web": 3000, "db": 1000, "job": 10}
    for app, n in streams.items():
        ingester.push([({"app": app}, [(T + i * NS // 7, "user=u%d%s did %d of %s" % (i % 97, app, i * 7919 % 100003, "x" * (i % 50))) for i in range(n)])])
    assert ingester.ask("POST", "/flush")[0] == 204
    (part,) = glob.glob(os.path.join(ingester.data, "parts", "*", "*", "*.part"))
    done = cli("inspect", "--limit", "0", part)
    assert done.returncode == 0, done
    text, whole = done.stdout.decode(), os.path.getsize(part)
    rows = re.findall(r"^  ([a-z]+) +\d+ +([0-9.]+) (k?B) +([0-9.]+)% ", text, re.M)
    names = [name for name, _, _, _ in rows]
    assert set(names) >= {"times", "text", "templates", "rows", "frame", "blocks", "streams", "postings", "origin"}, names
    assert abs(sum(size(number, unit) for _, number, unit, _ in rows) - whole) <= 0.05 * 1000 * len(rows)
    assert abs(sum(float(share) for _, _, _, share in rows) - 100) < 0.05 * len(rows) + 0.01
    table = text[text.index("ratio  stream"):]
    found = {app: (int(n), size(*lines.split()), size(*stored.split()), float(ratio))
             for n, lines, stored, ratio, app in re.findall(r'^ +(\d+) +([0-9.]+ k?B) +([0-9.]+ k?B) +([0-9.]+)  \{app="([a-z]+)"', table, re.M)}
    assert {app: n for app, (n, _, _, _) in found.items()} == streams
    for app, (n, lines, stored, ratio) in found.items():
        assert abs(lines / stored - ratio) < 0.2 * ratio and ratio > 2, (app, lines, stored, ratio)
    assert sum(stored for _, _, stored, _ in found.values()) <= whole * 1.01


def test_a_part_that_cannot_be_read_is_an_error_and_hides_no_other(ingester):
    for app in ("web", "db"):
        ingester.push([({"app": app}, [(T + (app == "db") * 86400 * NS, "line of " + app)])])
        assert ingester.ask("POST", "/flush")[0] == 204
    ingester.stop()
    parts = sorted(glob.glob(os.path.join(ingester.data, "parts", "*", "*", "*.part")))
    assert len(parts) == 2
    os.truncate(parts[0], os.path.getsize(parts[0]) - 1)
    for place, others in ((ingester.data, True), (parts[0], False)):
        done = cli("inspect", place)
        assert done.returncode == 3 and b"no footer at the end" in done.stderr and b"no footer" not in done.stdout, done
        assert (b"1 entry in 1 stream; " in done.stdout) == others
    assert b"unreadable parts: 1, blocks: 0; " in cli("inspect", ingester.data).stderr
    os.remove(parts[1])                                                   # named by the catalog, and no server is merging
    assert cli("inspect", ingester.data).returncode == 3
