"""Templates mean what Go's do: random templates and fields, and sweeps through formats, layouts and zones, answered by Go's
text/template and by common/template."""
import os
import re
import subprocess
import time

import pytest

from go_toolchain import build, go_like_lokis
from programs import BUILD, LONG

PROBE = os.path.join(BUILD, "tests", "support", "template_probe")


@pytest.fixture(scope="module")
def template_go():
    """The Go side, compiled."""
    return build(go_like_lokis(), "template_go", GOFLAGS="", GO111MODULE="off")


def test_outputs_and_errors_are_gos(template_go):
    # the long run draws another seed each time and so finds more; it is in the output
    for seed, count in (("1", 3000), (str(int(time.time())), 50000) if LONG else ("2", 3000)):
        done = subprocess.run([template_go, "-probe", PROBE, "-n", str(count), "-seed", seed], capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, "seed %s:\n%s%s" % (seed, done.stdout[-5000:], done.stderr[-5000:])
        found = re.fullmatch(r"%d templates, \d+ with errors, (\d+) stopped at a bound, 0 differences\n" % count, done.stdout)
        # a generator of endless templates tests nothing
        assert found and int(found.group(1)) <= count / 1000, "seed %s:\n%s" % (seed, done.stdout)


def test_what_formats_layouts_and_zones_are_made_of_is_gos(template_go):
    # one in so many of the 24 million combinations, each time others in the long run
    seed, every = (str(int(time.time())), "50") if LONG else ("1", "1000")
    done = subprocess.run([template_go, "-probe", PROBE, "-sweep", every, "-seed", seed], capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, "seed %s:\n%s%s" % (seed, done.stdout[-5000:], done.stderr[-5000:])
    asked = dict(re.findall(r"^(\w+): (\d+) of \d+ combinations$", done.stdout, re.M))
    assert list(asked) == ["formats", "floats", "offsets", "zones", "layouts"] and all(int(n) > 50 for n in asked.values()), done.stdout
    assert done.stdout.endswith("\n0 differences\n")
