"""Regular expressions mean what Go's do: random patterns and texts, answered by Go and by common/match."""
import os
import subprocess
import time

import pytest

from go_toolchain import build, go_like_lokis
from programs import BUILD, LONG

PROBE = os.path.join(BUILD, "tests", "support", "regex_probe")


@pytest.fixture(scope="module")
def regex_go():
    """The Go side, compiled."""
    return build(go_like_lokis(), "regex_go", GOFLAGS="", GO111MODULE="off")


def test_matches_captures_and_errors_are_gos(regex_go):
    # the long run draws another seed each time and so finds more; it is in the output
    for seed, count in (("1", 2000), (str(int(time.time())), 20000) if LONG else ("2", 2000)):
        done = subprocess.run([regex_go, "-probe", PROBE, "-n", str(count), "-seed", seed], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, "seed %s:\n%s%s" % (seed, done.stdout[-5000:], done.stderr[-5000:])
        assert done.stdout.endswith("0 differences\n") and done.stdout.startswith("%d patterns" % count)
