"""Fixtures of all suites that test whole programs."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
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
