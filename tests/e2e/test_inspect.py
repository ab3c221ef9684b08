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
