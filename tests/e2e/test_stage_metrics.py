"""What stages count: metrics of the user's and redacted findings at /metrics, kept across restarts if asked; and no secret leaves."""
import re
import subprocess
import urllib.request

from programs import wait_for

CONFIG = """
server: {http_listen_address: 127.0.0.1, http_listen_port: 0}
clients: [{url: "%s/loki/api/v1/push", batchwait: 100ms}]
positions: {filename: %s/positions, sync_period: 50ms, keep_metrics: %s}
scrape_configs:
- job_name: s
  static_configs: [{labels: {job: s, __path__: "%s/logs/*.log"}}]
  pipeline_stages:
  - redact: {detectors: [email, card, github_token], action: hash, salt: pepper}
  - redact: {detectors: [ipv4], dry_run: true}
  - logfmt: {mapping: {took: }}
  - metrics:
      lines_total: {type: Counter, description: "Lines, all \\"of\\" them", config: {match_all: true, action: inc}}
      took_seconds: {type: Histogram, source: took, config: {buckets: [0.1, 1]}}
      last_took: {type: Gauge, source: took, config: {action: set}}
"""
LINES = ["user=bob@example.org took=20ms from=10.0.0.1", "pan=4111-1111-1111-1111 took=2s", "token=ghp_" + "a1B2" * 9 + " took=0.5"]


def address_of(shipper):
    return wait_for("address", lambda: re.search(r"at (http://[^\s\"]+)", shipper.log())).group(1)


def metrics_of(shipper):
    return urllib.request.urlopen(address_of(shipper) + "/metrics").read().decode()


def start(make_shipper, ingester, tmp_path, name, keep):
    return make_shipper(name, config=CONFIG % (ingester.url, tmp_path, keep, tmp_path)).start()


def write(tmp_path, lines):
    (tmp_path / "logs").mkdir(exist_ok=True)
    with open(tmp_path / "logs" / "a.log", "a") as f:
        f.write("".join(line + "\n" for line in lines))


def test_metrics_are_what_promtool_accepts_and_no_secret_leaves(ingester, make_shipper, tmp_path):
    write(tmp_path, LINES)
    shipper = start(make_shipper, ingester, tmp_path, "one", "false")
    wait_for("lines", lambda: ingester.count('{job="s"}') == 3)
    stored = b"\n".join(ingester.export_lines('{job="s"}')).decode()
    assert "bob@" not in stored and "4111-" not in stored and "ghp_" not in stored and "10.0.0.1" in stored, stored
    assert re.search(r"user=\[email:[0-9a-f]{16}\] took=20ms", stored), stored
    text = metrics_of(shipper)
    check = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert check.returncode in (0, 3) and b"error" not in check.stdout.lower(), check.stdout
    labels = 'filename="%s/logs/a.log",job="s"' % tmp_path
    for line in ["promtail_custom_lines_total{%s} 3" % labels, 'promtail_custom_took_seconds_bucket{%s,le="0.1"} 1' % labels,
                 "promtail_custom_took_seconds_sum{%s} 2.52" % labels, "promtail_custom_last_took{%s} 0.5" % labels,
                 'cordwood_shipper_redacted_total{mode="redact",rule="card"} 1', 'cordwood_shipper_redacted_total{mode="redact",rule="github_token"} 1',
                 'cordwood_shipper_redacted_total{mode="dry_run",rule="ipv4"} 1']:
        assert line + "\n" in text, (line, text)
    assert "redacted 3<br>" in urllib.request.urlopen(address_of(shipper) + "/targets").read().decode()
    assert shipper.stop() == 0
    assert not (tmp_path / "positions.cordwood.metrics").exists()


def test_metrics_outlive_a_restart_if_asked(ingester, make_shipper, tmp_path):
    want, kept = 0, tmp_path / "positions.cordwood.metrics"
    for how in ("stop", "kill", "stop"):
        write(tmp_path, LINES)
        want += 3
        shipper = start(make_shipper, ingester, tmp_path, "again%d" % want, "true")
        wait_for("lines", lambda: ingester.count('{job="s"}') == want)
        series = 'job="s"} %d\n' % want
        wait_for("counts", lambda: series in metrics_of(shipper))
        wait_for("kept", lambda: kept.exists() and " %d 0 0 {" % want in kept.read_text())
        shipper.kill() if how == "kill" else shipper.stop()
    kept.write_text("cordwood-custom-metrics 1\nnonsense\n")
    write(tmp_path, LINES)
    shipper = start(make_shipper, ingester, tmp_path, "damaged", "true")
    wait_for("counts", lambda: 'lines_total{filename="%s/logs/a.log",job="s"} 3\n' % tmp_path in metrics_of(shipper))
    assert "the metrics of stages begin anew" in shipper.log() and "bad checksum" in shipper.log()
    assert shipper.stop() == 0
