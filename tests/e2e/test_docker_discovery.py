"""What docker_sd_configs finds, against a real Engine and beside a real Prometheus: labels of networks and ports, the Engine's filters."""
import json
import re
import subprocess
import time
import urllib.request

import pytest

from docker_engine import running_engine
from programs import SHIPPER, Program, free_port, wait_for

PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')


@pytest.fixture(scope="module")
def engine():
    with running_engine() as engine:
        engine.image()
        for name in ("aaa", "zzz"):
            engine.docker("network", "create", "--label", "zone=%s-side" % name, name)
        yield engine


@pytest.fixture(scope="module")
def containers(engine):
    """Of all kinds; each says its name, and most go on."""
    def run(name, network, *more, then="sleep 1000"):
        engine.docker("run", "-d", "--name", name, "--network", network, *more, "bb:1", "/bin/sh", "-c", "echo %s; %s" % (name, then))
    run("first", "zzz", "--expose", "9090/udp", "--label", "tier=front")
    engine.public_port = free_port()
    run("web", "zzz", "-p", "127.0.0.1:%d:8080" % engine.public_port, "--expose", "9090/udp", "--expose", "7000", "--label", "tier=front", "--label", "com.docker.compose.project=shop",
        "--label", "odd.label-name/x=a \"b\"")
    engine.docker("network", "connect", "aaa", "web")
    run("plain", "none", "-v", "kept:/data")
    run("hosted", "host", "--label", "tier=back")
    run("joined", "container:web")
    run("failed", "none", "--label", "tier=back", then="exit 3")
    engine.docker("create", "--name", "made", "--network", "aaa", "bb:1", "/bin/sh", "-c", "echo made")
    engine.docker("tag", "bb:1", "other:2")
    engine.docker("run", "-d", "--name", "last", "--network", "none", "other:2", "/bin/sh", "-c", "echo last; sleep 1000")
    engine.plain_id = engine.docker("inspect", "-f", "{{.Id}}", "plain").stdout.decode()[:12]
    wait_for("the end of one", lambda: engine.docker("inspect", "-f", "{{.State.Running}}", "failed").stdout == b"false\n")
    return engine


