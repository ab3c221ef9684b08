"""Fixtures of all suites that test whole programs."""
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from ports import OwnPort  # noqa: E402
from programs import Ingester, Shipper  # noqa: E402


class Makers(list):
    """What a test started; the fixture ends it."""

    def add(self, program):
        self.append(program)
        return program


@pytest.fixture
def started():
    """Programs to end when the test is over, however it ends."""
    programs = Makers()
    yield programs
    for program in reversed(programs):
        program.kill()


@pytest.fixture
def logs(tmp_path):
    """A folder for logs."""
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def public_path():
    """A folder that every user may enter: pytest's own are private, and are made so again by every pytest that begins."""
    with tempfile.TemporaryDirectory(prefix="cw-public-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


@pytest.fixture
def own_port():
    """own_port() - a port number for a program that is restarted, or that cannot take any port and tell which."""
    ports = []

    def take():
        ports.append(OwnPort())
        return ports[-1].number
    yield take
    for port in ports:
        port.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails shows the ends of its programs' logs."""
    report = (yield).get_result()
    if report.failed:
        for program in item.funcargs.get("started", []):
            if os.path.exists(getattr(program, "log_path", "")):
                report.sections.append(("end of " + str(program.log_path), program.log()[-3000:]))


@pytest.fixture
def ingester(tmp_path, started):
    """A running ingester with defaults."""
    return started.add(Ingester(tmp_path / "ingester")).start()


@pytest.fixture
def make_ingester(tmp_path, started):
    """make_ingester(name, config=..., arguments=...) - not started yet."""
    return lambda name="ingester", **more: started.add(Ingester(tmp_path / name, **more))


@pytest.fixture
def make_shipper(tmp_path, started):
    """make_shipper(name, config=..., arguments=...) - not started yet."""
    return lambda name="shipper", **more: started.add(Shipper(tmp_path / name, **more))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MiB (needs root, as continuous integration has)."""
    where = tmp_path / "disk"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(where)], check=True)
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)
