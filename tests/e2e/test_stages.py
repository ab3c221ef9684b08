"""Pipeline stages in the whole shipper: what they make of lines arrives once, whatever is killed, and for whom it is."""
import http.server
import json
import os
import random
import re
import subprocess
import threading
import time
import urllib.request

import pytest

from load import differences
from programs import LONG, SHIPPER, wait_for

KILLS = 20 if LONG else 4
POSITIONS = "positions: {filename: %s/positions}\n"


def config(folder, clients, stages, more=""):
    return "clients:\n%s\npositions: {filename: %s/positions}\nscrape_configs:\n- job_name: s\n  static_configs: [{labels: {job: s, __path__: \"%s/logs/*.log\"}}]\n  pipeline_stages:\n%s\n%s" % (
        "".join("- {url: \"%s/loki/api/v1/push\"%s}\n" % c for c in clients), folder, folder, stages, more)


def write(path, lines):
    with open(path, "a") as f:
        f.write("".join(line + "\n" for line in lines))


def kill_around(programs, seconds, seed):
    """kill -9 of one of them, now and then; all run at the end."""
    rng, end = random.Random(seed), time.monotonic() + seconds
    for _ in range(KILLS):
        time.sleep(max(0, end - time.monotonic()) / KILLS * rng.random())
        program = rng.choice(programs)
        program.kill()
        program.start()


def test_tenants_of_lines_are_kept_apart_and_arrive_once(tmp_path, make_ingester, make_shipper):
    server = make_ingester(config="auth_enabled: true\n").start()
    (tmp_path / "logs").mkdir()
    stages = """
  - json: {expressions: {level: , who: , trace: ctx.trace}}
  - labels: {level: }
  - structured_metadata: {trace: }
  - tenant: {source: who}"""
    shipper = make_shipper(config=config(tmp_path, [(server.url, ", tenant_id: rest")], stages)).start()
    want = {"a": [], "b": [], "rest": []}
    rng = random.Random(5)

    def writer():
        for i in range(60):
            lines = []
            for k in range(50):
                who = rng.choice(["a", "b", None, "rest"])
                line = json.dumps({"level": rng.choice(["info", "warn"]), **({"who": who} if who else {}), "n": i * 50 + k, "ctx": {"trace": "t%d" % k}})
                want[who or "rest"].append(line.encode())
                lines.append(line)
            write(tmp_path / "logs" / ("%d.log" % (i % 3)), lines)
            time.sleep(0.05)

    thread = threading.Thread(target=writer)
    thread.start()
    kill_around([shipper, server], 3, 1)
    thread.join()
    for tenant, lines in want.items():
        headers = {"X-Scope-OrgID": tenant}
        wait_for("all of %s" % tenant, lambda: len(server.export_lines('{job="s"}', headers=headers)) >= len(lines), 60, 0.2)
        time.sleep(0.5)
        assert differences(lines, server.export_lines('{job="s"}', headers=headers)) is None
    entry = server.export('{job="s", level="warn"}', headers={"X-Scope-OrgID": "a"})[0]
    assert entry["metadata"]["trace"] == json.loads(entry["line"])["ctx"]["trace"]


def test_entries_of_many_lines_survive_kills(tmp_path, ingester, make_shipper):
    (tmp_path / "logs").mkdir()
    stages = """
  - multiline: {firstline: '^S', max_wait_time: 1s}
  - drop: {expression: 'noise'}"""
    shipper = make_shipper(config=config(tmp_path, [(ingester.url, "")], stages)).start()
    want, rng = [], random.Random(7)

    def writer():
        for i in range(600):
            lines = ["S%d" % i] + ["  at %d.%d" % (i, k) for k in range(rng.randrange(5))]
            if rng.random() < 0.2:
                lines[0] += " noise"
            else:
                want.append("\n".join(lines).encode())
            write(tmp_path / "logs" / "a.log", lines)
            time.sleep(rng.random() * 0.01)

    thread = threading.Thread(target=writer)
    thread.start()
    kill_around([shipper, ingester], 4, 2)
    thread.join()
    wait_for("the last entry", lambda: ingester.count('{job="s"}') >= len(want), 60, 0.2)
    time.sleep(0.5)
    assert differences(want, ingester.export_lines('{job="s"}')) is None


