import pytest

from installation import Installation
from sandbox import Sandbox


@pytest.fixture
def sandbox(tmp_path):
    with Sandbox(tmp_path / "sandbox") as running:
        yield running


@pytest.fixture
def muster(tmp_path):
    with Installation(tmp_path / "data") as running:
        yield running
