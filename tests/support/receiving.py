"""What the tests of receivers ask: where they listen, and what has become of what they were sent."""
import os
import re
import time
import urllib.error
import urllib.request

from load import differences
from programs import wait_for


def address(shipper, receiver):
    """Where it listens: the last time that it said so."""
    def told():
        assert shipper.running(), shipper.log()[-3000:]
        return re.findall(r"%s: listening on (\S+?)[\" ]" % re.escape(receiver), shipper.log())
    host, port = wait_for("address of " + receiver, told)[-1].rsplit(":", 1)
    return host.strip("[]").replace("::", "127.0.0.1"), int(port)


def spool_files(tmp_path, receiver):
    folder = tmp_path / "state" / "positions.yml.cordwood.spool" / receiver
    return sorted(os.listdir(folder)) if folder.exists() else []


def stored(server, want, selector, seconds=60):
    wait_for("%d stored lines" % len(want), lambda: server.count(selector) >= len(want), seconds, 0.1)
    time.sleep(0.3)                                         # what would come twice, comes now
    difference = differences(want, server.export_lines(selector))
    assert difference is None, difference


def labels_of(server, selector):
    return sorted((e["labels"] for e in server.export(selector)), key=str)


def post(where, path, body, headers):
    request = urllib.request.Request("http://%s:%d%s" % (*where, path), body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()