def test_clients_take_what_their_selectors_match(tmp_path, make_ingester, make_shipper):
    errors, rest = make_ingester("errors").start(), make_ingester("rest").start()
    (tmp_path / "logs").mkdir()
    stages = """
  - regex: {expression: '^(?P<level>\\w+) '}
  - labels: {level: }"""
    clients = [(errors.url, ", selector: '{level=\"error\"}'"), (rest.url, ", selector: '{level!=\"error\"}', external_labels: {via: rest}")]
    lines = ["%s line %d" % (("error", "info", "warn")[i % 3], i) for i in range(300)]
    write(tmp_path / "logs" / "a.log", lines)
    make_shipper(config=config(tmp_path, clients, stages), arguments=["--once"]).start().finish()
    assert differences([line.encode() for line in lines if line.startswith("error")], errors.export_lines('{job="s"}')) is None
    assert differences([line.encode() for line in lines if not line.startswith("error")], rest.export_lines('{job="s", via="rest"}')) is None


def test_a_limit_holds_lines_back_without_losing_them(tmp_path, ingester, make_shipper):
    (tmp_path / "logs").mkdir()
    stages = """
  - limit: {rate: 100, burst: 50}"""
    lines = [b"line %d" % i for i in range(200)]
    write(tmp_path / "logs" / "a.log", [line.decode() for line in lines])
    began = time.monotonic()
    make_shipper(config=config(tmp_path, [(ingester.url, "")], stages), arguments=["--once"]).start().finish()
    assert time.monotonic() - began > 1
    assert differences(lines, ingester.export_lines('{job="s"}')) is None


