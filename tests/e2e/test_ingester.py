"""The ingester as a program: flags, start and stop, reload, tenants, the log and its replay, flush, sources."""
import glob
import gzip
import json
import os
import signal
import socket
import stat
import subprocess
import time
import zlib

import pytest

import wire
from programs import BUILD, INGESTER, NS, cli, wait_for
from wire import push_body, snappy

JSON = {"Content-Type": "application/json"}
PROTO = {"Content-Type": "application/x-protobuf"}


def run(*arguments, **more):
    return subprocess.run([INGESTER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **more)


def lines(server, selector, headers=None):
    return sorted(e["line"] for e in server.export(selector, headers=headers))


def now():
    return time.time_ns()


def test_flags_that_print_and_exit(tmp_path):
    assert b"--data-dir" in run("--help").stdout
    assert run("--version").stdout.startswith(b"cordwood-ingester ")
    printed = run("--print-config")
    assert printed.returncode == 0 and b"segment_bytes: 64MiB" in printed.stdout
    path = tmp_path / "printed.yaml"
    path.write_bytes(printed.stdout)
    assert run("--config", str(path), "--check").returncode == 0      # it reads what it prints
    assert run("--config", str(path), "--print-config").stdout == printed.stdout


def test_the_man_page_lists_the_endpoints():
    page = run("--man").stdout.decode().replace("\\-", "-")
    for row in ("GET, HEAD /config", "GET, HEAD, POST /flush", "POST /cordwood/v1/snapshot", "DELETE /cordwood/v1/snapshot/{name}", "GET, HEAD /cordwood/v1/retention",
                "POST /loki/api/v1/push", "GET, HEAD, POST /loki/api/v1/query_range", "GET, HEAD, POST /cordwood/v1/export"):
        assert "\\fB%s\\fR\n" % row in page, row
    assert page.count("limits_config.retention_") >= 3


def test_the_configuration_that_is_shown_is_the_one_with_the_flags(make_ingester, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("data_dir: /nowhere\nserver: {http_listen_port: 1}\n")
    printed = run("--config", str(path), "--data-dir", "/flag", "--listen", ":77", "--print-config").stdout.decode()
    assert 'data_dir: /flag\n' in printed and 'http_listen_address: ""\n' in printed and "http_listen_port: 77\n" in printed, printed
    server = make_ingester(config="data_dir: /nowhere\n").start()
    status, shown = server.ask("GET", "/config")
    assert status == 200 and "/nowhere" not in shown.decode() and str(server.data) in shown.decode()
    server.process.send_signal(signal.SIGHUP)
    wait_for("reload", lambda: "limits are read again" in server.log())
    assert server.ask("GET", "/config")[1] == shown


def test_an_address_that_is_taken_ends_the_start_with_1(ingester, tmp_path):
    done = run("--listen", ingester.address, "--data-dir", str(tmp_path / "other"))
    assert done.returncode == 1 and ingester.address.encode() in done.stderr, done.stderr


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "::1:3100", "not an address:3100"])
def test_an_address_that_is_none_is_wrong_usage_and_makes_no_data_directory(tmp_path, address):
    done = run("--listen", address, "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2 and address.encode() in done.stderr and not (tmp_path / "data").exists(), done
    assert run("--listen", address, "--check").returncode == 2


def test_an_empty_name_of_a_data_directory_is_wrong_usage(tmp_path):
    done = run("--listen", "127.0.0.1:0", "--data-dir", "")
    assert done.returncode == 2 and b'--data-dir: "" names no folder' in done.stderr, done


def test_a_second_server_on_a_data_directory_is_refused_and_the_first_goes_on(ingester):
    done = run("--listen", "127.0.0.1:0", "--data-dir", ingester.data)
    assert done.returncode == 1 and ingester.address.encode() in done.stderr, done.stderr
    assert stat.S_IMODE(os.stat(ingester.data).st_mode) == 0o700
    ingester.push([({"a": "b"}, [(now(), "x")])])


def test_a_newer_data_directory_is_refused_by_name(ingester):
    assert ingester.stop() == 0
    with open(os.path.join(ingester.data, "FORMAT"), "w") as f:
        f.write("cordwood 99\n")
    done = run("--listen", "127.0.0.1:0", "--data-dir", ingester.data)
    assert done.returncode == 1 and b"99" in done.stderr, done.stderr


@pytest.mark.parametrize("text, code", [("cordwood 99\n", 3), ("something else\n", None)])
def test_a_folder_that_is_refused_stays_as_it_is(tmp_path, text, code):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "FORMAT").write_text(text)
    done = run("--listen", "127.0.0.1:0", "--data-dir", str(folder))
    assert done.returncode == 1 and str(folder).encode() in done.stderr, done.stderr
    assert code is None or cli("fsck", "--repair", str(folder)).returncode == code
    assert os.listdir(folder) == ["FORMAT"] and (folder / "FORMAT").read_text() == text
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_ipv6_and_all_addresses(make_ingester, tmp_path):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    server = make_ingester()
    server.address = "[::1]:0"
    server.start(ready=False)
    assert server.address.startswith("[::1]:")
    wait_for("ready", lambda: server.ask("GET", "/ready")[0] == 200)
    server.push([({"a": "six"}, [(now(), "x")])])
    assert lines(server, '{a="six"}') == ["x"]


