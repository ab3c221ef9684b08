"""Configurations of the kinds that promtail's users publish (tests/data/promtail): each is accepted, and does what it says.

NAME.yaml is the configuration; NAME.want, where there is one, the files under /var/log ("== path") and the entries ("== want") as
[@time] labels, a tab, the line; \\n stands for a newline inside of a line."""
import glob
import gzip
import os
import re
import subprocess

import pytest

from certificates import make_certificates
from programs import SHIPPER

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "promtail")
NAMES = sorted(os.path.basename(p)[:-5] for p in glob.glob(os.path.join(FOLDER, "*.yaml")))
ENTRY = re.compile(r"^(\d{4}-\d\d-\d\dT[\d:.]+Z)\t(\{[^\t]*\})\t", re.M)


def run(path, *arguments):
    return subprocess.run([SHIPPER, "--config", path, *arguments], capture_output=True, timeout=60)


def test_there_are_enough():
    assert len(NAMES) >= 65 and sum(os.path.exists(os.path.join(FOLDER, n + ".want")) for n in NAMES) >= 60


@pytest.fixture(scope="module")
def etc(tmp_path_factory):
    """The certificates and secrets that configurations name."""
    folder = make_certificates(tmp_path_factory.mktemp("etc"), "DNS:loki")
    (folder / "server.pem").rename(folder / "c.pem")
    (folder / "server.key").rename(folder / "k.pem")
    for name in "stp":
        (folder / name).write_text("secret\n")
    return folder