def test_each_stage_is_shown(tmp_path):
    path = tmp_path / "c.yml"
    (tmp_path / "logs").mkdir()
    path.write_text(config(tmp_path, [("http://localhost:1", "")], """
  - json: {expressions: {level: , m: msg}}
  - drop: {source: level, value: debug}
  - labels: {level: }
  - output: {source: m}"""))
    lines = '{"level":"info","msg":"hello"}\n{"level":"debug"}\n'
    shown = subprocess.run([SHIPPER, "test", "--config", str(path), "--label", "app=x"], input=lines, stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = [row.split(None, 1) for row in shown.splitlines()]
    assert ["json", 'extracted level="info" m="hello"'] in rows
    assert ["labels", 'label level="info"'] in rows
    assert ["output", "line hello"] in rows
    assert ["drop", "dropped: drop_stage"] in rows
    assert shown.count("entry ") == 1 and '{app="x", job="s", level="info"} hello' in shown
    write(tmp_path / "logs" / "a.log", lines.splitlines())
    dry = subprocess.run([SHIPPER, "--config", str(path), "--dry-run", "--inspect", "--once"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert 'extracted level="info" m="hello"' in dry and dry.count("dropped: drop_stage") == 1
    wrong = subprocess.run([SHIPPER, "test", "--config", str(path), "--job", "other"], input="", stderr=subprocess.PIPE, text=True)
    assert wrong.returncode == 2 and 'no scrape config has the job_name "other"' in wrong.stderr
    assert not os.path.exists(tmp_path / "positions")


def test_lines_that_are_tried_have_the_labels_of_their_targets(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text(config(tmp_path, [("http://localhost:1", "")], """
  - match: {selector: '{job="s"}', stages: [{static_labels: {hit: yes}}]}"""))
    for more, want in ([], '{hit="yes", job="s"} l'), (["--label", "job=other", "--label", "a=b"], '{a="b", job="other"} l'):
        shown = subprocess.run([SHIPPER, "test", "--entries", "--config", str(path), *more], input="l\n", stdout=subprocess.PIPE, text=True, check=True).stdout
        assert shown.rstrip().endswith(want), shown


def test_changes_of_labels_are_shown_as_they_were_made(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text(config(tmp_path, [("http://localhost:1", "")], """
  - static_labels: {m: one}
  - static_labels: {b: two, c: x}
  - static_labels: {b: three}
  - labeldrop: [b]
  - structured_metadata: {job: , c: }
  - structured_metadata: {c: m}
  - labelallow: [z]"""))
    shown = subprocess.run([SHIPPER, "test", "--config", str(path), "--label", "job=j"], input="l\n", stdout=subprocess.PIPE, text=True, check=True).stdout
    assert [re.sub(" +", " ", row).strip() for row in shown.splitlines()][1:8] == [
        'static_labels label m="one"', 'static_labels label b="two" c="x"', 'static_labels label b="three"', "labeldrop label b is gone",
        'structured_metadata label c is gone job is gone metadata c="x" job="j"', 'structured_metadata label m is gone metadata c="one"', "labelallow nothing"]


def test_a_test_of_stages_needs_no_server_and_checks_its_labels(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text("scrape_configs: [{job_name: s, pipeline_stages: [{static_labels: {m: one}}]}]\n")
    shown = subprocess.run([SHIPPER, "test", "--config", str(path), "-e"], input="l\n", stdout=subprocess.PIPE, text=True, check=True).stdout
    assert shown.endswith(' {m="one"} l\n')
    wrong = subprocess.run([SHIPPER, "test", "--config", str(path), "-l", "a-b=c"], input="l\n", capture_output=True, text=True)
    assert wrong.returncode == 2 and wrong.stdout == "" and 'test: --label: "a-b" is no valid label name' in wrong.stderr, wrong


@pytest.mark.parametrize("command", ["test", "audit", "resend"])
def test_subcommands_take_promtails_flags_with_one_dash(tmp_path, command):
    missing = str(tmp_path / "none.yml")
    done = subprocess.run([SHIPPER, command, "-config.file=" + missing, "-config.expand-env=true"], input="", capture_output=True, text=True)
    assert done.returncode == 2 and missing in done.stderr, done


def test_a_configuration_is_expanded_as_promtails_documentation_says(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text(r"""scrape_configs:
- job_name: s
  static_configs: [{labels: {job: "${UNSET_JOB:-${JOB}}", up: "${JOB^^}", __path__: /nowhere}}]
  pipeline_stages:
  - regex: {expression: '^(?P<word>\\S+) \\d+$'}
  - labels: {word: }
""")
    env = dict(os.environ, JOB="web")
    command = [SHIPPER, "test", "-config.file=%s" % path, "-config.expand-env=true", "-e"]
    shown = subprocess.run(command, input="hello 12\n", env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert shown.endswith(' {job="web", up="WEB", word="hello"} hello 12\n')
    path.write_text("scrape_configs:\n- job_name: '${JOB-s}'\n")
    wrong = subprocess.run(command, input="", env=env, capture_output=True, text=True)
    assert wrong.returncode == 2 and "c.yml:2:14: ${NAME is followed neither by }" in wrong.stderr, wrong


class Door:
    """Before an ingester: takes no pushes of the tenant "slow" while it is shut."""

    def __init__(self, server):
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, text = 503, b""
                if not (door.shut and self.path.endswith("/push") and self.headers["X-Scope-OrgID"] == "slow"):
                    status, text = server.ask("POST", self.path, body=body, headers=dict(self.headers))
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments):
                pass

        self.shut = True
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


def test_a_tenant_that_is_held_up_loses_nothing_by_a_restart(tmp_path, make_ingester, make_shipper):
    server = make_ingester(config="auth_enabled: true\n").start()
    door = Door(server)
    (tmp_path / "logs").mkdir()
    stages = """
  - regex: {expression: '^(?P<who>slow|other)'}
  - tenant: {source: who}"""
    client = (door.url, ", tenant_id: rest, batchsize: 4096, backoff_config: {max_period: 1s}")
    shipper = make_shipper(config=config(tmp_path, [client], stages)).start()
    lines = ["%s line %d" % (("slow", "other", "more")[i % 3], i) for i in range(3000)]
    write(tmp_path / "logs" / "a.log", lines)
    for tenant in ("rest", "other"):
        wait_for("the lines of " + tenant, lambda: len(server.export_lines('{job="s"}', headers={"X-Scope-OrgID": tenant})) == 1000, 30, 0.2)
    assert server.export_lines('{job="s"}', headers={"X-Scope-OrgID": "slow"}) == []
    shipper.kill()
    door.shut = False
    shipper.start()
    for tenant, name in (("slow", "slow"), ("other", "other"), ("rest", "more")):
        want = [line.encode() for line in lines if line.startswith(name)]
        headers = {"X-Scope-OrgID": tenant}
        wait_for("all lines of " + tenant, lambda: len(server.export_lines('{job="s"}', headers=headers)) >= len(want), 20, 0.2)
        assert differences(want, server.export_lines('{job="s"}', headers=headers)) is None


def test_a_client_without_a_tenant_finds_those_of_the_entries(tmp_path, make_ingester, make_shipper):
    server = make_ingester(config="auth_enabled: true\n").start()
    (tmp_path / "logs").mkdir()
    stages = """
  - regex: {expression: '^(?P<who>a|b)'}
  - tenant: {source: who}"""
    shipper = make_shipper(config=config(tmp_path, [(server.url, ", backoff_config: {max_period: 1s}")], stages)).start()
    lines = ["%s line %d" % ("ab"[i % 2], i) for i in range(1000)]
    write(tmp_path / "logs" / "a.log", lines)
    for tenant in "ab":
        want = [line.encode() for line in lines if line[0] == tenant]
        wait_for("the lines of " + tenant, lambda: len(server.export_lines('{job="s"}', headers={"X-Scope-OrgID": tenant})) == len(want), 20, 0.2)
    write(tmp_path / "logs" / "a.log", ["no tenant", "a late"])
    wait_for("what is behind it", lambda: b"a late" in server.export_lines('{job="s"}', headers={"X-Scope-OrgID": "a"}), 20, 0.2)
    assert shipper.log().count("entries that name none wait") == 1


def test_a_tenant_that_rests_makes_room_for_another(tmp_path, make_ingester, make_shipper):
    """Two outputs beside the client's own, for five tenants that come and go, and all is killed on the way."""
    server = make_ingester(config="auth_enabled: true\n").start()
    (tmp_path / "logs").mkdir()
    stages = """
  - regex: {expression: "^(?P<who>[a-z]+) "}
  - tenant: {source: who}"""
    more = "limits_config: {max_outputs: 3}\nserver: {http_listen_port: 0}\n"
    text = config(tmp_path, [(server.url, ", tenant_id: rest, batchwait: 100ms, backoff_config: {max_period: 1s}")], stages, more)
    shipper = make_shipper(config=text.replace("positions}\n", "positions, sync_period: 200ms}\n", 1)).start()
    want = {tenant: [] for tenant in ("a", "b", "c", "d", "rest")}

    def more_of(*tenants):
        lines = ["%s line %d %d" % (t, len(want[t]), k) for t in tenants for k in range(300)]
        for line in lines:
            want[line.split()[0]].append(line.encode())
        write(tmp_path / "logs" / "a.log", lines)

    def arrived(tenant):
        return len(server.export_lines('{job="s"}', headers={"X-Scope-OrgID": tenant})) >= len(want[tenant])

    def wait_all():
        for tenant in want:
            wait_for("all of " + tenant, lambda: arrived(tenant), 60, 0.2)

    more_of("a", "rest", "b")
    wait_all()
    more_of("rest", "c", "a")
    wait_for("that there is no room", lambda: "max_outputs" in shipper.log())
    wait_for("the first lines", lambda: arrived("a"), 60, 0.2)
    wait_all()
    more_of("d", "b", "rest", "c")
    for program in (shipper, server, shipper):
        time.sleep(1)
        program.kill()
        program.start()
    wait_all()
    time.sleep(1)
    for tenant, lines in want.items():
        assert differences(lines, server.export_lines('{job="s"}', headers={"X-Scope-OrgID": tenant})) is None
    assert shipper.log().count("make room for others") >= 1
    assert shipper.stop() == 0


def test_two_clients_are_sent_the_same_times(tmp_path, make_ingester, make_shipper):
    """Half of the lines do not tell their time: they go on from the one ahead, whichever client is where, and whatever is killed."""
    servers = [make_ingester(name).start() for name in ("one", "two")]
    (tmp_path / "logs").mkdir()
    stages = """
  - regex: {expression: "^(?P<ts>[^ ]+) "}
  - timestamp: {source: ts, format: RFC3339, action_on_failure: fudge}"""
    more = ", batchsize: 3000, batchwait: 50ms, backoff_config: {min_period: 20ms, max_period: 300ms}"
    shipper = make_shipper(config=config(tmp_path, [(server.url, more) for server in servers], stages)).start()
    rng, lines, second = random.Random(9), [], 0

    def more_lines(n):
        nonlocal second
        fresh = []
        for _ in range(n):
            second += rng.random() < 0.3
            told = "2026-01-05T%02d:%02d:%02dZ" % (second // 3600, second // 60 % 60, second % 60)
            fresh.append("%s line %d" % (told if rng.random() < 0.5 or not lines else "?", len(lines) + len(fresh)))
        lines.extend(fresh)
        write(tmp_path / "logs" / "a.log", fresh)

    for i in range(6 if not LONG else 40):
        more_lines(400)
        if i % 3 == 1:
            servers[i % 2].kill()                           # it falls behind the other
        if i % 3 == 2:
            servers[(i - 1) % 2].start()
        time.sleep(0.3)
        shipper.kill()
        shipper.start()
    for server in servers:
        wait_for("all lines", lambda: len(server.export_lines('{job="s"}')) >= len(lines), 60, 0.2)
    have = [sorted((e["line"], e["ts"]) for e in server.export('{job="s"}')) for server in servers]
    assert sorted(lines) == [line for line, _ in have[0]]
    assert have[0] == have[1], [pair for pair in zip(*have) if pair[0] != pair[1]][:5]
    assert shipper.stop() == 0


@pytest.mark.parametrize("drop", [True, False])
def test_the_rate_of_all_jobs_together(tmp_path, ingester, make_shipper, drop):
    """limits_config.readline_rate: two jobs, one of them without stages of its own."""
    for name in "ab":
        (tmp_path / (name + ".log")).write_text("".join("%s %d\n" % (name, i) for i in range(300)))
    shipper = make_shipper(config="positions: {filename: %(t)s/p.yml}\nclients: [{url: '%(u)s/loki/api/v1/push', batchwait: 20ms}]\n"
                           "server: {http_listen_address: 127.0.0.1, http_listen_port: 0}\n"
                           "limits_config: {readline_rate_enabled: true, readline_rate: 100, readline_burst: 50, readline_rate_drop: %(d)s}\nscrape_configs:\n"
                           "- {job_name: a, static_configs: [{labels: {job: r, __path__: %(t)s/a.log}}]}\n"
                           "- {job_name: b, pipeline_stages: [regex: {expression: '(?P<n>\\d+)'}], static_configs: [{labels: {job: r, __path__: %(t)s/b.log}}]}\n"
                           % {"t": tmp_path, "u": ingester.url, "d": str(drop).lower()})
    start = time.monotonic()
    shipper.start()
    if drop:
        wait_for("the first", lambda: ingester.count('{job="r"}') >= 50, every=0.1)
        time.sleep(1)
        told = re.search(r"at (http://[^\s\"]+)", shipper.log()).group(1)
        metrics = urllib.request.urlopen(told + "/metrics").read().decode()
        dropped = float(re.search(r'^cordwood_shipper_lines_dropped_total\{reason="readline_rate"\} (\S+)', metrics, re.M).group(1))
        assert "(readline_rate)" in urllib.request.urlopen(told + "/targets").read().decode()
        assert dropped > 0 and ingester.count('{job="r"}') + dropped == 600, metrics
    else:
        wait_for("all of them", lambda: ingester.count('{job="r"}') >= 600, 60, 0.2)
        assert time.monotonic() - start > 5                 # (600 - 50) / 100 a second
        assert differences([b"%s %d" % (n, i) for n in (b"a", b"b") for i in range(300)], ingester.export_lines('{job="r"}')) is None
    assert shipper.stop() == 0


SERVER = "server: {http_listen_address: 127.0.0.1, http_listen_port: 0}\n"


def metric(shipper, name):
    """A counter of the shipper's, all of its labels together."""
    own = re.search(r"at (http://[^\s\"]+)", shipper.log()).group(1)
    rows = urllib.request.urlopen(own + "/metrics").read().decode().splitlines()
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows if re.match(name + r"[ {]", row))


def test_metadata_whose_name_is_none_stays_behind_and_the_line_goes(tmp_path, make_ingester, make_shipper):
    server = make_ingester().start()
    (tmp_path / "logs").mkdir()
    stages = """
  - json: {expressions: {a: , b: }}
  - structured_metadata: {"é": a, "..": b, ok: b}"""
    shipper = make_shipper(config=config(tmp_path, [(server.url, "")], stages, SERVER)).start()
    write(str(tmp_path / "logs" / "x.log"), [json.dumps({"a": "1", "b": "2"}), json.dumps({"a": "1"}), json.dumps({"c": "1"})])

    def found():
        body = json.loads(server.ask("GET", "/loki/api/v1/query_range", {"query": '{job="s"}', "since": "1h"})[1])
        return body["data"]["result"]
    wait_for("the line", found, 30, 0.1)
    assert found()[0]["stream"]["ok"] == "2" and "_" not in found()[0]["stream"] and "" not in found()[0]["stream"]
    wait_for("the warning", lambda: shipper.log().count("has names that no server takes") == 1, 30, 0.1)
    wait_for("the count", lambda: metric(shipper, "cordwood_shipper_metadata_left_out_total") == 3, 30, 0.1)
    assert server.count('{job="s"}') == 3


def test_entries_of_too_many_streams_are_dropped_and_counted_for_each_client(tmp_path, make_ingester, make_shipper):
    """limits_config.max_streams, of each push: one client's selector leaves it fewer streams than there are."""
    servers = [make_ingester(name).start() for name in "ab"]
    (tmp_path / "logs").mkdir()
    write(str(tmp_path / "logs" / "x.log"), ["%d %d" % (i % 10, i) for i in range(300)])
    shipper = make_shipper(config=config(tmp_path, [(servers[0].url, ", name: a"), (servers[1].url, ", name: b, selector: '{n=~\"[0-2]\"}'")], """
  - regex: {expression: '^(?P<n>\\d)'}
  - labels: {n: }""", SERVER + "limits_config: {max_streams: 4}\n")).start()
    wait_for("the lines", lambda: [s.count('{job="s"}') for s in servers] == [120, 90], 30, 0.1)
    assert {e["line"].split()[0] for e in servers[0].export('{job="s"}')} == {"0", "1", "2", "3"}
    wait_for("the count", lambda: metric(shipper, "cordwood_shipper_stream_limited_entries_total") == 180, 30, 0.1)
    assert shipper.log().count("more than limits_config.max_streams (4) streams") == 1 and shipper.stop() == 0
    told = subprocess.run([SHIPPER, "audit", "--config", shipper.argv[shipper.argv.index("--config") + 1]], capture_output=True, text=True).stdout
    assert "stream_limited" in told and "180" in told, told
