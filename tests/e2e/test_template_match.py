"""Line filters mean on blocks of templates what they mean on lines: random filters on the corpus."""
import glob
import os
import subprocess
import sys

from programs import BUILD, LONG, TOP

sys.path.insert(0, os.path.join(TOP, "tests", "bench"))
from measure import corpus  # noqa: E402

CHECK = os.path.join(BUILD, "tests", "support", "match_check")


def test_filters_keep_the_same_rows():
    files = sorted(glob.glob(os.path.join(corpus(32, 1), "*.log")))
    assert len(files) >= 3
    queries, seed = (200000, 2) if LONG else (5000, 1)        # each filter is asked with the value filter, and without
    done = subprocess.run([CHECK, str(queries), str(seed)] + files, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) >= queries
