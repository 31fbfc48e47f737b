"""The microphone, by the package sounddevice."""

from collections.abc import Iterator
from queue import Queue
from typing import Any

import numpy as np

from recurra.audio.resampling import Floats
from recurra.errors import DataError, MissingExtra

_BLOCK_S = 0.08


def microphone_blocks(rate: int, device: str | None = None) -> Iterator[Floats]:
    """Yield mono samples of the default microphone, or of a named one, as they arrive, until interrupted.

    Raises: MissingExtra without sounddevice; DataError if there is no microphone with this rate.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the library PortAudio is missing
        raise MissingExtra(
            "microphone: needs the package sounddevice and the library PortAudio; install them with "
            "`pip install 'recurra[microphone]'` and, on Debian, `apt install libportaudio2`."
        ) from error
    arrived: Queue[Floats] = Queue()

    def hear(samples: Any, frames: int, time: Any, status: Any) -> None:
        arrived.put(np.array(samples[:, 0], np.float32))

    try:
        stream = sounddevice.InputStream(
            rate, round(_BLOCK_S * rate), device, channels=1, dtype="float32", callback=hear
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise DataError(
            f"microphone: cannot be opened ({error}); connect one, or name a recording."
        ) from error
    with stream:
        while True:
            yield arrived.get()
