"""Shared test setup: data sets, a separate cache, one thread."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from recurra.kernels import native

# Tests run in parallel, so several threads per test would compete for the cores.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    os.environ["RECURRA_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _same_numbers():
    """Fix the random seed of every test: a rare draw can be ill-conditioned beyond any tolerance."""
    torch.manual_seed(0)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests of the native kernels if they are not installed."""
    if item.get_closest_marker("needs_native") and not native.available():
        pytest.skip(f"no native kernels: {native.unavailable()}")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data sets; tests that need it are skipped if it is missing."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("RECURRA_DATA", beside))
    if not folder.is_dir():
        pytest.skip("no data sets: set RECURRA_DATA to their folder")
    return folder


PLAY = (
    "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\n"
    "First Citizen:\nYou are all resolved rather to die than to famish?\n\nAll:\nResolved. resolved.\n\n"
)


@pytest.fixture
def play(tmp_path) -> Path:
    """A small text file: 3,600 characters of a play, with documents separated by blank lines."""
    path = tmp_path / "play.txt"
    path.write_text(PLAY * 20)
    return path


def run_recurra(*arguments: object, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess:
    """Run the command line in a separate process."""
    return subprocess.run(
        [sys.executable, "-m", "recurra", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"} | environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture
def recurra():
    """`recurra("train", "lm", …)`: run the command line in a separate process."""
    return run_recurra
