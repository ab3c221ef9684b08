"""A Go that answers as the one does which Loki is built with: Debian 12's is older and words some errors otherwise."""
import glob
import json
import os
import re
import shutil
import stat
import subprocess

from programs import TOP

LEAST = (26, 5)   # go1.26.5, which names the types in errors of comparisons, and which VictoriaLogs asks for
# Where there is none, the toolchain comes as the module that Go itself would take it from.
MODULE = "golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64"
SUM = "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM="


def version(go):
    """What follows "go1." as two numbers; (0, 0) of what is none."""
    found = re.search(r"go1\.(\d+)(?:\.(\d+))?", subprocess.run([go, "version"], stdout=subprocess.PIPE, text=True, env=dict(os.environ, GOTOOLCHAIN="local")).stdout)
    return (int(found.group(1)), int(found.group(2) or 0)) if found else (0, 0)


def any_go():
    """Whatever Go there is."""
    there = [go for go in [shutil.which("go"), *sorted(glob.glob("/usr/lib/go-*/bin/go"), reverse=True)] if go]
    assert there, "there is no go on this machine (Debian: golang-go)"
    return max(there, key=version)


def go_like_lokis():
    go = any_go()
    if version(go) >= LEAST:
        return go
    folder = os.path.join(TOP, "build-tests", "go")
    done = subprocess.run([go, "mod", "download", "-json", MODULE], stdout=subprocess.PIPE, text=True, check=True,
                          env=dict(os.environ, GOMODCACHE=folder, GOFLAGS="-modcacherw", GOTOOLCHAIN="local"))
    got = json.loads(done.stdout)
    assert got["Sum"] == SUM, "%s is not the one that was pinned: %s" % (MODULE, got["Sum"])
    for tool in [*glob.glob(got["Dir"] + "/bin/*"), *glob.glob(got["Dir"] + "/pkg/tool/*/*")]:   # a module's files are not executable
        os.chmod(tool, os.stat(tool).st_mode | stat.S_IXUSR)
    return got["Dir"] + "/bin/go"


def build(go, name, package=".", **env):
    """The program that is made of tests/support/<name>, or of a package that its go.mod pins; what is compiled once is kept."""
    program = os.path.join(TOP, "build-tests", name)
    subprocess.run([go, "build", "-o", program, package], cwd=os.path.join(TOP, "tests", "support", name), check=True,
                   env=dict(os.environ, GOCACHE=os.path.join(TOP, "build-tests", "go-cache"), GOTOOLCHAIN="local", **env))
    return program
