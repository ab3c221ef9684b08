"""Containers of a real Docker Engine: dockerd on a private socket, an image made of busybox alone."""
import os
import signal
import ssl
import subprocess

import pytest

from certificates import make_certificates
from docker_engine import forwarded, running_engine
from load import differences
from programs import Program, free_port, wait_for
from refusing_server import refusing


@pytest.fixture(scope="module")
def engine():
    with running_engine() as engine:
        yield engine.image()


def lines_of(server, selector, want):
    wait_for("%d lines of %s" % (len(want), selector), lambda: server.count(selector) >= len(want), 60, 0.1)
    difference = differences(want, server.export_lines(selector))
    assert difference is None, difference


def test_containers_before_and_after_the_start_with_their_labels(ingester, make_shipper, engine):
    engine.run("early", "echo from early; echo to stderr >&2", "--label", "com.docker.compose.project=shop",
               "--label", "com.docker.compose.service=web")
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=docker", "--docker=" + engine.socket]).start()
    lines_of(ingester, '{container="early", stream="stdout"}', [b"from early"])
    lines_of(ingester, '{container="early", stream="stderr"}', [b"to stderr"])
    assert ingester.export('{container="early", stream="stdout"}')[0]["labels"] == {
        "job": "docker", "container": "early", "image": "bb:1", "stream": "stdout", "compose_project": "shop", "compose_service": "web", "service_name": "early"}
    engine.run("late", "for i in $(seq 1 200); do echo late $i; done; echo 'quote \" and <tag> \\ '")
    lines_of(ingester, '{container="late"}', [b"late %d" % i for i in range(1, 201)] + [b'quote " and <tag> \\ '])
    times = [int(e["ts"]) for e in ingester.export('{container="late"}')]
    assert times == sorted(times) and times[-1] - times[0] < 60e9
    assert shipper.stop() == 0


def test_a_container_that_is_started_long_after_it_was_created(ingester, make_shipper, engine):
    # It has no log file until then; the shipper sees it first without one, as it may between `create` and `start` of any `run`.
    engine.docker("create", "--network", "none", "--name", "waiting", "bb:1", "/bin/sh", "-c", "echo begun")
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=docker", "--docker=" + engine.socket]).start()
    engine.run("other", "echo seen")
    lines_of(ingester, '{container="other"}', [b"seen"])        # so "waiting" was looked at too
    engine.docker("start", "waiting")
    lines_of(ingester, '{container="waiting"}', [b"begun"])
    assert shipper.stop() == 0


def test_long_lines_are_joined_and_a_kill_repeats_nothing(ingester, make_shipper, engine):
    script = "for i in 1 2 3; do head -c 50000 /dev/zero | tr '\\0' $i; echo; sleep 0.5; done; echo end"
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=docker", "--docker=" + engine.socket]).start()
    engine.run("long", script)
    for _ in range(3):
        wait_for("some line", lambda: ingester.count('{container="long"}') > 0)
        shipper.kill()
        shipper.start()
    lines_of(ingester, '{container="long"}', [b"%d" % i * 50000 for i in (1, 2, 3)] + [b"end"])
    assert shipper.stop() == 0


def test_the_engines_own_rotation_loses_nothing(ingester, make_shipper, engine, tmp_path):
    config = ("clients: [{url: %s/loki/api/v1/push}]\npositions: {filename: %s/positions.yaml}\n"
              "scrape_configs: [{job_name: d, docker_sd_configs: [{host: 'unix://%s', refresh_interval: 1s, filters: [{name: name, values: [rotated]}]}]}]\n"
              % (ingester.url, tmp_path, engine.socket))
    shipper = make_shipper(config=config).start()
    engine.run("rotated", "for i in $(seq 1 40); do for k in $(seq 1 50); do echo round $i line $k; done; sleep 0.05; done",
               "--log-opt", "max-size=20k", "--log-opt", "max-file=5")
    lines_of(ingester, '{container="rotated"}', [b"round %d line %d" % (i, k) for i in range(1, 41) for k in range(1, 51)])
    assert ingester.count('{container!="rotated", container=~".+"}') == 0
    assert shipper.stop() == 0