def found(engine, folder, keys=""):
    """{container: labels} of what the shipper reads, its meta labels as m_..."""
    config = folder / "shipper.yaml"
    config.write_text("""clients: [{url: 'http://127.0.0.1:9/loki/api/v1/push'}]
positions: {filename: %s/positions}
scrape_configs:
- job_name: d
  docker_sd_configs: [{host: 'unix://%s'%s}]
  relabel_configs:
  - {action: labelmap, regex: __meta_docker_(.+), replacement: m_$1}
  - {source_labels: [__address__], target_label: m_address}
  - {source_labels: [__meta_docker_container_name], target_label: name}
""" % (folder, engine.socket, keys))
    done = subprocess.run([SHIPPER, "--config", config, "--dry-run", "--once"], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    out = {}
    for row in done.stdout.decode().splitlines():
        _, labels, line = row.split("\t")
        out[line] = {name: json.loads(value) for name, value in PAIR.findall(labels)}
        assert out[line]["name"] == "/" + line
    return out


def targets_of_prometheus(engine, folder, started, keys=""):
    """[discovered labels] of the same Engine."""
    port = free_port()
    (folder / "prometheus.yml").write_text("scrape_configs: [{job_name: d, scrape_interval: 6w, docker_sd_configs: [{host: 'unix://%s', refresh_interval: 1s%s}],\n"
                                           # or those with one address were one target
                                           "  relabel_configs: [{source_labels: [__meta_docker_container_name], target_label: name}]}]\n" % (engine.socket, keys))
    program = started.add(Program(["prometheus", "--config.file=%s/prometheus.yml" % folder, "--storage.tsdb.path=%s/tsdb" % folder,
                                   "--web.listen-address=127.0.0.1:%d" % port], str(folder / "prometheus.log"))).start()

    def targets():
        assert program.running(), program.log()[-3000:]
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/api/v1/targets" % port) as answer:
                data = json.load(answer)["data"]
        except OSError:
            return None
        return [t["discoveredLabels"] for t in data["activeTargets"] + data["droppedTargets"]]
    out = wait_for("targets", targets, 60, 0.2)
    time.sleep(2)                                           # another refresh: all of them
    out = targets()
    program.stop()
    return out


@pytest.mark.parametrize("first", [True, False])
def test_labels_are_those_of_prometheus(containers, tmp_path, started, first):
    keys = ", port: 4321, host_networking_host: host.example"
    theirs = targets_of_prometheus(containers, tmp_path, started, keys)
    ours = found(containers, tmp_path, keys + ", match_first_network: %s" % str(first).lower())
    running = {"first", "web", "plain", "hosted", "last"}    # and "joined", of which this version of Prometheus makes no target
    assert {labels["__meta_docker_container_name"] for labels in theirs} == {"/" + name for name in running}
    for name in running:
        mine = {k[2:]: v for k, v in ours[name].items() if k.startswith("m_")}
        address, stream = mine.pop("address"), mine.pop("container_log_stream")
        assert stream == "stdout"
        # Prometheus has a target for each network and TCP port; a log is read once: of the first (or last) network by name, and its first port.
        candidates = [{**{k[len("__meta_docker_"):]: v for k, v in t.items() if k.startswith("__meta_docker_") and v}, "address": t["__address__"]}
                      for t in theirs if t["__meta_docker_container_name"] == "/" + name]
        assert {**mine, "address": address} in candidates, (name, mine, address, candidates)
    web = {k[2:]: v for k, v in ours["web"].items()}
    assert web["network_name"] == ("aaa" if first else "zzz") and web["network_label_zone"] == web["network_name"] + "-side"
    assert web["container_label_odd_label_name_x"] == 'a "b"' and web["container_network_mode"] == "zzz"
    assert ours["hosted"]["m_address"] == "host.example" and ours["first"]["m_address"].endswith(":4321") and ours["plain"]["m_address"] == ":4321"
    assert ours["joined"]["m_network_ip"] == web["network_ip"]


# name: values, and the containers that it leaves
FILTERS = [
    ("name", ["web", "fir"], {"web", "first"}),
    ("name", ["^/web$"], {"web"}),
    ("label", ["tier"], {"first", "web", "hosted", "failed"}),
    ("label", ["tier=back"], {"hosted", "failed"}),
    ("label", ["tier=front", "com.docker.compose.project=shop"], {"web"}),
    ("status", ["exited"], {"failed"}),
    ("status", ["running"], {"first", "web", "plain", "hosted", "joined", "last"}),
    ("exited", ["3"], {"failed"}),
    ("ancestor", ["other:2"], {"first", "web", "plain", "hosted", "joined", "failed", "last"}),      # another name of the same image
    ("network", ["aaa"], {"web"}),
    ("network", ["none"], {"plain", "failed", "last"}),
    ("volume", ["kept"], {"plain"}),
    ("volume", ["/data"], {"plain"}),
    ("expose", ["7000"], {"web"}),
    ("publish", "public_port", {"web"}),
    ("before", ["web"], {"first"}),
    ("since", ["failed"], {"last"}),
    ("is-task", ["true"], set()),
    ("health", ["none"], {"first", "web", "plain", "hosted", "joined", "failed", "last"}),
    ("id", "plain_id", {"plain"}),
]


@pytest.mark.parametrize("name, values, want", FILTERS, ids=["%s-%d" % (row[0], i) for i, row in enumerate(FILTERS)])
def test_each_filter_of_the_engine(containers, tmp_path, name, values, want):
    if isinstance(values, str):
        values = [str(getattr(containers, values))]
    theirs = containers.docker("ps", "-a", "--format", "{{.Names}}", *(word for value in values for word in ("--filter", "%s=%s" % (name, value)))).stdout.decode().split()
    assert set(theirs) - {"made"} == want                    # "made" never ran: it has no line
    assert set(found(containers, tmp_path, ", filters: [{name: %s, values: %s}]" % (name, json.dumps(values)))) == want


def test_filters_are_all_to_hold(containers, tmp_path):
    assert set(found(containers, tmp_path, ", filters: [{name: label, values: [tier]}, {name: status, values: [exited]}]")) == {"failed"}


def test_a_filter_that_the_engine_does_not_know_is_told(containers, tmp_path, make_shipper):
    shipper = make_shipper(config="clients: [{url: 'http://127.0.0.1:9/loki/api/v1/push'}]\npositions: {filename: %s/p}\n"
                           "scrape_configs: [{job_name: d, docker_sd_configs: [{host: 'unix://%s', filters: [{name: colour, values: [red]}]}]}]\n" % (tmp_path, containers.socket)).start()
    wait_for("the refusal", lambda: "colour" in shipper.log() or "invalid filter" in shipper.log().lower())
    shipper.kill()
