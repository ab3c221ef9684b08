"""A fresh ingester answers as a real Loki did: every case but those of expected_failures.json, and none of those."""
import json
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def load(path):
    with open(os.path.join(HERE, path), encoding="utf-8") as f:
        return json.load(f)


CASES = [case["id"] for name in sorted(os.listdir(os.path.join(HERE, "cases"))) for case in load("cases/" + name)]
EXPECTED = {case: group["reason"] for group in load("expected_failures.json") for case in group["cases"]}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """{case: what differs, or None}, of one run over a fresh ingester."""
    from programs import Ingester
    folder = tmp_path_factory.mktemp("conformance")
    with open(os.path.join(HERE, "cordwood.yaml")) as f:
        server = Ingester(folder, config=f.read()).start()
    try:
        run = subprocess.run([sys.executable, os.path.join(HERE, "run"), "--url", server.url, "--text", "--json", str(folder / "report.json")],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
        with open(folder / "report.json") as f:
            answers = {row["id"]: row["difference"] for row in json.load(f)["cases"]}
        status = server.stop()
        assert status == 0, server.log()[-2000:]
    finally:
        server.kill()
    assert set(answers) == set(CASES), run.stdout.decode(errors="replace")[-2000:]
    return answers


def test_the_list_names_only_cases_that_exist():
    assert set(EXPECTED) <= set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_case(report, case):
    difference = report[case]
    if case in EXPECTED:
        assert difference is not None, "passes now: take it off expected_failures.json"
    else:
        assert difference is None, difference