def test_sigterm_flushes_and_the_next_start_has_everything_without_a_replay(ingester):
    t = now()
    ingester.push([({"a": "b"}, [(t + i, "line %d" % i) for i in range(1000)])])
    assert ingester.stop() == 0
    ingester.start()
    assert len(ingester.export('{a="b"}')) == 1000
    metrics = ingester.metrics()
    assert metrics["cordwood_parts_entries"] == "1000"
    assert metrics["cordwood_wal_replayed_entries_total"] == "0"


def test_the_configuration_is_shown(make_ingester):
    server = make_ingester(config="overrides: {big: {max_line_size: 1KB}}\n").start()
    status, text = server.ask("GET", "/config")
    assert status == 200 and b"big:" in text and b"max_line_size: 1KiB" in text, text


def test_sigint_stops_too(ingester):
    ingester.process.send_signal(signal.SIGINT)
    assert ingester.process.wait(30) == 0


def test_sighup_reads_the_limits_again_and_keeps_them_when_the_file_is_bad(make_ingester, tmp_path):
    server = make_ingester(config="limits_config: {max_line_size: 10}\n").start()
    path = server.argv[server.argv.index("--config") + 1]
    assert server.push([({"a": "b"}, [(now(), "longer than ten bytes")])], check=False)[0] == 400
    with open(path, "w") as f:
        f.write("limits_config: {max_line_size: 1KB}\n")
    server.process.send_signal(signal.SIGHUP)
    wait_for("reload", lambda: "read again" in server.log())
    assert server.push([({"a": "b"}, [(now(), "longer than ten bytes")])])[0] == 204
    with open(path, "w") as f:
        f.write("limits_config: {max_lin_size: 1KB}\n")
    server.process.send_signal(signal.SIGHUP)
    wait_for("refusal", lambda: "not read again" in server.log())
    assert server.push([({"a": "b"}, [(now(), "longer than ten bytes again")])])[0] == 204


def test_config_shows_what_is_in_force_and_a_reload_names_what_wants_a_restart(make_ingester):
    config = "storage: {merge_codec: %s, delete_cancel_period: %s}\nmemory: {limit: %s}\nlimits_config: {max_line_size: %s}\n"
    server = make_ingester(config=config % ("lz4", "24h", "64MiB", "10KB")).start()
    path = server.argv[server.argv.index("--config") + 1]
    shown = server.ask("GET", "/config")[1].decode()
    with open(path, "w") as f:
        f.write(config % ("zstd", "1s", "32MiB", "20KB"))
    for n in (1, 2):                                                        # the second time against what is in force, not against the file
        server.process.send_signal(signal.SIGHUP)
        wait_for("reload", lambda: server.log().count("need a restart") == n)
        assert "restart: memory.limit, storage.merge_codec, storage.delete_cancel_period" in server.log()
    assert server.ask("GET", "/config")[1].decode() == shown.replace("max_line_size: 10KiB", "max_line_size: 20KiB") != shown


