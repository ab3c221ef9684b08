"""A fresh ingester answers as a real Loki did: every case but those of expected_failures.json, and none of those."""
import importlib.machinery
import importlib.util
import json
import os

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def load(path):
    with open(os.path.join(HERE, path), encoding="utf-8") as f:
        return json.load(f)


def module(path):
    """A script of this folder, which has no ending."""
    loader = importlib.machinery.SourceFileLoader(path, os.path.join(HERE, path))
    made = importlib.util.module_from_spec(importlib.util.spec_from_loader(path, loader))
    loader.exec_module(made)
    return made


check = module("check")
CASES = [case["id"] for name in sorted(os.listdir(os.path.join(HERE, "cases"))) for case in load("cases/" + name)]
LISTED = check.expected()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """{case: what differs, or None}, of one run over a fresh ingester."""
    from programs import Ingester
    with open(os.path.join(HERE, "cordwood.yaml")) as f:
        server = Ingester(tmp_path_factory.mktemp("conformance"), config=f.read()).start()
    try:
        answers = check.answers(server.url)
        status = server.stop()
        assert status == 0, server.log()[-2000:]
    finally:
        server.kill()
    assert set(answers) == set(CASES)
    return answers


def test_the_list_names_only_cases_that_exist():
    assert set(LISTED) <= set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_case(report, case):
    wrong = check.fault(case, report[case], LISTED)
    assert wrong is None, wrong
