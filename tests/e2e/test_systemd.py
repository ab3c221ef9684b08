"""The units as `meson install` puts them, run by a real systemd: users of their own, nothing that they could harm, restarts, stops."""
import os
import shutil
import subprocess

import pytest

from load import differences
from programs import BUILD, TOP, wait_for
from systemd_machine import Machine

UNITS = ("cordwood-ingester.service", "cordwood-shipper.service")
EXAMPLES = os.path.join(TOP, "deploy", "examples")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The installed files, with the configurations that the README names in place."""
    folder = tmp_path_factory.mktemp("installed")
    done = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    tree = folder / "usr/local"
    (tree / "etc/cordwood").mkdir(parents=True)
    for source, name in (("ingester-small.yaml", "ingester.yaml"), ("shipper-sidecar.yaml", "shipper.yaml")):
        shutil.copy(os.path.join(EXAMPLES, source), tree / "etc/cordwood" / name)
    return tree


@pytest.fixture
def machine(tmp_path, public_path, started, installed):
    """It runs both units; what tests write below .logs it sees in /var/log/app."""
    machine = Machine(tmp_path, binds=[(public_path, "/var/log/app")], read_only_binds=[(installed, "/usr/local")])
    machine.logs = public_path
    started.add(machine).start()
    machine.run("systemctl", "enable", "--now", *UNITS)
    return machine


def write(machine, lines):
    with open(machine.logs / "app.log", "a") as f:
        f.write("".join("%s\n" % line for line in lines))


def stored(machine):
    status, text = machine.run("/usr/local/bin/cordwood", "query", "--quiet", "-o", "raw", "--limit", "0", "--forward", '{job="app"}', check=False)
    return text.encode().splitlines() if status == 0 else []


def all_stored(machine, want):
    want = [line.encode() for line in want]
    wait_for("%d lines" % len(want), lambda: len(stored(machine)) >= len(want), 60, 0.2)
    difference = differences(want, stored(machine))
    assert difference is None, difference


def test_units_run_as_users_of_their_own_and_can_write_their_state_alone(machine):
    want = ["line %d" % i for i in range(100)]
    write(machine, want)
    all_stored(machine, want)
    for unit in UNITS:
        status = machine.status_of(unit)
        assert status["Uid"].split()[0] not in ("0", "65534") and len(set(status["Uid"].split())) == 1, unit
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0 and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", unit
        assert status["Groups"].split() == (["4", status["Gid"].split()[0]] if "shipper" in unit else [status["Gid"].split()[0]]), unit
        pid = machine.show(unit, "MainPID")
        user = machine.run("stat", "-c", "%u", "/proc/" + pid)[1].strip()
        inside = ["nsenter", "--target", pid, "--mount", "setpriv", "--reuid", user, "--regid", user, "--clear-groups", "touch"]
        state = "/var/lib/%s/x" % unit.partition(".")[0]
        assert machine.run(*inside, state, check=False)[0] == 0
        for path in ("/etc/x", "/usr/x", "/var/x", "/var/log/app/x", "/home/x", "/root/x", "/run/x", "/var/lib/x"):
            assert machine.run(*inside, path, check=False)[0] != 0, (unit, path)
        other = "/var/lib/cordwood-%s" % ("shipper" if "ingester" in unit else "ingester")
        assert machine.run(*inside, other + "/x", check=False)[0] != 0, unit
    assert machine.run("sh", "-c", "ls -1 /var/lib/private/cordwood-ingester")[1].split()[:1], "the data is there"


def test_what_is_killed_starts_again_and_no_line_comes_twice(machine):
    want = []
    for n in range(3):
        more = ["round %d line %d" % (n, i) for i in range(50)]
        write(machine, more)
        want += more
        all_stored(machine, want)
        for unit in UNITS[n % 2:] if n < 2 else ():
            machine.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", unit)
        for unit in UNITS:
            wait_for(unit, lambda unit=unit: machine.show(unit, "ActiveState") == "active" and machine.show(unit, "MainPID") != "0", 30, 0.2)
    assert machine.show("cordwood-shipper.service", "NRestarts") == "2" and machine.show("cordwood-ingester.service", "NRestarts") == "1"
    machine.run("systemctl", "reload", "cordwood-ingester.service")
    all_stored(machine, want)
    # A stop delivers what is in the files, and ends well.
    write(machine, ["the last words"])
    want.append("the last words")
    machine.run("systemctl", "stop", "cordwood-shipper.service")
    all_stored(machine, want)
    machine.run("systemctl", "restart", "cordwood-ingester.service")
    all_stored(machine, want)
    machine.run("systemctl", "stop", "cordwood-ingester.service")
    for unit in UNITS:
        assert (machine.show(unit, "Result"), machine.show(unit, "ExecMainStatus"), machine.show(unit, "ActiveState")) == ("success", "0", "inactive"), unit


def test_a_mistake_is_told_once_and_not_tried_again(machine, installed):
    path = installed / "etc/cordwood/shipper.yaml"
    good = path.read_text()
    try:
        path.write_text(good.replace("batchwait", "batchwat"))
        assert machine.run("systemctl", "restart", "cordwood-shipper.service", check=False)[0] == 0   # it was begun: Type=exec
        wait_for("the failure", lambda: machine.show("cordwood-shipper.service", "ActiveState") == "failed", 30, 0.2)
        assert machine.show("cordwood-shipper.service", "ExecMainStatus") == "2" and machine.show("cordwood-shipper.service", "NRestarts") == "0"
        assert 'did you mean "batchwait"?' in machine.run("journalctl", "--no-pager", "-u", "cordwood-shipper.service")[1]
        path.unlink()
        assert machine.run("systemctl", "restart", "cordwood-shipper.service", check=False)[0] != 0
        assert "etc/cordwood/shipper.yaml" in machine.run("systemctl", "status", "--no-pager", "-n", "50", "cordwood-shipper.service", check=False)[1]
    finally:
        path.write_text(good)


@pytest.mark.parametrize("unit", UNITS)
def test_what_a_unit_lays_open_is_little(installed, unit):
    # In tenths, from 0 to 100, by systemd's own weights; a unit without any of these lines has 96.
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", str(installed / "lib/systemd/system" / unit)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