def scrape_of(ingester, tmp_path, engine, scrape, more=""):
    return ("clients: [{url: %s/loki/api/v1/push, batchwait: 20ms}]\npositions: {filename: %s/positions.yaml}\n%s"
            "scrape_configs:\n- job_name: docker\n  docker_sd_configs: [{host: 'unix://%s', refresh_interval: 500ms%s\n"
            % (ingester.url, tmp_path, more, engine.socket, scrape))


def shown(ingester, selector):
    return [{k: v for k, v in e["labels"].items() if k != "service_name"} for e in ingester.export(selector)]


def test_promtails_relabelling_of_containers(ingester, make_shipper, engine, tmp_path):
    engine.run("shown", "echo out; echo err >&2", "--label", "logging=promtail", "--label", "logging.job-name=shop")
    engine.run("hidden", "echo never", "--label", "logging=none")
    shipper = make_shipper(config=scrape_of(ingester, tmp_path, engine, """, filters: [{name: label, values: [logging]}]}]
  relabel_configs:
    - {source_labels: [__meta_docker_container_label_logging], regex: promtail, action: keep}
    - {source_labels: [__meta_docker_container_name], regex: '/(.*)', target_label: container}
    - {source_labels: [__meta_docker_container_log_stream], target_label: logstream}
    - {source_labels: [__meta_docker_container_label_logging_job_name], target_label: job}
    - {source_labels: [__meta_docker_network_name], target_label: network}
    - {source_labels: [__meta_docker_container_id], regex: '(.{12}).*', target_label: id}
""")).start()
    lines_of(ingester, '{container="shown", logstream="stdout"}', [b"out"])
    lines_of(ingester, '{container="shown", logstream="stderr"}', [b"err"])
    labels = shown(ingester, '{logstream="stderr"}')[0]
    assert len(labels.pop("id")) == 12
    assert labels == {"container": "shown", "logstream": "stderr", "job": "shop", "network": "none"}
    # A rename is seen, and changes the labels of what comes then.
    engine.run("before", "while :; do echo tick; sleep 0.1; done", "--label", "logging=promtail")
    wait_for("ticks", lambda: ingester.count('{container="before"}') > 0)
    engine.docker("rename", "before", "after")
    wait_for("ticks under the new name", lambda: ingester.count('{container="after"}') > 3, 20)
    engine.docker("rm", "-f", "after")
    assert ingester.count('{container="hidden"}') == 0
    assert shipper.stop() == 0


