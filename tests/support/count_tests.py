#!/usr/bin/env python3
"""count_tests.py FILE - print "passed failed" of a JUnit file or of meson's testlog.json.

Criterion's summary ("Tested: 9 | Passing: 8 | Failing: 1 | Crashing: 0") counts its tests one by one; a program without
one counts as one test. Nothing readable counts as one failure: a run that tested nothing must not look green.
"""
import json
import re
import sys
import xml.etree.ElementTree as ET

SUMMARY = re.compile(r"Tested: \D*(\d+)\D*\| Passing: \D*(\d+)\D*\| Failing: \D*(\d+)\D*\| Crashing: \D*(\d+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def count_meson(path):
    passed = failed = 0
    with open(path, encoding="utf-8", errors="replace") as f:
        for text in f:
            test = json.loads(text)
            output = COLOUR.sub("", (test.get("stdout") or "") + (test.get("stderr") or ""))
            found = SUMMARY.findall(output)
            good = test["result"] in ("OK", "EXPECTEDFAIL")
            if not found:
                passed, failed = passed + good, failed + (not good)
                continue
            bad = sum(int(x[0]) - int(x[1]) for x in found)
            passed += sum(int(x[1]) for x in found)
            failed += bad if bad or good else 1
    return passed, failed


def count_junit(path):
    passed = failed = 0
    for suite in ET.parse(path).getroot().iter("testsuite"):
        n = {k: int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped")}
        bad = n["failures"] + n["errors"] + n["skipped"]    # a skipped test shows nothing
        passed, failed = passed + n["tests"] - bad, failed + bad
    return passed, failed


def main():
    try:
        passed, failed = (count_junit if sys.argv[1].endswith(".xml") else count_meson)(sys.argv[1])
    except (OSError, ValueError, KeyError, ET.ParseError) as e:
        print("count_tests: %s: %s" % (sys.argv[1], e), file=sys.stderr)
        passed, failed = 0, 1
    print(passed, failed if passed + failed else 1)


if __name__ == "__main__":
    main()