def on_its_machine(name, etc, tmp_path):
    """That configuration, where the files are there."""
    with open(os.path.join(FOLDER, name + ".yaml")) as f:
        (tmp_path / (name + ".yaml")).write_text(re.sub(r"/etc/(?=(?:ca|c|k)\.pem|[stp]\b)", "%s/" % etc, f.read()))
    return tmp_path / (name + ".yaml")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_accepted(name, etc, tmp_path):
    done = run(on_its_machine(name, etc, tmp_path), "--check")
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("name", [n for n in NAMES if os.path.exists(os.path.join(FOLDER, n + ".want"))])
def test_it_does_what_it_says(name, tmp_path):
    root = str(tmp_path / "log")
    with open(os.path.join(FOLDER, name + ".want"), newline="") as f:
        sections = re.split(r"^== (.*)\n", f.read(), flags=re.M)[1:]
    files = dict(zip(sections[::2], sections[1::2]))
    want = sorted(files.pop("want").splitlines())
    for path, text in files.items():
        path = os.path.join(root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        text = text.replace("/var/log", root) if path.endswith((".yml", ".json")) and "/targets/" in path else text
        with gzip.open(path, "wb") if path.endswith(".gz") else open(path, "wb") as f:
            f.write(text.encode("utf-16-le" if path.endswith(".utf16") else "utf-8"))
    with open(os.path.join(FOLDER, name + ".yaml")) as f:
        config = f.read().replace("/var/log", root)
    (tmp_path / "promtail.yaml").write_text(config)
    done = run(tmp_path / "promtail.yaml", "--dry-run", "--once")
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode().replace(root, "/var/log")
    starts = list(ENTRY.finditer(text))
    got = []
    for i, start in enumerate(starts):
        line = text[start.end():(starts[i + 1].start() if i + 1 < len(starts) else len(text)) - 1]
        got.append((start.group(1), start.group(2) + "\t" + line.replace("\n", "\\n")))
    timed = {w.split(" ", 1)[1] for w in want if w.startswith("@")}
    assert sorted("@%s %s" % (ts, entry) if entry in timed else entry for ts, entry in got) == want


WITHOUT_EFFECT = """
profiling_enabled http_listen_network grpc_listen_network grpc_listen_address grpc_listen_port grpc_listen_conn_limit http_server_read_timeout
http_server_write_timeout grpc_server_max_recv_msg_size grpc_server_max_send_msg_size grpc_server_max_concurrent_streams external_url
positions.ignore_invalid_yaml options.stream_lag_labels tracing
grpc_listen_port log_level"""                                # of the receiver of pushes


def test_every_documented_key_is_known_and_what_has_no_effect_says_so(etc, tmp_path):
    done = run(on_its_machine("every-key", etc, tmp_path), "--check")
    told = re.findall(r"every-key\.yaml:\d+:\d+: (\S+) is ignored: .", done.stderr.decode())
    assert done.returncode == 0 and len(told) == len(done.stderr.decode().splitlines()), done.stderr.decode()
    assert sorted(told) == sorted(WITHOUT_EFFECT.split()), told


@pytest.mark.parametrize("key, text", [
    ("windows_events: {eventlog_name: Application}", "there is no Windows here"),
    ("kafka: {brokers: [a:9092], topics: [t]}", "let the programs push"),
    ("gcplog: {subscription_type: push}", "let it push to loki_push_api"),
    ("azure_event_hubs: {event_hubs: [a]}", "let it push to loki_push_api"),
    ("cloudflare: {zone_id: a, api_token: b}", "Logpush"),
    ("heroku_drain: {server: {http_listen_port: 1}}", "use syslog"),
    ("consul_sd_configs: [{server: 'a:8500'}]", "file_sd_configs"),
    ("ec2_sd_configs: [{region: a}]", "file_sd_configs"),
    ("dockerswarm_sd_configs: [{role: tasks}]", "docker_sd_configs on each node"),
    ("entry_parser: docker", "pipeline_stages: [docker: {}]"),
])
def test_what_is_not_supported_is_refused_with_what_to_do_instead(tmp_path, key, text):
    path = tmp_path / "promtail.yaml"
    path.write_text("clients: [{url: http://loki:3100/loki/api/v1/push}]\nscrape_configs:\n  - job_name: a\n    %s\n" % key)
    done = run(path, "--check")
    told = done.stderr.decode()
    assert done.returncode == 2 and "%s:4:" % path in told and '"%s" is not supported' % key.partition(":")[0] in told
    assert text in told, told


def jobs(tmp_path, *statics):
    """A configuration of a job for each of them: labels, as YAML."""
    path = tmp_path / "promtail.yaml"
    path.write_text("clients: [{url: 'http://localhost:1/a'}]\npositions: {filename: %s/positions}\nscrape_configs:\n" % tmp_path
                    + "".join("- {job_name: j%d, static_configs: [{labels: {n: '%d', %s}}]}\n" % (i, i, labels.replace("LOGS", str(tmp_path)))
                              for i, labels in enumerate(statics)))
    return path


@pytest.mark.parametrize("files, statics, want", [
    (["a.log", "b.log", "c.txt"], ["__path__: LOGS/*.log", "__path__: LOGS/b.log"], ["b.log: in job \"j0\" (line 4: LOGS/*.log) and in job \"j1\" (line 5: LOGS/b.log)"]),
    (["a.log", "b.log"], ["__path__: LOGS/*.log", "__path__: 'LOGS/{a,b}.log'"], ["a.log and 1 more: in job \"j0\" (line 4: LOGS/*.log) and in job \"j1\" (line 5: LOGS/{a,b}.log)"]),
    (["a.log"], ["__path__: LOGS/*.log", "__path__: LOGS/*", "__path__: LOGS/a.log, __path_exclude__: LOGS/*"],
     ["a.log: in job \"j0\" (line 4: LOGS/*.log) and in job \"j1\" (line 5: LOGS/*)"]),
    (["a.log", "old.log.gz"], ["__path__: LOGS/*, __path_exclude__: LOGS/a.log", "__path__: LOGS/*.log*"], []),
    ([], ["__path__: LOGS/*.log", "__path__: LOGS/x/*.log", "__path__: LOGS/*.log"], ["*.log: in job \"j0\" (line 4: LOGS/*.log) and in job \"j2\" (line 6: LOGS/*.log)"]),
    ([], ["__path__: LOGS/one.log", "__path__: LOGS/*.log"], ["one.log: in job \"j0\" (line 4: LOGS/one.log) and in job \"j1\" (line 5: LOGS/*.log)"]),
    ([], ["__path__: LOGS/*.log, __path_exclude__: LOGS/one.log", "__path__: LOGS/one.log"], []),
])
def test_files_of_two_jobs_are_told_by_a_check(tmp_path, files, statics, want):
    for name in files:
        (tmp_path / name).write_bytes(gzip.compress(b"old\n") if name.endswith(".gz") else b"line\n")
    path = jobs(tmp_path, *statics)
    done = run(path, "--check")
    told = done.stderr.decode().replace(str(tmp_path), "LOGS")
    assert done.returncode == 0 and told == "".join(
        "LOGS/promtail.yaml:%d: LOGS/%s: the first alone has it; if the other is to have it, the first one's __path_exclude__ must name it\n"
        % (4 + int(row[row.rindex('"j') + 2]), row) for row in want)


def test_files_of_several_targets_are_told_once(tmp_path):
    for name in "ab":
        (tmp_path / (name + ".log")).write_bytes(b"line\n")
    path = jobs(tmp_path, "__path__: LOGS/*.log", "__path__: 'LOGS/[ab].log'")
    path.write_text(path.read_text().replace("[{labels: {n: '1'", "[{targets: [localhost, other], labels: {n: '1'"))
    told = run(path, "--check").stderr.decode()
    assert told.count("\n") == 1 and 'a.log and 1 more: in job "j0"' in told, told


def test_a_target_without_a_path_is_told_and_reads_nothing(tmp_path):
    (tmp_path / "a.log").write_bytes(b"line\n")
    path = jobs(tmp_path, "a: b", "__path__: LOGS/*.log")
    for flags in (["--check"], ["--dry-run", "--once"]):
        done = run(path, *flags)
        assert done.returncode == 0 and b"promtail.yaml:4: scrape_configs[0].static_configs[0] is ignored: it has no label __path__" in done.stderr, done
    assert done.stdout.count(b"\n") == 1 and done.stdout.endswith(b"\tline\n")


def test_paths_of_the_command_line_are_of_one_job(tmp_path):
    (tmp_path / "a.log").write_bytes(b"line\n")
    done = subprocess.run([SHIPPER, "--check", "--push", "http://127.0.0.1:1", "%s/a.log" % tmp_path, str(tmp_path)], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b""), done


def test_a_link_to_another_jobs_file_is_told_by_a_check_and_by_a_dry_run(tmp_path):
    (tmp_path / "a.log").write_bytes(b"line\n")
    (tmp_path / "link.txt").symlink_to("a.log")
    path = jobs(tmp_path, "__path__: LOGS/a.log", "__path__: LOGS/*.txt")
    assert '%s/a.log: in job "j0"' % tmp_path in run(path, "--check").stderr.decode()
    dry = run(path, "--dry-run", "--once")
    assert len(dry.stdout.splitlines()) == 1 and b'is in the jobs \\"j0\\" and \\"j1\\"' in dry.stderr, dry


def test_a_journal_without_its_library_is_told_by_a_check(tmp_path):
    path = tmp_path / "promtail.yaml"
    path.write_text("clients: [{url: 'http://localhost:1/a'}]\nscrape_configs: [{job_name: units, journal: {}}]\n")
    assert run(path, "--check").returncode == 0
    (tmp_path / "libsystemd.so.0").write_bytes(b"")              # the loader takes this one, which is none
    done = subprocess.run([SHIPPER, "--config", path, "--check"], capture_output=True, timeout=60, env=dict(os.environ, LD_LIBRARY_PATH=str(tmp_path)))
    assert done.returncode == 2 and b'promtail.yaml:2: journal of job "units": the journal is read with libsystemd: ' in done.stderr, done


TWO_CLIENTS = """clients:
  - {url: 'http://localhost:1/a', name: a, selector: '{level="x"}', external_labels: {dc: one}}
  - {url: 'http://localhost:1/b', name: b, tenant_id: t}
  - {url: 'http://localhost:1/c', name: c, tenant_id: t, selector: '{level!="z"}'}
positions: {filename: %s/positions}
scrape_configs:
  - job_name: s
    static_configs: [{labels: {job: s, __path__: %s/*.log}}]
    pipeline_stages:
      - regex: {expression: '^(?P<level>\\w) (?P<who>\\w*)'}
      - labels: {level: }
      - structured_metadata: {who: }
      - match: {selector: '{level="y"}', stages: [tenant: {value: other}]}
"""


def test_a_dry_run_says_all_that_would_be_sent_and_to_whom(tmp_path):
    path = tmp_path / "promtail.yaml"
    (tmp_path / "a.log").write_text("x one\ny two\nz \n")
    path.write_text(TWO_CLIENTS % (tmp_path, tmp_path))
    rows = [row.split("\t")[1:] for row in run(path, "--dry-run", "--once").stdout.decode().replace('filename="%s/a.log", ' % tmp_path, "").splitlines()]
    assert rows == [['{dc="one", job="s", level="x"}', 'metadata {who="one"} to a', "x one"],
                    ['{job="s", level="x"}', 'metadata {who="one"} tenant="t" to b, c', "x one"],
                    ['{job="s", level="y"}', 'metadata {who="two"} tenant="other" to b, c', "y two"],
                    ['{job="s", level="z"}', 'tenant="t" to b', "z "]]
    path.write_text((TWO_CLIENTS % (tmp_path, tmp_path)).replace("name: b", "name: b, selector: '{level=\"y\"}'"))
    rows = [row.split("\t")[1:] for row in run(path, "--dry-run", "--once").stdout.decode().splitlines()]
    assert rows[-1][1:] == ["to nobody", "z "]


def test_flags_of_promtail_mean_what_they_did(tmp_path):
    path = tmp_path / "promtail.yaml"
    (tmp_path / "a.log").write_text("x one\n")
    path.write_text("server: {http_listen_port: 9080, log_level: warn}\nclients: [{url: 'http://localhost:1/a', backoff_config: {max_retries: 0}}]\npositions: {filename: %s/none/positions}\n"
                    "scrape_configs: [{job_name: s, static_configs: [{labels: {job: s, __path__: %s/*.log}}], pipeline_stages: [{static_labels: {via: stages}}]}]\n" % (tmp_path, tmp_path))

    def said(*flags, status=0, stdin=b"", config=("-config.file", str(path))):
        done = subprocess.run([SHIPPER, *config, *flags], input=stdin, capture_output=True, timeout=60)
        assert done.returncode == status, done
        return done.stdout.decode(), done.stderr.decode()

    out, log = said("-log.level=info", "-log.format", "json", "-server.http-listen-port=0", "-server.http-listen-address=127.0.0.1", "-dry-run", "-once")
    assert '"/metrics, /ready and /targets at http://127.0.0.1:' in log and log.startswith('{"'), log
    assert "http" not in said("-log.level=info", "-server.disable", "-dry-run", "-once")[1]
    out, log = said("-client.url=http://localhost:1/b", "-client.tenant-id=t", "-client.external-labels=dc=x", "-dry-run", "-once")
    assert 'tenant="t" to localhost:1-1\tx one' in out and out.count('dc="x"') == 2, out
    out, log = said("-stdin", "-dry-run", stdin=b"from stdin")
    assert out.endswith('\t{job="s", via="stages"}\tfrom stdin\n') and "x one" not in out, out
    out, log = said("--stdin", "--dry-run", "--client.url", "http://localhost:1/b", stdin=b"from stdin", config=())
    assert 'job="stdin"' in out and out.endswith("\tfrom stdin\n"), out
    assert "no effect" in said("-server.grpc-listen-port=9095", "-check-syntax")[1]
    assert "server.http_server_read_timeout has no effect" in said("-server.http-read-timeout=30s", "-check-syntax")[1]
    assert said("-max-line-size=3B", "-max-line-size-truncate", "-dry-run", "-once")[0].endswith("\tx o\n")
    (tmp_path / "b.log").write_text("x two\n" * 3)
    out, log = said("-limit.readline-rate-enabled", "-limit.readline-rate=1", "-limit.readline-burst=2", "-limit.readline-rate-drop=true", "-dry-run", "-once")
    assert out.count("\tx ") == 2, (out, log)
    (tmp_path / "b.log").unlink()
    assert "--check tells what is wrong" in said("-print-config-stderr", "-check-syntax")[1]
    assert said("-positions.file=%s/p" % tmp_path, "-client.max-retries=0", "-client.url=http://localhost:1/b", "-client.max-backoff=500ms", "-once", status=1)
    assert (tmp_path / "p.cordwood").exists() and not (tmp_path / "none").exists()


@pytest.mark.parametrize("flags, text", [
    (["-log.level=nonsense"], '"nonsense" is none of debug, info, warn, error'),
    (["-client.x=1"], "unknown flag -client.x"), (["-server.grpc.keepalive.time=1s"], "unknown flag -server.grpc.keepalive.time"),
    (["-limit.readline-rate=x"], 'promtail\'s flag for limits_config.readline_rate: "x"'),
    (["-server.http-listen-port=0", "-server.http-tls-cert-path=/none/c.pem", "-server.http-tls-key-path=/none/k.pem"], "/none/c.pem"),
    (["-client.timeout=5s"], "flags of promtail's client go with -client.url"),
    (["-client.url=localhost"], 'promtail\'s flag for client.url: "localhost" is no http:// or https:// URL'),
    (["--tenant", "x"], "--config goes with no --tenant: in the file it is tenant_id in clients"),
    (["--label", "a=b"], "--config goes with no --label: in the file it is labels in static_configs"),
    (["--state-dir", "/x"], "--config goes with no --state-dir: in the file it is positions.filename"),
    (["/var/log/x"], "--config goes with no PATH: in the file it is __path__"), (["-stdin", "/var/log/x"], "-stdin reads nothing else"),
])
def test_flags_without_a_meaning_are_refused(tmp_path, flags, text):
    path = tmp_path / "promtail.yaml"
    path.write_text("clients: [{url: 'http://localhost:1/a'}]\nwal: {enabled: true}\nscrape_configs: [{job_name: a, static_configs: [{labels: {__path__: /x}}]}]\n")
    assert b"promtail.yaml:2:1: wal is ignored: what is not delivered waits" in run(path, "--check").stderr
    done = run(path, "--check", *flags)
    assert done.returncode == 2 and text in done.stderr.decode(), done


@pytest.mark.parametrize("first, second, text", [
    ('syslog: {listen_address: "0.0.0.0:1514"}', 'lines: {listen_address: "127.0.0.1:1514"}', ':5: syslog of job "a" (line 4) and lines of job "b" listen at one port: TCP 1514'),
    ('gelf: {listen_address: "127.0.0.1:77"}', 'syslog: {listen_address: "127.0.0.1:77", listen_protocol: udp}', "listen at one port: UDP 77"),
    ('lines: {listen_address: "unix:/run/x"}', 'forward: {listen_address: "unix:/run/x"}', "listen at one address: unix:/run/x"),
    ("loki_push_api: {server: {http_listen_port: 9080}}", "stdin: {}", ':4: server and loki_push_api of job "a" listen at one port: TCP 9080'),
    ('gelf: {listen_address: "127.0.0.1:77"}', 'syslog: {listen_address: "127.0.0.1:77"}', None),
    ('lines: {listen_address: "127.0.0.1:77"}', 'syslog: {listen_address: "127.0.0.2:77"}', None),
    ('lines: {listen_address: "127.0.0.1:0"}', 'syslog: {listen_address: "127.0.0.1:0"}', None),
    ('lines: {listen_address: "udp://127.0.0.1:77"}', "stdin: {}", '"udp://127.0.0.1:77" has a scheme; HOST:PORT is expected (TCP), or unix:/path'),
])
def test_receivers_have_addresses_of_their_own(tmp_path, first, second, text):
    path = tmp_path / "promtail.yaml"
    path.write_text("server: {http_listen_port: 9080}\nclients: [{url: 'http://localhost:1/a'}]\nscrape_configs:\n- {job_name: a, %s}\n- {job_name: b, %s}\n" % (first, second))
    done = run(path, "--check")
    assert (done.returncode, (text or "") in done.stderr.decode()) == (2 if text else 0, True), done


def test_all_clashes_are_told_with_their_lines(tmp_path):
    path = tmp_path / "promtail.yaml"
    path.write_text("clients: [{url: 'http://localhost:1/a'}]\nscrape_configs:\n- gelf: {listen_address: ':77'}\n- syslog: {listen_address: ':77', listen_protocol: udp}\n"
                    "- {job_name: c, lines: {listen_address: ':78'}, forward: {listen_address: ':78'}}\n")
    done = run(path, "--check")
    assert done.returncode == 2
    assert done.stderr.decode().replace(str(path), "P").splitlines() == [
        'P:4: gelf of job "" (line 3) and syslog of job "" listen at one port: UDP 77',
        'P:5: forward of job "c" and lines of job "c" listen at one port: TCP 78', "cordwood-shipper: P: 2 errors"]


def test_certificates_and_secrets_that_are_not_there_are_told_by_a_check(tmp_path):
    path = tmp_path / "promtail.yaml"
    path.write_text("server: {http_listen_port: 0, http_tls_config: {cert_file: /no/a, key_file: /no/b}}\nclients:\n"
                    "- {url: 'https://localhost:1/a', name: one, basic_auth: {username: u, password_file: /no/c}, tls_config: {ca_file: /no/d}}\nscrape_configs:\n"
                    "- {job_name: s, syslog: {listen_address: ':77', tls_config: {cert_file: /no/e, key_file: /no/f}}}\n"
                    "- {job_name: p, loki_push_api: {server: {http_listen_port: 0, http_tls_config: {cert_file: /no/g, key_file: /no/h}}}}\n")
    done = run(path, "--check")
    assert done.returncode == 2
    assert done.stderr.decode().replace(str(path), "P").splitlines() == [
        "P: client one cannot deliver before it has /no/c: No such file or directory", "P: client one cannot deliver before it has /no/d: No such file or directory",
        "P: server: open /no/a: No such file or directory", 'P:5: syslog of job "s": open /no/e: No such file or directory',
        'P:6: loki_push_api of job "p": open /no/g: No such file or directory', "cordwood-shipper: P: 3 errors"]


def test_of_very_many_mistakes_it_is_told_that_not_all_are_shown(tmp_path):
    path = tmp_path / "promtail.yaml"
    path.write_text("clients: [{url: 'http://localhost:1/a'}]\nscrape_configs:\n" + "- {nosuch: 1}\n" * 60)
    told = run(path, "--check").stderr.decode().splitlines()
    assert len(told) == 51 and told[-1] == "cordwood-shipper: %s: 60 errors, of which the first are shown" % path


def test_all_mistakes_are_told_at_once(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("""clients:
  - url: http://loki:3100/loki/api/v1/push
    batchwat: 1s
scrape_configs:
  - job_name: a
    kafka: {brokers: [a]}
    static_configs: [{labels: {a-b: c}}]
    relabel_configs:
      - {source_labels: [x], target_lable: y}
      - {action: hashmod, target_label: z}
    pipeline_stages:
      - regexp: {expression: a}
      - regex: {expression: "a("}
  - job_name: b
    windows_events: {}
    gcplog: {}
    kubernetes_sd_configs: [{role: pods}]
""")
    done = run(path, "--check")
    told = [line.replace(str(path), "f") for line in done.stderr.decode().splitlines()]
    assert done.returncode == 2
    for place, text in (("f:3:5", 'did you mean "batchwait"?'), ("f:6:5", '"kafka" is not supported: let the programs push'),
                        ("f:7:", '"a-b" is no valid label name'), ("f:9:", 'did you mean "target_label"?'),
                        ("f:10:", "requires non-zero modulus"), ("f:12:9", 'did you mean "regex"?'), ("f:13:", "missing closing )"),
                        ("f:15:5", '"windows_events" is not supported'), ("f:16:5", "loki_push_api"), ("f:17:", "pods")):
        assert any(line.startswith(place) and text in line for line in told), (place, text, told)
    assert told[-1].endswith("10 errors"), told