@pytest.mark.parametrize("over", ["files", "api"])
def test_containers_go_on_from_promtails_second(ingester, make_shipper, engine, tcp, tmp_path, over):
    name = "moved-" + over
    container = engine.run(name, "echo old; sleep 2; echo new; sleep 1000")
    wait_for("its lines", lambda: b"new" in engine.docker("logs", name).stdout, 30)
    second = subprocess.run(["date", "-d", engine.docker("logs", "-t", name).stdout.decode().split()[-2], "+%s"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    (tmp_path / "positions.yaml").write_text("positions:\n  cursor-%s: \"%s\"\n" % (container, second))
    config = ("clients: [{url: %s/loki/api/v1/push, batchwait: 20ms}]\npositions: {filename: %s/positions.yaml}\n"
              "scrape_configs: [{job_name: d, docker_sd_configs: [{host: '%s', filters: [{name: name, values: [%s]}]}]}]\n"
              % (ingester.url, tmp_path, tcp if over == "api" else "unix://" + engine.socket, name))
    shipper = make_shipper(config=config).start()
    lines_of(ingester, '{container="%s"}' % name, [b"new"])
    assert shipper.stop() == 0
    engine.docker("rm", "-f", name)
    assert ingester.count('{container="%s"}' % name) == 1


def test_a_stream_that_rules_drop_is_not_read(ingester, make_shipper, engine, tmp_path):
    engine.run("half", "echo good; echo bad >&2; echo good again", "--label", "half=yes")
    shipper = make_shipper(config=scrape_of(ingester, tmp_path, engine, """, filters: [{name: label, values: [half]}]}]
  relabel_configs:
    - {source_labels: [__meta_docker_container_log_stream], regex: stderr, action: drop}
    - {source_labels: [__meta_docker_container_name], regex: '/(.*)', target_label: container}
"""), arguments=["--once"]).start()
    shipper.finish()
    assert sorted(ingester.export_lines('{container="half"}')) == [b"good", b"good again"]


def test_containers_opt_in_and_out_and_name_their_pipeline(ingester, make_shipper, engine, tmp_path):
    engine.run("in", '''echo '{"level":"warn","msg":"hello"}' ''', "--label", "cordwood.enable=true", "--label", "cordwood.pipeline=json")
    engine.run("out", "echo never", "--label", "cordwood.enable=false")
    engine.run("none", "echo '{}'", "--label", "wish=none")
    pipelines = "pipelines: {json: {stages: [{json: {expressions: {severity: level}}}, {labels: {severity: ''}}]}}\n"
    shipper = make_shipper(config=scrape_of(ingester, tmp_path, engine, "}]\n", pipelines)).start()
    lines_of(ingester, '{container="in", severity="warn"}', [b'{"level":"warn","msg":"hello"}'])
    lines_of(ingester, '{container="none"}', [b"{}"])
    assert ingester.count('{container="out"}') == 0
    assert shipper.stop() == 0
    only = make_shipper(config=scrape_of(ingester, tmp_path / "only", engine, ", only_enabled: true}]\n  pipeline_stages: [{labels: {other: container}}]\n", pipelines),
                        arguments=["--once"])
    (tmp_path / "only").mkdir()
    only.start().finish()
    assert ingester.count('{container="in"}') == 2 and ingester.count('{container="none"}') == 1


def test_the_driver_local_is_read_from_its_files(ingester, make_shipper, engine, tmp_path):
    script = ("echo first; echo to stderr >&2; for i in $(seq 1 40); do for k in $(seq 1 50); do echo round $i line $k; done; sleep 0.05; done")
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=docker", "--docker=" + engine.socket]).start()
    engine.run("local", script, "--log-driver", "local", "--log-opt", "max-size=20k", "--log-opt", "max-file=5", "--log-opt", "compress=false")
    want = [b"first"] + [b"round %d line %d" % (i, k) for i in range(1, 41) for k in range(1, 51)]
    wait_for("some lines", lambda: ingester.count('{container="local"}') > 100)
    shipper.kill()
    shipper.start()
    lines_of(ingester, '{container="local", stream="stdout"}', want)
    lines_of(ingester, '{container="local", stream="stderr"}', [b"to stderr"])
    engine.run("pieces", "head -c 50000 /dev/zero | tr '\\0' x; echo; echo end", "--log-driver", "local")
    lines_of(ingester, '{container="pieces"}', [b"x" * 50000, b"end"])
    assert shipper.stop() == 0


@pytest.mark.parametrize("compress", ["false", "true"])
@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_what_was_rotated_before_the_container_was_found(ingester, make_shipper, engine, driver, compress):
    name = "old-%s-%s" % (driver, compress)
    engine.run(name, "for i in $(seq 1 1000); do echo line number $i; done", "--log-driver", driver,
               "--log-opt", "max-size=20k", "--log-opt", "max-file=9", "--log-opt", "compress=" + compress)
    wait_for("its end", lambda: engine.docker("inspect", "-f", "{{.State.Running}}", name).stdout.strip() == b"false")
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=docker", "--docker=" + engine.socket]).start()
    for _ in range(3):
        lines_of(ingester, '{container="%s"}' % name, [b"line number %d" % i for i in range(1, 1001)])
        assert shipper.stop() == 0
        shipper.start()


# Each long line comes in four pieces, of which a file takes one or two before it is rotated: most lines lie in two files or three.
PIECES = "for i in $(seq 1 40); do seq -s , $((10000 + i * 1000)) 99999 | head -c 50000; echo \" line $i\"; echo short $i >&2; done"
PIECE_LINES = [",".join(map(str, range(10000 + i * 1000, 20000 + i * 1000))).encode()[:50000] + b" line %d" % i for i in range(1, 41)]


def rotated(driver, compress):
    return ["--log-driver", driver, "--log-opt", "max-size=20k", "--log-opt", "max-file=400", "--log-opt", "compress=%s" % str(compress).lower()]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_lines_whose_pieces_are_in_two_files(ingester, make_shipper, engine, driver, compress):
    """What a file ends with, and what the next one begins with, are entries of their own: all of the text is there, none of it twice. Of a
    container that has ended before it is found, and of one that is followed while its files are rotated."""
    name = "%s-%s" % (driver, "gz" if compress else "plain")
    engine.run("before-" + name, PIECES + "; sleep 1000", *rotated(driver, compress))

    def is_written():                                       # what an Engine has to write when a container ends it gives up after ten seconds
        logs = engine.docker("logs", "before-" + name)
        return logs.stdout.count(b" line ") == 40 and logs.stderr.count(b"short") == 40
    wait_for("its last line", is_written, 60, 0.5)
    engine.docker("kill", "before-" + name)
    wait_for("its end", lambda: engine.docker("inspect", "-f", "{{.State.Running}}", "before-" + name).stdout.strip() == b"false", 60)
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=docker", "--docker=" + engine.socket]).start()
    if not compress:
        engine.run("while-" + name, PIECES.replace("done", "sleep 0.05; done"), *rotated(driver, compress))
    for when in ("before-", "while-")[:2 - compress]:
        stdout = '{container="%s%s", stream="stdout"}' % (when, name)
        lines_of(ingester, '{container="%s%s", stream="stderr"}' % (when, name), [b"short %d" % i for i in range(1, 41)])
        wait_for("all of the text", lambda: sum(map(len, ingester.export_lines(stdout))) >= sum(map(len, PIECE_LINES)), 60, 0.1)
        got = ingester.export_lines(stdout)
        assert sum(map(len, got)) == sum(map(len, PIECE_LINES)) and len(set(got)) == len(got)
        assert all(any(entry in line for line in PIECE_LINES) for entry in got)
        assert sorted(entry.rpartition(b" line ")[2] for entry in got if b" line " in entry) == sorted(b"%d" % i for i in range(1, 41))
        folder = os.path.dirname(engine.docker("inspect", "-f", "{{.LogPath}}", when + name).stdout.decode().strip()) if driver == "json-file" else None
        assert 40 <= len(got) < 40 + (len(os.listdir(folder)) if folder else 200), len(got)
    assert shipper.stop() == 0


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_generations_that_were_compressed_between_two_looks(ingester, make_shipper, engine, driver):
    """The shipper is held up, and killed, while a container writes fast: the Engine rotates and compresses several times between two
    looks. All files are kept, so all lines are stored, each once."""
    name = "fast-" + driver
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=docker", "--docker=" + engine.socket]).start()
    engine.run(name, "i=0; until [ -e /end ]; do i=$((i+1)); for k in $(seq 1 100); do echo round $i line $k; done; sleep 0.1; done; echo end $i; sleep 1000",
               "--log-driver", driver, "--log-opt", "max-size=20k", "--log-opt", "max-file=1000", "--log-opt", "compress=true")
    selector = '{container="%s"}' % name

    def round_now():
        words = engine.docker("logs", "--tail", "1", name).stdout.split()
        return int(words[1]) if words else 0
    try:
        wait_for("the first lines", lambda: ingester.count(selector) > 0)
        for turn in range(6):
            shipper.process.send_signal(signal.SIGSTOP)
            want = round_now() + 12
            wait_for("rotations that it does not see", lambda: round_now() > want, 60, 0.05)
            if turn % 3 == 2:
                shipper.kill()
                shipper.start()
            else:
                shipper.process.send_signal(signal.SIGCONT)
            wait_for("their lines", lambda: ingester.count(selector) >= 100 * want, 60, 0.05)
        engine.docker("exec", name, "/bin/sh", "-c", ": > /end")
        wait_for("its end", lambda: engine.docker("logs", "--tail", "1", name).stdout.startswith(b"end"), 60, 0.1)
        want = [b"round %d line %d" % (i, k) for i in range(1, round_now() + 1) for k in range(1, 101)] + [b"end %d" % round_now()]
        lines_of(ingester, selector, want)
        shipper.kill()
        shipper.start()
        engine.run("after-" + name, "echo seen")
        lines_of(ingester, '{container="after-%s"}' % name, [b"seen"])
        lines_of(ingester, selector, want)
    finally:                                                # it writes on and on
        engine.docker("rm", "-f", name)
    assert shipper.stop() == 0


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_restarts_and_removal_of_a_container_lose_nothing(ingester, make_shipper, engine, driver):
    """Its file goes on when it is started again; one that is removed is read to its end, as it is open."""
    name = "again-" + driver
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=docker", "--docker=" + engine.socket]).start()
    engine.run(name, "for i in $(seq 1 500); do echo line $i; done; sleep 1000", "--log-driver", driver)
    want = [b"line %d" % i for i in range(1, 501)]
    lines_of(ingester, '{container="%s"}' % name, want)
    for n in (2, 3):
        engine.docker("restart", "-t", "0", name)
        lines_of(ingester, '{container="%s"}' % name, want * n)
    engine.docker("restart", "-t", "0", name)
    wait_for("its last lines to be written", lambda: engine.docker("logs", "--tail", "1", name).stdout == b"line 500\n" and
             len(engine.docker("logs", name).stdout.splitlines()) == 2000, 30, 0.05)
    engine.docker("rm", "-f", name)
    lines_of(ingester, '{container="%s"}' % name, want * 4)
    # Another one of the same name is another one.
    engine.run(name, "echo anew", "--log-driver", driver)
    lines_of(ingester, '{container="%s"}' % name, want * 4 + [b"anew"])
    assert shipper.stop() == 0


# A driver whose logs are in no file: the Engine keeps them for its API.
SYSLOG = ["--log-driver", "syslog", "--log-opt", "syslog-address=udp://127.0.0.1:9"]


def test_logs_without_files_are_followed_over_the_api(ingester, make_shipper, engine, tmp_path):
    script = ("echo first; echo to stderr >&2; head -c 50000 /dev/zero | tr '\\0' x; echo; "
              "for i in $(seq 1 60); do for k in $(seq 1 50); do echo round $i line $k; done; sleep 0.05; done")
    shipper = make_shipper(config=scrape_of(ingester, tmp_path, engine, ", filters: [{name: name, values: [followed]}]}]\n")).start()
    engine.run("followed", script, *SYSLOG)
    want = [b"first", b"x" * 50000] + [b"round %d line %d" % (i, k) for i in range(1, 61) for k in range(1, 51)]
    for part in range(1, 5):
        wait_for("some lines", lambda: ingester.count('{container="followed"}') > 500 * part)
        shipper.kill()
        shipper.start()
    lines_of(ingester, '{container="followed", stream="stdout"}', want)
    lines_of(ingester, '{container="followed", stream="stderr"}', [b"to stderr"])
    # It runs again: what it says now comes behind what it said.
    engine.docker("start", "followed")
    lines_of(ingester, '{container="followed", stream="stdout"}', 2 * want)
    # One that runs for a moment only.
    engine.run("followed-short", "echo short", *SYSLOG)
    lines_of(ingester, '{container="followed-short"}', [b"short"])
    for i in range(2, 5):
        engine.docker("start", "followed-short")
        lines_of(ingester, '{container="followed-short"}', [b"short"] * i)
    engine.docker("rm", "-f", "followed-short")
    # It is removed: its spool is, when all of it has arrived.
    engine.docker("rm", "-f", "followed")
    spools = tmp_path / "positions.yaml.cordwood.spool" / "docker_logs"
    wait_for("its spool to be removed", lambda: not any(files for _, _, files in os.walk(spools)), 30, 0.1)
    assert shipper.stop() == 0


@pytest.fixture
def tcp(engine):
    listener, port = forwarded(engine)
    yield "tcp://127.0.0.1:%d" % port
    listener.close()


def certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                    "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def nginx(engine, tmp_path, started):
    """A reverse proxy with TLS and passwords in front of the Engine's socket, as people put one there; it cuts a stream that is
    silent for a second, and does not let events through. Its port."""
    port, folder = free_port(), tmp_path / "nginx"
    folder.mkdir()
    certificate(folder, "docker.internal")
    (folder / "users").write_text("reader:{PLAIN}s3cret\n")
    (folder / "nginx.conf").write_text("""
        daemon off; pid %(f)s/pid; error_log %(f)s/error.log; worker_processes 1; user root;
        events {}
        http {
            access_log %(f)s/access.log;
            client_body_temp_path %(f)s/b; proxy_temp_path %(f)s/p; fastcgi_temp_path %(f)s/f; uwsgi_temp_path %(f)s/u; scgi_temp_path %(f)s/s;
            server { listen 127.0.0.1:%(port)d ssl; ssl_certificate %(f)s/cert.pem; ssl_certificate_key %(f)s/key.pem;
                     auth_basic engine; auth_basic_user_file %(f)s/users;
                     location ~ /events { return 403; }
                     location / { proxy_pass http://unix:%(socket)s:; proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 1s; } }
        }""" % {"f": folder, "port": port, "socket": engine.socket})
    started.add(Program(["/usr/sbin/nginx", "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"], str(folder / "log"))).start()
    return port


def test_an_engine_behind_a_proxy_with_passwords(ingester, make_shipper, engine, nginx, tmp_path):
    (tmp_path / "password").write_text("wrong")
    config = ("clients: [{url: %s/loki/api/v1/push, batchwait: 20ms}]\npositions: {filename: %s/positions.yaml}\n"
              "scrape_configs: [{job_name: proxy, docker_sd_configs: [{host: 'https://127.0.0.1:%d', refresh_interval: 1s, host_networking_host: example.org, port: 9999,\n"
              "  filters: [{name: label, values: [proxied, stage=prod]}, {name: status, values: [running, exited]}],\n"
              "  basic_auth: {username: reader, password_file: %s/password}, tls_config: {ca_file: %s/nginx/cert.pem, server_name: docker.internal}}],\n"
              "  relabel_configs: [{source_labels: [__meta_docker_container_name], regex: '/(.*)', target_label: container}, {source_labels: [__address__], target_label: address},\n"
              "    {source_labels: [__meta_docker_container_network_mode], target_label: mode}, {source_labels: [__meta_docker_container_label_com_docker_swarm_service_name], target_label: service},\n"
              "    {source_labels: [__meta_docker_container_label_com_docker_swarm_task_name], target_label: task}]}]\n"
              % (ingester.url, tmp_path, nginx, tmp_path, tmp_path))
    shipper = make_shipper(config=config).start()
    wait_for("the refusal to be told", lambda: "401" in shipper.log())
    (tmp_path / "password").write_text("s3cret\n")            # read for each request
    shown = ("--label", "proxied=yes", "--label", "stage=prod")
    engine.run("unseen", "echo never", "--label", "proxied=yes")
    rows = "for i in $(seq 1 60); do for k in $(seq 1 50); do echo round $i line $k; done; sleep 0.05; done"
    engine.run("turning", rows, *shown, "--log-opt", "max-size=20k", "--log-opt", "max-file=40")    # rotated while it is followed, and none goes
    engine.docker("run", "-d", "--network", "host", "--name", "hosted", *shown, "--label", "com.docker.swarm.service.name=shop_web",
                  "--label", "com.docker.swarm.task.name=shop_web.1.x", "bb:1", "/bin/sh", "-c", "echo hosted; sleep 4; echo after the silence; sleep 1000")
    want = [b"round %d line %d" % (i, k) for i in range(1, 61) for k in range(1, 51)]
    wait_for("some lines", lambda: ingester.count('{container="turning"}') > 500, 60)
    shipper.kill()
    shipper.start()
    lines_of(ingester, '{container="turning"}', want)
    lines_of(ingester, '{container="hosted", address="example.org", mode="host", service="shop_web", task="shop_web.1.x"}', [b"hosted", b"after the silence"])
    engine.docker("restart", "-t", "0", "hosted")
    lines_of(ingester, '{container="hosted"}', [b"hosted", b"after the silence"] * 2)
    engine.docker("rm", "-f", "hosted", "turning")
    spools = tmp_path / "positions.yaml.cordwood.spool" / "docker_logs"
    wait_for("their spools to be removed", lambda: not any(files for _, _, files in os.walk(spools)), 30, 0.1)
    assert ingester.count('{container="unseen"}') == 0
    assert shipper.stop() == 0
    with open(tmp_path / "nginx" / "access.log") as f:
        text = f.read()
    assert "/events" in text and " 504 " not in text.replace("/logs", ""), text[-2000:]


def test_why_an_engine_fails_is_told_when_it_becomes_another_reason(ingester, make_shipper, tmp_path):
    port = free_port()
    shipper = make_shipper(config="clients: [{url: %s/loki/api/v1/push}]\npositions: {filename: %s/positions.yaml}\n"
                                  "scrape_configs: [{job_name: docker, docker_sd_configs: [{host: 'tcp://127.0.0.1:%d'}]}]\n" % (ingester.url, tmp_path, port)).start()
    wait_for("the silence to be told", lambda: "Failed to connect" in shipper.log())
    with refusing(port):
        wait_for("the refusal to be told", lambda: "status 403" in shipper.log())


def test_an_engine_behind_tls_with_client_certificates(ingester, make_shipper, engine, tmp_path):
    make_certificates(tmp_path, "DNS:docker.internal")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    listener, port = forwarded(engine, context)
    try:
        engine.run("behind", "echo over TLS")

        def config(more):
            return ("clients: [{url: %s/loki/api/v1/push, batchwait: 20ms}]\npositions: {filename: %s/positions.yaml}\n"
                    "scrape_configs: [{job_name: tls, docker_sd_configs: [{host: 'tcp://127.0.0.1:%d', filters: [{name: name, values: [behind]}], "
                    "tls_config: {ca_file: %s/ca.pem, server_name: docker.internal%s}}]}]\n" % (ingester.url, tmp_path, port, tmp_path, more))
        refused = make_shipper(config=config("")).start()
        wait_for("the refusal to be told", lambda: "docker at tcp://" in refused.log())
        refused.kill()
        shipper = make_shipper(config=config(", cert_file: %s/client.pem, key_file: %s/client.key" % (tmp_path, tmp_path)), arguments=["--once"]).start()
        shipper.finish()
        lines_of(ingester, '{container="behind"}', [b"over TLS"])
    finally:
        listener.close()


def test_an_engine_at_a_tcp_port(ingester, make_shipper, engine, tcp, tmp_path):
    engine.run("far", "echo plain; echo bad >&2; seq 1 500")
    engine.run("screen", "echo hello; head -c 40000 /dev/zero | tr '\\0' y; echo; echo end", "-t")
    config = ("clients: [{url: %s/loki/api/v1/push, batchwait: 20ms}]\npositions: {filename: %s/positions.yaml}\n"
              "scrape_configs: [{job_name: far, docker_sd_configs: [{host: '%s', filters: [{name: name, values: [far, screen]}]}]}]\n"
              % (ingester.url, tmp_path, tcp))
    shipper = make_shipper(config=config, arguments=["--once"]).start()
    shipper.finish()
    lines_of(ingester, '{container="far", stream="stdout"}', [b"plain"] + [b"%d" % i for i in range(1, 501)])
    lines_of(ingester, '{container="far", stream="stderr"}', [b"bad"])
    lines_of(ingester, '{container="screen"}', [b"hello", b"y" * 40000, b"end"])
    # Again: nothing is new, and nothing comes twice.
    shipper.start()
    shipper.finish()
    assert ingester.count('{container="far"}') == 502 and ingester.count('{container="screen"}') == 3
