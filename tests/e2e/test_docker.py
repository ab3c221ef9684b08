"""Containers of a real Docker Engine: dockerd on a private socket, an image made of busybox alone."""
import os
import subprocess
import tarfile

import pytest

from load import differences
from programs import Program, wait_for


class Engine(Program):
    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.socket = os.path.join(self.folder, "sock")
        argv = ["/usr/sbin/dockerd", "--storage-driver=vfs", "--iptables=false", "--ip6tables=false", "--bridge=none",
                "--data-root", os.path.join(self.folder, "data"), "--exec-root", os.path.join(self.folder, "exec"),
                "--pidfile", os.path.join(self.folder, "pid"), "-H", "unix://" + self.socket]
        super().__init__(argv, os.path.join(self.folder, "dockerd.log"))

    def docker(self, *arguments, check=True):
        done = subprocess.run(["docker", "-H", "unix://" + self.socket, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert not check or done.returncode == 0, (arguments, done.stderr, self.log()[-2000:])
        return done

    def start(self):
        super().start()
        wait_for("Docker Engine", lambda: self.docker("info", check=False).returncode == 0, 60)
        return self

    def image(self):
        path = os.path.join(self.folder, "busybox.tar")
        with tarfile.open(path, "w") as tar:
            tar.add("/bin/busybox", "bin/busybox")
            for name in ("sh", "sleep", "head", "tr", "seq"):
                link = tarfile.TarInfo("bin/" + name)
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        self.docker("import", path, "bb:1")
        return self

    def run(self, name, script, *more):
        return self.docker("run", "-d", "--network", "none", "--name", name, *more, "bb:1", "/bin/sh", "-c", script).stdout.decode().strip()


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    # A socket's path may have 108 bytes: pytest's own folders are too deep.
    folder = tmp_path_factory.mktemp("d")
    engine = Engine(folder if len(str(folder)) < 60 else os.path.join("/tmp", "cw-docker-%d" % os.getpid()))
    try:
        yield engine.start().image()
    finally:
        for name in engine.docker("ps", "-aq", check=False).stdout.decode().split():
            engine.docker("rm", "-f", name, check=False)
        try:
            engine.stop()
        finally:
            subprocess.run(["rm", "-rf", engine.folder])


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


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_what_was_rotated_before_the_container_was_found(ingester, make_shipper, engine, driver):
    engine.run("old-" + driver, "for i in $(seq 1 1000); do echo line number $i; done", "--log-driver", driver,
               "--log-opt", "max-size=20k", "--log-opt", "max-file=9", "--log-opt", "compress=false")
    wait_for("its end", lambda: engine.docker("inspect", "-f", "{{.State.Running}}", "old-" + driver).stdout.strip() == b"false")
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=docker", "--docker=" + engine.socket]).start()
    lines_of(ingester, '{container="old-%s"}' % driver, [b"line number %d" % i for i in range(1, 1001)])
    assert shipper.stop() == 0
