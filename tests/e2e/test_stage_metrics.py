"""What stages count: metrics of the user's and redacted findings at /metrics, kept across restarts if asked; and no secret leaves."""
import random
import re
import subprocess
import time
import urllib.request

from programs import SHIPPER, wait_for

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


def private_keys(folder):
    """Real ones, of the kinds that programs write."""
    def made(*command):
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    made("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa")
    made("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec")
    made("openssl", "genpkey", "-algorithm", "ED25519", "-out", "ed25519")
    made("openssl", "rsa", "-in", "rsa", "-aes128", "-passout", "pass:secret", "-traditional", "-out", "encrypted")
    return [(folder / name).read_text().splitlines() for name in ("rsa", "ec", "ed25519", "encrypted")]


def test_no_line_of_a_private_key_leaves_whatever_is_killed(ingester, make_shipper, tmp_path):
    keys = private_keys(tmp_path)
    log = tmp_path / "app.log"
    log.write_text("")
    shipper = make_shipper(config="positions: {filename: %s/p.yml, sync_period: 50ms}\nclients: [{url: '%s/loki/api/v1/push', batchwait: 20ms}]\n"
                           "scrape_configs: [{job_name: a, static_configs: [{labels: {job: a, __path__: %s}}], pipeline_stages: [redact: {detectors: [private_key], action: replace}]}]\n"
                           % (tmp_path, ingester.url, log)).start()
    secrets, nlines, rng = set(), 0, random.Random(3)
    for i in range(24):
        key = keys[i % len(keys)]
        secrets |= {line for line in key if len(line) > 30 and " " not in line}
        with open(log, "a") as f:
            for line in ["before %d" % i, *key, "after %d" % i]:
                f.write(line + "\n")
                f.flush()
                nlines += 1
                if rng.random() < 0.02:                     # amid a key, for all that is known
                    time.sleep(0.1)
                    shipper.kill()
                    shipper.start()
    wait_for("all lines", lambda: ingester.count('{job="a"}') >= nlines, 60, 0.2)
    lines = [line.decode() for line in ingester.export_lines('{job="a"}')]
    assert len(lines) == nlines and secrets and not [line for line in lines if any(secret in line for secret in secrets)]
    assert sum(line.startswith(("before", "after")) for line in lines) == 48
    assert shipper.stop() == 0


def test_a_dry_run_reports_what_would_be_hidden(tmp_path):
    (tmp_path / "a.log").write_text("a@b.org c@d.org\nfrom 10.0.0.7\n")
    config = tmp_path / "c.yml"
    config.write_text("scrape_configs: [{job_name: web, static_configs: [{labels: {job: a, __path__: %s/a.log}}],\n"
                      "  pipeline_stages: [redact: {detectors: [email, ipv4, card], dry_run: true}]}]\n" % tmp_path)
    done = subprocess.run([SHIPPER, "--config", config, "--dry-run", "--once"], capture_output=True, timeout=60)
    told = [line for line in done.stderr.decode().splitlines() if line.startswith("redact: ")]
    assert told == ['redact: job "web": email: 2 (left as it is, by dry_run)', 'redact: job "web": ipv4: 1 (left as it is, by dry_run)'], done
    assert b"a@b.org c@d.org\n" in done.stdout
    config.write_text(config.read_text().replace(", dry_run: true", "") + "clients: [{url: 'http://localhost/'}]\n")
    done = subprocess.run([SHIPPER, "test", "--config", config], input=b"x a@b.org\n", capture_output=True, timeout=60)
    assert done.stderr.decode() == 'redact: job "web": email: 1\n' and b"*@*.***" in done.stdout, done


def test_a_metric_of_two_jobs_is_one_or_an_error_that_a_check_tells(ingester, make_shipper, tmp_path):
    jobs = "scrape_configs:\n" + "".join(
        "- {job_name: %s, static_configs: [{labels: {job: %s, __path__: %s/%s.log}}],\n"
        "   pipeline_stages: [{metrics: {n: {type: Counter, description: '%%s', config: {match_all: true, action: inc}}}}]}\n" % (job, job, tmp_path, job) for job in "ab")
    config = tmp_path / "c.yml"
    for descriptions, status in (("x", "x"), 0), (("x", "y"), 2):
        config.write_text("clients: [{url: 'http://localhost/'}]\n" + jobs % descriptions)
        done = subprocess.run([SHIPPER, "--config", config, "--check"], capture_output=True, timeout=60)
        assert done.returncode == status, done
    assert b'%s:5: job "b": metrics: n: the metric promtail_custom_n is defined in two ways' % bytes(config) in done.stderr
