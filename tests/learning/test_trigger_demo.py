"""`recurra demo trigger`."""

import numpy as np
import pytest
from rich.console import Console

from recurra.demos import trigger

pytest.importorskip("soundfile", reason="soundfile reads the recordings")


@pytest.mark.slow  # trains for half a minute
def test_it_hears_the_word_in_the_stream_and_nothing_else(tmp_path):
    console = Console(record=True, width=100)
    found = trigger.run(tmp_path / "trigger", console=console)
    late = np.array([one.time_s for one in found.heard])[:, None] - np.array(found.ends_s)
    assert len(found.heard) >= 9
    assert (((late > -0.2) & (late < 1.0)).sum(1) == 1).all()
    assert all(file.exists() for file in found.files)
    assert "A synthesizer is not a person" in console.export_text()
    again = trigger.run(tmp_path / "trigger", overwrite=True)
    assert again.heard == found.heard
