"""Every file of deploy/examples is loaded by its program, and the reference is what the program says now."""
import os
import subprocess

import pytest

from programs import CLI, INGESTER, SHIPPER, TOP

EXAMPLES = os.path.join(TOP, "deploy", "examples")
LOADED_BY = {"ingester": INGESTER, "shipper": SHIPPER, "exports": CLI}


def path(name):
    return os.path.join(EXAMPLES, name)


@pytest.mark.parametrize("name", sorted(os.listdir(EXAMPLES)))
def test_example_is_loaded_by_its_program(name):
    program = LOADED_BY[name.split(".")[0].split("-")[0]]
    argv = [program, "--config", path(name), "--check"]
    if program == CLI:
        # No server answers there: the file is good (2 would say that it is not), its queries fail.
        argv = [program, "metrics", "--config", path(name), "--once", "--addr", "http://127.0.0.1:1", "--timeout", "5s"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == (3 if program == CLI else 0), done
    assert program == CLI or done.stderr == b"", done


def test_the_ingesters_reference_is_what_its_tables_say():
    with open(path("ingester.yaml"), encoding="utf-8") as f:
        reference = f.read().partition("\n\n")[2]
    done = subprocess.run([INGESTER, "--reference-config"], stdout=subprocess.PIPE, check=True, timeout=60)
    assert done.stdout.decode() == reference, "make it again: see its first lines"


def test_the_ingesters_reference_changes_nothing():
    plain, referenced = (subprocess.run([INGESTER, "--print-config", *more], stdout=subprocess.PIPE, check=True, timeout=60).stdout
                         for more in ((), ("--config", path("ingester.yaml"))))
    assert plain == referenced and len(plain) > 900
