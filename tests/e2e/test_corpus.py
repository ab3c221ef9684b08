"""Logs of thirteen (or as many as there are samples of) systems go from files through the shipper into the store and come
back whole: every line once, byte for byte, and needles where they were hidden."""
import glob
import json
import os
import sys

from load import differences
from programs import LONG, TOP

sys.path.insert(0, os.path.join(TOP, "tests", "bench"))
from measure import corpus  # noqa: E402


def test_every_line_of_the_corpus_once_and_byte_for_byte(make_ingester, make_shipper):
    folder = corpus(512 if LONG else 32, 1)
    server = make_ingester().start()
    shipper = make_shipper(arguments=["--push", server.url, "--label", "job=corpus", "--once", os.path.join(folder, "*.log")]).start()
    shipper.finish(900)
    systems = [os.path.basename(p)[:-4] for p in sorted(glob.glob(os.path.join(folder, "*.log")))]
    assert len(systems) >= 3
    for again in ("from the head and parts", "after a restart"):
        for system in systems:
            path = os.path.join(folder, system + ".log")
            with open(path, "rb") as f:
                want = f.read().rstrip(b"\n").split(b"\n")
            have = server.export_lines('{filename=%s}' % json.dumps(path))
            assert differences(want, have) is None, (system, again)
            for k, n in enumerate((1, 10, 100)):
                assert server.count('{job="corpus"} |= "NEEDLE_%s_%d"' % (system, k)) == n
        assert server.stop() == 0
        server.start()
    assert server.stop() == 0
