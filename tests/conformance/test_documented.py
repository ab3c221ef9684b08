"""What Loki's documentation and its source say of requests that nobody recorded: documented/, in the format of the recorded cases.

Their answers were worked out by reading, case by case; `source` names the file of grafana/loki (or of what it is built with) that says
so. Where a recorded case says otherwise, that one is right.
"""
import json
import os
import time

import pytest

from test_conformance import HERE, module

RUN = module("run")
FOLDER = os.path.join(HERE, "documented", "cases")
CASES = {case["id"]: case for _, cases in RUN.load([FOLDER]) for case in cases}
NS = RUN.NS


class Exact:
    """The wording of errors counts."""
    text, record = True, False


@pytest.fixture(scope="module", params=["head", "flushed"])
def asked(request, tmp_path_factory):
    """A server with the data, and where it begins; in the head, and in parts."""
    from programs import Ingester
    with open(os.path.join(HERE, "cordwood.yaml")) as f:
        server = Ingester(tmp_path_factory.mktemp("documented"), config=f.read()).start()
    base = (int(time.time()) - 3 * 3600) // 3600 * 3600
    with open(os.path.join(HERE, "documented", "dataset.json"), encoding="utf-8") as f:
        streams = json.load(f)["streams"]
    body = json.dumps({"streams": [{"stream": s["labels"], "values": [[str(base * NS + e[0])] + e[1:] for e in s["entries"]]} for s in streams]})
    try:
        assert server.ask("POST", RUN.PATHS["push"], body=body.encode(), headers={"Content-Type": "application/json"})[0] == 204
        assert request.param == "head" or server.ask("POST", "/flush")[0] == 204
        yield RUN.Server(server.url, None), base
    finally:
        server.kill()


def test_there_are_many():
    assert len(CASES) >= 150
    assert all(case["source"] for case in CASES.values())


@pytest.mark.parametrize("case", CASES)
def test_documented_case(asked, case):
    server, base = asked
    difference = RUN.run_case(server, CASES[case], base, Exact)
    assert difference is None, difference