def test_overrides_hold_for_their_tenant_alone(make_ingester):
    server = make_ingester(config="auth_enabled: true\nlimits_config: {max_line_size: 10}\noverrides: {big: {max_line_size: 1KB}}\n").start()
    long = [({"a": "b"}, [(now(), "longer than ten bytes")])]
    assert server.push(long, headers={"X-Scope-OrgID": "big"})[0] == 204
    assert server.push(long, headers={"X-Scope-OrgID": "small"}, check=False)[0] == 400


def test_tenants_do_not_see_each_other_before_and_after_a_flush(make_ingester):
    server = make_ingester(config="auth_enabled: true\n").start()
    for tenant in ("one", "two", "a.b-c_d"):
        server.push([({"a": "b"}, [(now(), "of " + tenant)])], headers={"X-Scope-OrgID": tenant})
    for _ in range(2):
        for tenant in ("one", "two", "a.b-c_d"):
            assert lines(server, '{a="b"}', {"X-Scope-OrgID": tenant}) == ["of " + tenant]
        assert server.ask("POST", "/flush")[0] == 204
    assert server.ask("GET", "/loki/api/v1/labels")[0] == 401
    for bad in ("../etc", "a/b", "..", "x" * 151):
        assert server.ask("GET", "/loki/api/v1/labels", headers={"X-Scope-OrgID": bad})[0] == 400, bad


def test_without_auth_the_tenant_header_is_ignored(ingester):
    ingester.push([({"a": "b"}, [(now(), "x")])], headers={"X-Scope-OrgID": "somebody"})
    assert lines(ingester, '{a="b"}') == ["x"]


@pytest.mark.parametrize("encoding,pack", [
    ("gzip", gzip.compress), ("deflate", lambda b: zlib.compress(b, wbits=-15)), (None, lambda b: b)])
def test_bodies_of_every_encoding_survive_a_kill(ingester, encoding, pack):
    body = json.dumps({"streams": [{"stream": {"e": str(encoding)}, "values": [[str(now()), "line \u4e2d \0", {"k.k": "v"}]]}]}).encode()
    headers = {**JSON, **({"Content-Encoding": encoding} if encoding else {})}
    assert ingester.ask("POST", "/loki/api/v1/push", body=pack(body), headers=headers) == (204, b"")
    before = ingester.export('{e="%s"}' % encoding)
    ingester.kill()
    ingester.start()
    assert ingester.export('{e="%s"}' % encoding) == before and len(before) == 1


@pytest.mark.parametrize("encoding,pack", [
    ("gzip", gzip.compress), ("deflate", lambda b: zlib.compress(b, wbits=-15)), ("snappy", lambda b: b), (None, lambda b: b)])
def test_protobuf_within_every_encoding_survives_a_kill(ingester, encoding, pack):
    body = snappy(push_body([('{e="%s"}' % encoding, [(now(), "line \u4e2d", {"k": "v"})])]))
    headers = {**PROTO, **({"Content-Encoding": encoding} if encoding else {})}
    assert ingester.ask("POST", "/loki/api/v1/push", body=pack(body), headers=headers) == (204, b"")
    before = ingester.export('{e="%s"}' % encoding)
    ingester.kill()
    ingester.start()
    assert ingester.export('{e="%s"}' % encoding) == before and len(before) == 1


