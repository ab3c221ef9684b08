"""The program `cordwood` against a real ingester."""
import json
import os
import pty
import subprocess
import time

import pytest

import store_files
from programs import CLI, NS, cli

T = 1767571200 * NS                          # 2026-01-05T00:00:00Z
RANGE = ("--from", "2026-01-05T00:00:00Z", "--to", "2026-01-05T01:00:00Z")


@pytest.fixture
def shop(ingester):
    """2,500 entries of two streams, one a second; five of one time at the end."""
    ingester.push([({"app": "shop", "host": "h%d" % h}, [(T + i * NS, "line %04d" % i) for i in range(2500) if i % 2 == h]) for h in (0, 1)])
    ingester.push([({"app": "same"}, [(T, "same %d" % i) for i in range(5)])])
    return ingester


def out(done, status=0):
    assert done.returncode == status, done
    return done.stdout.decode().splitlines()


def test_query_prints_newest_first_with_time_labels_and_line(shop):
    done = cli("query", *RANGE, "--limit", "2", "-z", "UTC", '{app="shop"}', server=shop)
    assert out(done) == ['2026-01-05T00:41:39Z {host="h1"} line 2499', '2026-01-05T00:41:38Z {host="h0"} line 2498']
    assert b'Common labels: {app="shop", detected_level="unknown", service_name="shop"}' in done.stderr
    assert cli("query", *RANGE, "-q", '{app="shop"}', server=shop).stderr == b""


def test_limits_above_a_page_and_no_limit_at_all_lose_and_repeat_nothing(shop):
    want = ["line %04d" % i for i in range(2500)]
    for batch in ("1000", "7", "5000"):
        assert out(cli("query", *RANGE, "-o", "raw", "--limit", "0", "--batch", batch, "--forward", '{app="shop"}', server=shop)) == want
    assert out(cli("query", *RANGE, "-o", "raw", "--limit", "0", '{app="shop"}', server=shop)) == want[::-1]
    assert out(cli("query", *RANGE, "-o", "raw", "--limit", "1500", "--batch", "400", '{app="shop"}', server=shop)) == want[::-1][:1500]
    assert sorted(out(cli("query", *RANGE, "-o", "raw", "--limit", "0", "--batch", "2", '{app="same"}', server=shop))) == ["same %d" % i for i in range(5)]


def test_pages_that_meet_in_entries_of_one_time_lose_and_repeat_nothing(ingester):
    lines = ["%s %d" % (app, i) for app in "abc" for i in range(9)]
    ingester.push([({"app": "tied", "sub": app}, [(T, line) for line in lines if line[0] == app]) for app in "abc"])
    for batch in ("1", "2", "4", "5", "26", "27"):
        for more in ((), ("--forward",)):
            assert sorted(out(cli("query", *RANGE, "-o", "raw", "--limit", "0", "--batch", batch, *more, '{app="tied"}', server=ingester))) == lines
    assert len(set(out(cli("query", *RANGE, "-o", "raw", "--limit", "20", "--batch", "3", '{app="tied"}', server=ingester)))) == 20


def test_jsonl_labels_and_colours(shop):
    row = json.loads(out(cli("query", *RANGE, "-o", "jsonl", "--limit", "1", "-z", "UTC", '{app="shop"}', server=shop))[0])
    assert row == {"labels": {"app": "shop", "detected_level": "unknown", "host": "h1", "service_name": "shop"}, "line": "line 2499", "timestamp": "2026-01-05T00:41:39Z"}
    assert out(cli("query", *RANGE, "--limit", "1", "--no-labels", "-z", "UTC", '{app="shop"}', server=shop)) == ["2026-01-05T00:41:39Z line 2499"]
    assert '{app="shop"}' in out(cli("query", *RANGE, "--limit", "1", "--include-label", "app", '{app="shop"}', server=shop))[0]
    assert "host" not in out(cli("query", *RANGE, "--limit", "1", "--exclude-label", "host", '{app="shop"}', server=shop))[0]
    assert b"\033[" in cli("query", *RANGE, "--limit", "1", "--colored-output", "always", '{app="shop"}', server=shop).stdout


