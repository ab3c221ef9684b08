"""The images: what is in them and how large they are, and the shipper as a sidecar in a real Docker Engine."""
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time

import pytest
import yaml

from docker_engine import running_engine
from load import differences
from programs import BUILD, CLI, SHIPPER, TOP, free_port, wait_for

IMAGE_TREE = os.path.join(TOP, "deploy", "docker", "image-tree")
SHIPPER_IMAGE_BYTES = 12 * 10 ** 6
REST_KB, REST_OWN_KB = 16 << 10, 4 << 10
START_CPU_MS = 20
STOP_SECONDS = 5            # server.graceful_shutdown_timeout, by default
DOCKER = os.path.join(TOP, "deploy", "docker")


@pytest.fixture(scope="module")
def engine():
    with running_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image") / "tree"
    subprocess.run([IMAGE_TREE, str(folder), os.path.join(BUILD, "shipper", "cordwood-shipper")], check=True)
    return folder


def test_the_shipper_s_image_is_small_and_holds_nothing_else(tree):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as tar:
        tar.add(tree, ".")
    assert packed.tell() < SHIPPER_IMAGE_BYTES, packed.tell()
    programs = [p for p in tree.rglob("*") if p.is_file() and os.access(p, os.X_OK) and ".so" not in p.name and "ld-linux" not in p.name]
    assert [p.name for p in programs] == ["cordwood-shipper"]
    assert (tree / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 10000


def test_a_sidecar_without_privileges_ships_what_its_neighbour_writes(ingester, engine, tree, tmp_path):
    tar = subprocess.Popen(["tar", "-C", str(tree), "--numeric-owner", "-c", "."], stdout=subprocess.PIPE)
    subprocess.run(["docker", "-H", "unix://" + engine.socket, "import", "-c", 'ENTRYPOINT ["/usr/bin/cordwood-shipper"]', "-c", "USER 65532:65532",
                    "-c", "VOLUME /var/lib/cordwood-shipper", "-", "cordwood-shipper"], stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL)
    engine.image()
    logs = tmp_path / "logs"
    logs.mkdir()
    logs.chmod(0o777)
    shipper = engine.docker("run", "-d", "--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--name", "sidecar",
                            "-v", "%s:/var/log/app:ro" % logs, "cordwood-shipper", "--push", ingester.url, "--label", "job=sidecar",
                            "--state-dir", "/var/lib/cordwood-shipper", "/var/log/app").stdout.decode().strip()
    engine.run("app", "for i in $(seq 1 500); do echo app line $i >> /logs/app.log; done; sleep 1000", "-v", "%s:/logs" % logs)
    want = [b"app line %d" % i for i in range(1, 501)]
    wait_for("the lines", lambda: ingester.count('{job="sidecar"}') >= 500, 60, 0.1)
    pid = engine.docker("inspect", "-f", "{{.State.Pid}}", shipper).stdout.decode().strip()
    with open("/proc/%s/status" % pid) as f:
        status = dict(row.rstrip("\n").split(":\t", 1) for row in f if ":\t" in row)
    assert status["Uid"].split() == ["65532"] * 4 and status["CapEff"].strip("0") == ""
    assert int(status["VmRSS"].split()[0]) <= REST_KB and int(status["RssAnon"].split()[0]) <= REST_OWN_KB, status
    with open(logs / "app.log", "ab") as f:
        f.write(b"the last words\n")                        # delivered by SIGTERM, whatever batchwait says
    engine.docker("stop", "sidecar")
    assert engine.docker("inspect", "-f", "{{.State.ExitCode}}", shipper).stdout.decode().strip() == "0"
    assert differences(want + [b"the last words"], ingester.export_lines('{job="sidecar"}')) is None
    engine.docker("start", "sidecar")                       # its state is in its volume: nothing comes twice
    with open(logs / "app.log", "ab") as f:
        f.write(b"once more\n")
    wait_for("the line", lambda: b"once more" in ingester.export_lines('{job="sidecar"}'), 60, 0.1)
    assert differences(want + [b"the last words", b"once more"], ingester.export_lines('{job="sidecar"}')) is None


def test_a_job_is_read_to_its_end(ingester, engine, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "task.log").write_bytes(b"one\ntwo\nthree")
    done = engine.docker("run", "--rm", "--network", "host", "--read-only", "-v", "%s:/logs:ro" % logs, "cordwood-shipper", "--once",
                         "--push", ingester.url, "--label", "job=task", "--state-dir", "/var/lib/cordwood-shipper", "/logs/*.log")
    assert done.returncode == 0
    assert ingester.export_lines('{job="task"}') == [b"one", b"two", b"three"]


def test_both_images_are_made_from_built_programs(engine):
    text = subprocess.run([os.path.join(TOP, "deploy", "docker", "build-images"), BUILD], check=True, stdout=subprocess.PIPE,
                          env={**os.environ, "DOCKER_HOST": "unix://" + engine.socket}).stdout.decode()
    assert "cordwood-shipper: " in text and "cordwood-ingester: " in text
    for program in ("cordwood", "cordwood-ingester"):
        done = engine.docker("run", "--rm", "--network", "none", "--read-only", "--entrypoint", "/usr/bin/" + program, "cordwood-ingester", "--version")
        assert done.stdout.decode().startswith(program + " ")
    engine.docker("run", "-d", "--network", "none", "--read-only", "--cap-drop", "ALL", "--name", "server", "cordwood-ingester")
    wait_for("a server that listens", lambda: b"listening" in engine.docker("logs", "server").stderr, 60)
    engine.docker("stop", "server")
    assert engine.docker("inspect", "-f", "{{.State.ExitCode}}", "server").stdout.decode().strip() == "0"


def test_it_starts_at_once(tmp_path):
    """The processor's time from the start to the end of reading a file: the least of some, as others take from this machine meanwhile."""
    (tmp_path / "a.log").write_text("hello\n")
    best = 1e9
    for _ in range(10):
        process = subprocess.Popen([SHIPPER, "--push", "http://127.0.0.1:9", "--dry-run", "--once", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.stdout.close()
        assert status == 0 and text.endswith(b"\thello\n")
        best = min(best, (usage.ru_utime + usage.ru_stime) * 1000)
    assert best <= START_CPU_MS, best


def test_a_stop_without_a_server_has_a_bound(engine, public_path):
    (public_path / "a.log").write_text("never delivered\n")
    engine.docker("run", "-d", "--network", "none", "--read-only", "--cap-drop", "ALL", "--name", "cut-off", "-v", "%s:/logs:ro" % public_path, "cordwood-shipper",
                  "--push", "http://192.0.2.1:3100", "--state-dir", "/var/lib/cordwood-shipper", "/logs")
    wait_for("the file to be read", lambda: b"reading 1 file" in engine.docker("logs", "cut-off").stderr, 60, 0.1)
    began = time.monotonic()
    engine.docker("stop", "--time", "60", "cut-off")
    assert time.monotonic() - began < STOP_SECONDS + 15
    assert engine.docker("inspect", "-f", "{{.State.ExitCode}} {{.State.OOMKilled}}", "cut-off").stdout == b"0 false\n"


def image_config(engine, name):
    config = json.loads(engine.docker("inspect", "-f", "{{json .Config}}", name).stdout)
    return {key: config[key] for key in ("Entrypoint", "Cmd", "User", "Volumes", "ExposedPorts")}


@pytest.mark.parametrize("program", ["shipper", "ingester"])
def test_a_dockerfile_makes_the_same_image(engine, tmp_path, program):
    """Its second stage, really built; its first one compiles, for which these programs stand: they were made by the same commands."""
    with open(os.path.join(DOCKER, "Dockerfile." + program)) as f:
        first, _, second = f.read().partition("FROM scratch\n")
    commands = [row[4:] for row in first.splitlines() if row.startswith("RUN ")]
    assert commands[0] == "deploy/install-packages build" and commands[1].startswith("meson setup build --buildtype=release -Dtests=false && ninja -C build ")
    made = commands[1].partition("ninja -C build ")[2].split()
    tree, = re.findall(r"^deploy/docker/image-tree (/tree) (.*)$", commands[2])
    assert tree[1].split() == ["build/" + target for target in made] and all(os.access(os.path.join(BUILD, target), os.X_OK) for target in made)
    for row in first.splitlines():
        if row.startswith("COPY ") and row != "COPY . .":
            assert os.path.exists(os.path.join(TOP, row.split()[1])), row
    subprocess.run([IMAGE_TREE, str(tmp_path / "tree")] + [os.path.join(BUILD, target) for target in made], check=True)
    (tmp_path / "Dockerfile").write_text("FROM scratch AS build\nCOPY tree /tree\nFROM scratch\n" + second)
    done = subprocess.run(["docker", "-H", "unix://" + engine.socket, "build", "-t", "by-file-" + program, str(tmp_path)], env={**os.environ, "DOCKER_BUILDKIT": "0"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()[-3000:]
    assert image_config(engine, "by-file-" + program) == image_config(engine, "cordwood-" + program)
    done = engine.docker("run", "--rm", "--network", "none", "--read-only", "by-file-" + program, "--version")
    assert done.stdout.decode().startswith("cordwood-%s " % program)


@pytest.fixture
def compose(engine, tmp_path):
    """compose(arguments) with deploy/docker/compose.yaml, at a port that is free; and the port."""
    port = free_port()
    with open(os.path.join(DOCKER, "compose.yaml")) as f:
        text = f.read()
    assert text.count("127.0.0.1:3100:3100") == 1
    (tmp_path / "compose.yaml").write_text(text.replace("127.0.0.1:3100:3100", "127.0.0.1:%d:3100" % port))

    def run(*arguments, check=True):
        done = subprocess.run([shutil.which("docker-compose"), "-f", str(tmp_path / "compose.yaml"), "-p", "cwtest", *arguments],
                              env={**os.environ, "DOCKER_HOST": "unix://" + engine.socket}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert not check or done.returncode == 0, done.stdout.decode()[-3000:]
        return done.stdout.decode()
    yield run, port
    run("down", "--volumes", check=False)


def test_the_compose_file_runs(engine, compose):
    run, port = compose
    run("up", "-d")

    def stored():
        done = subprocess.run([CLI, "query", "--addr", "http://127.0.0.1:%d" % port, "--quiet", "-o", "raw", "--limit", "0", '{job="app"}'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return done.stdout.splitlines()
    engine.run("writer", "for i in $(seq 1 300); do echo line $i >> /logs/shop.log; done", "-v", "cwtest_logs:/logs")
    want = [b"line %d" % i for i in range(1, 301)]
    wait_for("the lines", lambda: len(stored()) >= 300, 60, 0.2)
    assert differences(want, stored()) is None
    run("stop")
    states = engine.docker("ps", "-a", "--filter", "label=com.docker.compose.project=cwtest", "--format", "{{.Status}}").stdout.decode().splitlines()
    assert len(states) == 2 and all(state.startswith("Exited (0)") for state in states), states
    engine.docker("start", "writer")
    run("up", "-d")
    wait_for("twice the lines", lambda: len(stored()) >= 600, 60, 0.2)
    assert differences(want * 2, stored()) is None
    with open(os.path.join(DOCKER, "compose.yaml")) as f:
        services = yaml.safe_load(f)["services"]
    for service in services.values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]


def test_the_image_knows_the_usual_encodings_and_the_journal(engine, public_path):
    texts = {"latin1": "café", "windows-1252": "“quoted” €", "gbk": "你好", "shift_jis": "日本", "koi8-r": "привет", "iso-8859-2": "żółw"}
    codecs = {"shift_jis": "cp932"}
    scrapes = "- {job_name: journal, journal: {path: /logs/journal}}\n"
    (public_path / "journal").mkdir()
    for name, text in texts.items():
        (public_path / (name + ".log")).write_bytes(text.encode(codecs.get(name, name)) + b"\n")
        scrapes += "- {job_name: %s, encoding: %s, static_configs: [{labels: {__path__: /logs/%s.log}}]}\n" % (name, name, name)
    (public_path / "config.yml").write_text("clients: [{url: 'http://192.0.2.1/loki/api/v1/push'}]\nscrape_configs:\n" + scrapes)
    done = engine.docker("run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "-v", "%s:/logs:ro" % public_path, "-v", "/var/lib/cordwood-shipper",
                         "cordwood-shipper", "--config", "/logs/config.yml", "--once", "--dry-run")
    assert sorted(row.split("\t")[-1] for row in done.stdout.decode().splitlines()) == sorted(texts.values())
