"""Counts of pairs of words that are larger than the memory that a process may use."""

import subprocess
import sys

import pytest

COUNTED = """
import resource, sys
import numpy as np
from recurra.data.cooccurrences import Counting, open_table
from recurra.data.word_files import WordFile
words = np.random.default_rng(1).integers(0, 20_000, 1_000_000).astype(np.int32)
text = WordFile(words, np.arange(0, 1_000_001, 20), len(words), "generated", False)
used = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + (100 << 20), -1))
table = open_table(text, 20_000, Counting(10, 10.0, 0.75, memory_bytes=int(sys.argv[1]) << 20))
print(len(table), float(np.sum(table.weights, dtype=np.float64)))
"""


def counted(memory_mb, cache):
    return subprocess.run(
        [sys.executable, "-c", COUNTED, str(memory_mb)],
        capture_output=True,
        text=True,
        check=False,
        env={"RECURRA_CACHE": str(cache), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_counting_needs_no_more_memory_than_it_may_use(tmp_path):
    """7.7 million pairs take 123 MB, and more to sort them; 100 MB are allowed, of which 16 are asked for."""
    done = counted(16, tmp_path / "a")
    assert done.returncode == 0, done.stderr
    entries, _ = done.stdout.split()
    assert int(entries) > 14_000_000  # each pair in both directions
    assert "MemoryError" in counted(2000, tmp_path / "b").stderr