@pytest.mark.parametrize("no_color,coloured", [(None, True), ("1", False)])
def test_a_terminal_gets_colours_unless_no_color_is_set(shop, no_color, coloured):
    master, slave = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    env.update({"CORDWOOD_ADDR": shop.url}, **({"NO_COLOR": no_color} if no_color else {}))
    subprocess.run([CLI, "query", *RANGE, "--limit", "1", "-q", '{app="shop"}'], stdout=slave, check=True, env=env)
    os.close(slave)
    text = os.read(master, 65536)
    os.close(master)
    assert (b"\033[" in text) == coloured


def on_terminal(server, *arguments):
    """What a terminal is given."""
    master, slave = pty.openpty()
    subprocess.run([CLI, *arguments], stdout=slave, stderr=subprocess.DEVNULL, check=True, env=dict(os.environ, CORDWOOD_ADDR=server.url, NO_COLOR="1"))
    os.close(slave)
    text = os.read(master, 65536)
    os.close(master)
    return text


def test_a_line_cannot_speak_to_the_terminal_unless_it_may(ingester):
    ingester.push([({"app": "ansi"}, [(T, "\x1b]0;title\x07 tab\t")])])
    for command in (("query", *RANGE, "-q", '{app="ansi"}'), ("query", *RANGE, "-o", "raw", '{app="ansi"}'), ("export", *RANGE, "-o", "raw", '{app="ansi"}')):
        assert rb"\x1b]0;title\x07 tab" in on_terminal(ingester, *command) and b"\x1b" not in on_terminal(ingester, *command)
        assert b"\x1b]0;title\x07 tab" in on_terminal(ingester, *command, "--escape", "never")
        assert b"\x1b]0;title\x07 tab\t\n" in cli(*command, server=ingester).stdout             # no terminal: as it came
        assert rb"\x1b" in cli(*command, "--escape", "always", server=ingester).stdout


def test_metric_queries_print_json(shop):
    matrix = json.loads(cli("query", *RANGE, "--step", "30m", 'sum(count_over_time({app="shop"}[1h]))', server=shop).stdout)
    assert matrix[0]["values"][-1][1] == "2499"      # (t - 1h, t] leaves out the first
    vector = json.loads(cli("instant-query", "--now", "2026-01-05T01:00:00Z", 'sum(count_over_time({app="shop"}[1h]))', server=shop).stdout)
    assert vector[0]["value"][1] == "2499"
    assert cli("instant-query", 'sum(count_over_time({app="none"}[1h]))', server=shop).returncode == 1
    assert cli("instant-query", '{app="shop"}', server=shop).returncode == 3


