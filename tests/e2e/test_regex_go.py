"""Regular expressions mean what Go's do: random patterns and texts, answered by Go and by common/match."""
import os
import subprocess
import time

import pytest

from go_toolchain import go_like_lokis
from programs import BUILD, LONG, TOP

PROBE = os.path.join(BUILD, "tests", "support", "regex_probe")


@pytest.fixture(scope="module")
def regex_go(tmp_path_factory):
    """The Go side, compiled."""
    folder = tmp_path_factory.mktemp("regex_go")
    program = str(folder / "regex_go")
    env = dict(os.environ, GOCACHE=str(folder / "cache"), GOFLAGS="", GO111MODULE="off", GOTOOLCHAIN="local")
    source = os.path.join(TOP, "tests", "support", "regex_go", "main.go")
    subprocess.run([go_like_lokis(), "build", "-o", program, source], env=env, check=True)
    return program


def test_matches_captures_and_errors_are_gos(regex_go):
    # the long run draws another seed each time and so finds more; it is in the output
    for seed, count in (("1", 2000), (str(int(time.time())), 20000) if LONG else ("2", 2000)):
        done = subprocess.run([regex_go, "-probe", PROBE, "-n", str(count), "-seed", seed], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, "seed %s:\n%s%s" % (seed, done.stdout[-5000:], done.stderr[-5000:])
        assert done.stdout.endswith("0 differences\n") and done.stdout.startswith("%d patterns" % count)
