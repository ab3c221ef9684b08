"""The images: what is in them and how large they are, and the shipper as a sidecar in a real Docker Engine."""
import io
import os
import subprocess
import tarfile

import pytest

from docker_engine import running_engine
from load import differences
from programs import BUILD, TOP, wait_for

IMAGE_TREE = os.path.join(TOP, "deploy", "docker", "image-tree")
SHIPPER_IMAGE_BYTES = 12 * 10 ** 6
REST_KB, REST_OWN_KB = 16 << 10, 4 << 10


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