def test_a_push_that_is_taken_in_part_is_replayed_in_part(make_ingester):
    server = make_ingester(config="limits_config: {max_line_size: 10}\n").start()
    t = now()
    status, text = server.push([({"a": "b"}, [(t, "good"), (t + 1, "much too long for it"), (t + 2, "fine")])], check=False)
    assert status == 400 and b"max entry size '10' bytes" in text
    assert server.metrics()['cordwood_discarded_entries_total{reason="line_too_long",tenant="fake"}'] == "1"
    server.kill()
    server.start()
    assert lines(server, '{a="b"}') == ["fine", "good"]


def test_duplicates_are_dropped_at_push_and_stay_dropped_after_a_kill(ingester):
    t = now()
    for _ in range(3):
        ingester.push([({"a": "b"}, [(t, "one"), (t, "two"), (t, "one"), (t - NS, "old")])])
    ingester.kill()
    ingester.start()
    ingester.push([({"a": "b"}, [(t, "one"), (t - NS, "old"), (t, "three")])])
    assert lines(ingester, '{a="b"}') == ["old", "one", "three", "two"]


def test_a_torn_end_and_a_flipped_byte_of_the_log_cost_what_they_hit(ingester):
    t = now()
    for i in range(20):
        ingester.push([({"a": "b"}, [(t + i, "line number %02d" % i)])])
    ingester.kill()
    (segment,) = glob.glob(os.path.join(ingester.data, "wal", "*.wal"))
    with open(segment, "rb") as f:
        data = bytearray(f.read())
    data[data.index(b"line number 07")] ^= 1
    with open(segment, "wb") as f:
        f.write(data[:-30])
    ingester.start()
    assert lines(ingester, '{a="b"}') == ["line number %02d" % i for i in range(19) if i != 7]
    assert len(os.listdir(os.path.join(ingester.data, "quarantine"))) == 2
    assert ingester.metrics()["cordwood_wal_bad_total"] == "2"
    ingester.push([({"a": "b"}, [(t + 100, "after")])])
    ingester.kill()
    ingester.start()
    assert "after" in lines(ingester, '{a="b"}')
    assert ingester.metrics()["cordwood_wal_bad_total"] == "1"      # the flipped byte is still there, the torn end was cut


def test_interval_sync_still_survives_a_kill(make_ingester):
    server = make_ingester(config="wal: {sync: interval, sync_interval: 50ms}\n").start()
    for i in range(50):
        server.push([({"a": "b"}, [(now(), "line %d" % i)])])
    server.kill()
    server.start()
    assert len(server.export('{a="b"}')) == 50


def test_an_old_log_is_removed_after_a_flush(make_ingester):
    server = make_ingester(config="wal: {segment_bytes: 1MiB}\n").start()
    for _ in range(6):
        server.push([({"a": "b"}, [(now() + k, os.urandom(5500).hex()) for k in range(100)])])
    assert len(os.listdir(os.path.join(server.data, "wal"))) > 3
    assert server.ask("POST", "/flush")[0] == 204
    wait_for("old segments to go", lambda: len(os.listdir(os.path.join(server.data, "wal"))) <= 1)
    assert len(server.export('{a="b"}')) == 600


def test_pushes_over_the_memory_budget_are_refused_with_retry_after(make_ingester, tmp_path):
    orders = tmp_path / "orders"
    orders.write_text("sync .part delay:5000\n")               # the head cannot be flushed as fast as pushes come
    server = make_ingester(config="memory: {limit: 16MiB}\n", env={"CW_FAULTS": str(orders)}, preload=os.path.join(BUILD, "tests", "support", "libfaults.so")).start()
    acked, status, t = 0, 204, now()
    for i in range(500):
        status, text = server.push([({"a": "b"}, [(t + 1000 * i + k, "x" * 1000) for k in range(1000)])], check=False)
        if status != 204:
            break
        acked += 1000
    assert status == 429 and acked > 0, (status, text, acked)
    assert server.answer_headers.get("Retry-After") == "1", server.answer_headers
    orders.write_text("")
    wait_for("room again", lambda: server.push([({"a": "c"}, [(now(), "x")])], check=False)[0] == 204, 60)
    assert len(server.export('{a="b"}')) == acked


