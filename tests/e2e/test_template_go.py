"""Templates mean what Go's do: random templates and fields, answered by Go's text/template and by common/template."""
import os
import subprocess
import time

import pytest

from go_toolchain import go_like_lokis
from programs import BUILD, LONG, TOP

PROBE = os.path.join(BUILD, "tests", "support", "template_probe")


@pytest.fixture(scope="module")
def template_go(tmp_path_factory):
    """The Go side, compiled."""
    folder = tmp_path_factory.mktemp("template_go")
    program = str(folder / "template_go")
    env = dict(os.environ, GOCACHE=str(folder / "cache"), GOFLAGS="", GO111MODULE="off", GOTOOLCHAIN="local")
    source = os.path.join(TOP, "tests", "support", "template_go", "main.go")
    subprocess.run([go_like_lokis(), "build", "-o", program, source], env=env, check=True)
    return program


def test_outputs_and_errors_are_gos(template_go):
    # the long run draws another seed each time and so finds more; it is in the output
    for seed, count in (("1", 3000), (str(int(time.time())), 50000) if LONG else ("2", 3000)):
        done = subprocess.run([template_go, "-probe", PROBE, "-n", str(count), "-seed", seed], capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, "seed %s:\n%s%s" % (seed, done.stdout[-5000:], done.stderr[-5000:])
        assert done.stdout.endswith("0 differences\n") and done.stdout.startswith("%d templates" % count)