def test_an_answer_that_is_not_whole_is_told_once_and_has_a_status_of_its_own(ingester, make_ingester):
    """Two parts of one day, one of them with a damaged block."""
    for app in ("web", "db"):
        ingester.push([({"job": "x", "app": app}, [(T + i * NS, "%s %03d" % (app, i)) for i in range(300)])])
        assert ingester.ask("POST", "/flush")[0] == 204
    ingester.stop()
    for path in store_files.parts(ingester.data):
        part = store_files.Part(path)
        if len(store_files.parts(ingester.data)) == 1 or path == store_files.parts(ingester.data)[0]:
            store_files.flip(path, part.blocks[-1][0] + part.blocks[-1][1] // 2)
    server = make_ingester("again", data=ingester.data).start()
    for query in (("query", *RANGE, "-o", "raw", "--limit", "0", "--batch", "20", '{job="x"}'),
                  ("query", *RANGE, 'sum(count_over_time({job="x"}[1h]))'),
                  ("instant-query", "--now", "2026-01-05T01:00:00Z", 'sum(count_over_time({job="x"}[1h]))')):
        done = cli(*query, server=server)
        assert done.returncode == 4 and done.stderr.count(b"warning: stored blocks are damaged") == 1, done


def test_queries_too_long_for_a_url_are_asked_too(shop):
    query = '{app="shop"}' + ' != "%s"' % ("x y" * 200) * 150 + ' |= "0007"'
    assert out(cli("query", *RANGE, "-o", "raw", query, server=shop)) == ["line 0007"]
    assert out(cli("export", *RANGE, "-o", "raw", query, server=shop)) == ["line 0007"]


def test_labels_series_and_stats(shop):
    assert out(cli("labels", *RANGE, server=shop)) == ["app", "host", "service_name"]
    assert out(cli("labels", *RANGE, "host", server=shop)) == ["h0", "h1"]
    assert out(cli("labels", *RANGE, "nothing", server=shop), 1) == []
    done = cli("labels", *RANGE, "", server=shop)        # "$NAME", unset
    assert done.returncode == 2 and b"labels takes the name of a label, not an empty text" in done.stderr, done
    assert sorted(out(cli("series", *RANGE, '{app="shop"}', server=shop))) == ['{app="shop", host="h%d", service_name="shop"}' % i for i in range(2)]
    assert json.loads(cli("stats", *RANGE, '{app="shop"}', server=shop).stdout)["streams"] == 2
    assert cli("stats", *RANGE, '{app="none"}', server=shop).returncode == 1


def test_volume_patterns_and_detected_fields(ingester):
    ingester.push([({"app": "shop", "host": "h%d" % h}, [(T + i * NS, "level=info took %d ms user=u%d" % (100 * i, i % 3)) for i in range(20 + 10 * h)]) for h in (0, 1)])
    ingester.push([({"app": "web\x1b"}, [(T, '{"status":200,"path":"/"}')])])
    assert ingester.ask("POST", "/flush")[0] == 204
    size = lambda n: sum(len("level=info took %d ms user=u%d" % (100 * i, i % 3)) for i in range(n))

    def rows(*words, status=0):
        return out(cli(*words[:1], *RANGE, *words[1:], server=ingester), status)
    assert [row.split(None, 1) for row in rows("volume", '{app=~".+", host=~".*"}')] == [
        [str(size(30)), '{app="shop", host="h1"}'], [str(size(20)), '{app="shop", host="h0"}'], ["25", '{app="web\\x1b"}']]
    assert rows("volume", "-o", "raw", "--limit", "1", "--target-labels", "host", '{app="shop"}') == ['{host="h1"}']
    assert [json.loads(row) for row in rows("volume", "-ojsonl", '{app="shop"}')] == [{"labels": {"app": "shop"}, "bytes": size(20) + size(30)}]
    assert rows("volume", "--aggregateByLabels", '{app="shop"}')[0].split() == [str(size(20) + size(30)), "app"]
    assert rows("volume", '{app="none"}', status=1) == []

    shop, = rows("patterns", '{app="shop"}')
    assert shop.split(None, 2)[:2] == ["50", "info"] and "<_>" in shop
    assert [json.loads(row) for row in rows("patterns", "-o", "jsonl", '{app="shop"}')] == [{"pattern": shop.split(None, 2)[2], "lines": 50, "level": "info"}]
    assert rows("patterns", "-o", "raw", '{app="shop"}') == [shop.split(None, 2)[2]] and rows("patterns", '{app="none"}', status=1) == []

    fields = {row.split()[2]: row.split() for row in rows("detected-fields", '{app="shop"}')}
    assert fields["user"] == ["3", "string", "user", "(logfmt)"], fields
    web = [json.loads(row) for row in rows("detected-fields", "-ojsonl", '{app=~"web.*"}')]
    assert {"field": "status", "values": 1, "type": "int", "parsers": "json"} in web, web
    assert sorted(rows("detected-fields", '{app="shop"}', "user")) == ["u0", "u1", "u2"]
    assert len(rows("detected-fields", "--line-limit", "1", '{app="shop"}', "user")) == 1
    assert [json.loads(row) for row in rows("detected-fields", "-ojsonl", '{app=~"web.*"}', "status")] == [{"value": "200"}]
    assert len(rows("detected-fields", "--limit", "1", '{app="shop"}')) == 1 and rows("detected-fields", '{app="none"}', status=1) == []
    for words in (("volume", '{app='), ("patterns", '{app='), ("detected-fields", '{app=')):
        assert cli(words[0], *RANGE, words[1], server=ingester).returncode == 3
    for command in ("volume", "patterns", "detected-fields"):
        assert cli(command, server=ingester).returncode == 2


def test_export_of_any_bytes(ingester):
    import cramjam
    line = bytes(range(256)).replace(b"\n", b"")
    entry = b"\x0a\x06\x08" + b"\x80\x8c\xec\xca\x06" + b"\x12" + bytes([len(line) & 127 | 128, len(line) >> 7]) + line     # Timestamp{1767571200 s}
    labels = b'{app="bytes"}'
    stream = b"\x0a" + bytes([len(labels)]) + labels + b"\x12" + bytes([len(entry) & 127 | 128, len(entry) >> 7]) + entry
    body = b"\x0a" + bytes([len(stream) & 127 | 128, len(stream) >> 7]) + stream
    status, text = ingester.ask("POST", "/loki/api/v1/push", body=bytes(cramjam.snappy.compress_raw(body)), headers={"Content-Type": "application/x-protobuf"})
    assert status == 204, text
    found = cli("export", "--from", "0", "-o", "raw", '{app="bytes"}', server=ingester)
    assert found.returncode == 0 and found.stdout == line + b"\n", found
    assert "line_b64" in json.loads(cli("export", "--from", "0", '{app="bytes"}', server=ingester).stdout)
    assert cli("export", "--from", "0", '{app="none"}', server=ingester).returncode == 1
    assert cli("export", "--from", "0", '{app="none', server=ingester).returncode == 3


def test_push_from_files_and_standard_input(ingester, tmp_path):
    (tmp_path / "a.log").write_bytes(b"one\ntwo\n\nno newline at the end")
    assert cli("push", "--label", "job=a", str(tmp_path / "a.log"), server=ingester).returncode == 0
    assert cli("push", "-l", "job=b", "-l", "x=y", server=ingester, stdin=b"from stdin\n").returncode == 0
    assert out(cli("query", "--forward", "-o", "raw", '{job="a"}', server=ingester)) == ["one", "two", "", "no newline at the end"]
    assert out(cli("query", "-o", "raw", '{job="b", x="y"}', server=ingester)) == ["from stdin"]
    assert cli("push", server=ingester, stdin=b"x\n").returncode == 2
    assert cli("push", "--label", "job=a", str(tmp_path / "none.log"), server=ingester).returncode == 3
    many = b"".join(b"%06d %s\n" % (i, b"x" * 100) for i in range(30000))
    assert cli("push", "--label", "job=many", server=ingester, stdin=many).returncode == 0
    assert ingester.count('{job="many"}') == 30000


def test_push_goes_on_behind_lines_that_are_refused(ingester, tmp_path):
    long = b"x" * (256 * 1024 + 1)
    (tmp_path / "a.log").write_bytes(b"".join(b"a %05d\n" % i for i in range(3000)) + long + b"\nlast of a\n")
    (tmp_path / "b.log").write_bytes(long + b"\nof b\n" + long + b"\n")
    done = cli("push", "--label", "job=a", str(tmp_path / "a.log"), str(tmp_path / "b.log"), server=ingester)
    told = done.stderr.decode().splitlines()
    assert done.returncode == 3 and len(told) == 4, done
    assert ["a.log, line 3001 is refused" in told[0], "b.log, line 1 is" in told[1], "b.log, line 3 is" in told[2]] == [True] * 3, told
    assert all("max entry size" in line for line in told[:3]) and told[3] == "cordwood: refused lines: 3; stored: 3002"
    assert out(cli("query", "--forward", "--limit", "0", "-o", "raw", '{job="a"}', server=ingester)) == ["a %05d" % i for i in range(3000)] + ["last of a", "of b"]


def test_push_of_a_stream_that_is_refused_ends_soon(ingester):
    done = cli("push", *("-llabel%d=x" % i for i in range(16)), server=ingester, stdin=b"line\n" * 50000)
    told = done.stderr.decode().splitlines()
    assert done.returncode == 3 and len(told) == 11 and "label names" in told[0], done
    assert told[-1] == "cordwood: after 0 stored and 100 refused lines: no line is taken: giving up"


def test_times_of_every_kind(shop):
    now = time.time_ns()
    shop.push([({"app": "now"}, [(now - 30 * NS, "recent")])])
    for times in (("--since", "1m"), ("--from", "1m"), ("--from", str(now - 60 * NS), "--to", str(now)), ("--from", "2h", "--to", "10s")):
        assert out(cli("query", *times, "-o", "raw", '{app="now"}', server=shop)) == ["recent"], times
    assert out(cli("query", "--since", "10s", "-o", "raw", '{app="now"}', server=shop), 1) == []
    assert cli("query", "--from", "yesterdayish", '{app="now"}', server=shop).returncode == 2
    for words in (("query", "--from", ""), ("query", "--to", ""), ("labels", "--since", ""), ("tail", "--from", ""), ("instant-query", "--now", "")):
        done = cli(*words, '{app="now"}', server=shop)                   # not as if it had not been given
        assert done.returncode == 2 and f'{words[1]}: "" is no time: expected'.encode() in done.stderr, (words, done)


def test_fmt_help_version_and_man_pages():
    assert out(cli("fmt", '{ app = "x" }|="a"')) == ['{app="x"} |= "a"']
    assert b"instant-query" in cli("--help").stdout and b"--limit" in cli("query", "--help").stdout
    for command in ("labels", "series", "stats", "export", "volume", "patterns", "detected-fields"):
        assert b"without a server" not in cli(command, "--help").stdout, command
    assert b"without a server" in cli("query", "--help").stdout
    assert cli("--version").returncode == 0
    assert cli("--man").stdout.startswith(b".TH")


def test_flags_may_come_before_the_command_as_with_logcli(shop):
    want = out(cli("query", *RANGE, "-o", "raw", "--limit", "2", "-q", '{app="shop"}', server=shop))
    assert out(cli("--addr", shop.url, "-o", "raw", "-q", "query", *RANGE, "--limit=2", '{app="shop"}')) == want
    assert out(cli("--addr=" + shop.url, "-oraw", "query", *RANGE, "--limit", "2", '{app="shop"}')) == want
    assert b"which command" in cli("--addr", shop.url).stderr
    assert cli("--nope", "query", "x").returncode == 2
    assert b"compgen" in cli("--completion", "bash").stdout and cli("--completion", "zsh").returncode == 0


def test_help_is_a_command_too():
    assert cli("help").stdout == cli("--help").stdout
    assert cli("help", "query").stdout == cli("query", "--help").stdout == cli("--help", "query").stdout
    assert cli("help", "nope").returncode == 2


def test_a_closed_pipe_ends_in_silence(shop):
    done = subprocess.run("%s query --from 2026-01-05T00:00:00Z --to 2026-01-05T01:00:00Z --limit 0 '{app=\"shop\"}' | head -1" % CLI,
                          shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "CORDWOOD_ADDR": shop.url})
    assert done.returncode == 0 and b"rror" not in done.stderr