def test_retention_hides_at_once_and_drops_parts(make_ingester):
    server = make_ingester(config="limits_config: {retention_period: 1h}\n").start()
    server.push([({"a": "b"}, [(now() - 3 * 3600 * NS, "old"), (now(), "new")])])
    assert lines(server, '{a="b"}') == ["new"]
    assert server.ask("POST", "/flush")[0] == 204
    assert lines(server, '{a="b"}') == ["new"]


SHIPPER, SOURCE = "0" * 31 + "1", "0" * 31 + "2"
FIRST, SECOND, TWIN = "a" * 32, "b" * 32, "c" * 32


def sources(server, sessions, shipper=SHIPPER):
    return wire.ask_sources(server, shipper, sessions)


def deliver(server, session, ranges, line="x", confirms=()):
    return wire.deliver(server, SHIPPER, session, SOURCE, ranges, [('{a="delivered"}', [(1, line)])] if ranges else [], confirms)


def test_the_delivery_protocol_over_http(ingester):
    assert deliver(ingester, FIRST, [(0, 10)])[0] == 409                            # nobody asked yet
    assert sources(ingester, [FIRST]) == (200, {"shipper": SHIPPER, "session": FIRST, "marks": []})
    assert deliver(ingester, FIRST, [(0, 10)], "one") == (204, b"")
    assert deliver(ingester, FIRST, [(0, 10)], "one") == (204, b"")                 # a repeat
    assert deliver(ingester, FIRST, [(10, 20)], "one") == (204, b"")                # a real twin
    status, text = deliver(ingester, FIRST, [(5, 25)])
    answer = json.loads(text)
    assert status == 409 and answer["code"] == "range"
    assert answer["marks"] == [{"source": SOURCE, "generation": 0, "offset": 20}]
    ingester.kill()
    ingester.start()
    assert lines(ingester, '{a="delivered"}') == ["one", "one"]
    assert deliver(ingester, FIRST, [(10, 20)], "one")[0] == 204                    # still a repeat after the replay
    assert sources(ingester, [FIRST, SECOND])[1]["marks"] == [{"source": SOURCE, "generation": 0, "offset": 20}]
    status, text = deliver(ingester, FIRST, [(20, 30)])                             # the session before
    assert status == 409 and json.loads(text)["code"] == "session"
    status, answer = sources(ingester, [FIRST, TWIN])                               # a copied state directory
    assert status == 409 and answer["code"] == "session"
    assert deliver(ingester, SECOND, [], confirms=[20])[0] == 204
    ingester.kill()
    ingester.start()
    (listed,) = json.loads(ingester.ask("GET", "/cordwood/v1/sources")[1])["sources"]
    assert (listed["shipper"], listed["source"], listed["offset"], listed["confirmed"]) == (SHIPPER, SOURCE, 20, 20)
    assert ingester.ask("POST", "/flush")[0] == 204
    ingester.kill()
    ingester.start()
    assert sources(ingester, [SECOND])[1]["marks"] == [{"source": SOURCE, "generation": 0, "offset": 20}]
    assert lines(ingester, '{a="delivered"}') == ["one", "one"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"shipper":"x","sessions":[]}', b'{"shipper":"' + b"0" * 32 + b'","sessions":[]}'])
def test_bad_asks_are_refused_as_json(ingester, body):
    status, text = ingester.ask("POST", "/cordwood/v1/sources", body=body)
    assert status == 400 and json.loads(text)["code"] == "request"


def test_a_delivery_with_a_bad_entry_is_refused_whole(make_ingester):
    server = make_ingester(config="limits_config: {max_line_size: 10}\n").start()
    sources(server, [FIRST])
    status, text = deliver(server, FIRST, [(0, 10)], "much too long for it")
    assert status == 400 and b"max entry size" in text
    assert sources(server, [FIRST])[1]["marks"] == []
    assert deliver(server, FIRST, [(0, 10)], "short")[0] == 204
