"""Processor time of a detector that listens: seconds of one core per second of sound, and its memory.

    python benchmarks/listening.py [RUN] [--seconds 60] [--streams 1 32]

The sound is noise, in pieces of 80 ms; the features, their normalisation, the network and the events are
included. Without a run, the network is an untrained one of 128 units.
"""

import argparse
import time
import tracemalloc

import numpy as np
import torch

import recurra as rc
from recurra.audio.features import FeatureSettings
from recurra.audio.normalisation import Statistics
from recurra.models.detector import DetectorNetwork
from recurra.tasks.detection.config import DetectConfig
from recurra.tasks.detection.symbols import DetectorSymbols

RATE, PIECE = 16_000, 1280


def untrained() -> rc.Detector:
    """Return a detector with initial weights."""
    config = DetectConfig(data="none", hidden_size=128)
    settings = FeatureSettings(highest_hz=config.highest_hz)
    statistics = Statistics(np.full(settings.size, -8.0), np.full(settings.size, 3.0))
    symbols = DetectorSymbols(("word",), settings, statistics, 10.0, config.frames_per_step, (1.0,))
    return rc.Detector(DetectorNetwork(config, symbols.input_size, 1), symbols, config)


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("run", nargs="?")
    asked.add_argument("--seconds", type=int, default=60)
    asked.add_argument("--streams", type=int, nargs="+", default=[1, 32])
    given = asked.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    detector = untrained() if given.run is None else rc.Detector.load(given.run)
    samples = np.random.default_rng(1).normal(0, 0.05, given.seconds * RATE).astype(np.float32)
    for count in given.streams:
        streams = [detector.stream() for _ in range(count)]
        for stream in streams:
            stream.push(samples[:PIECE])
        begun = time.process_time()
        for at in range(0, len(samples), PIECE):
            for stream in streams:
                stream.push(samples[at : at + PIECE])
        used = (time.process_time() - begun) / given.seconds
        print(f"{count:3} streams: {used:.4f} s of one core per second, {used / count:.5f} per stream")
    stream = detector.stream()
    tracemalloc.start()
    peaks = []
    for _ in range(3):
        for at in range(0, len(samples), PIECE):
            stream.push(samples[at : at + PIECE])
        peaks.append(tracemalloc.get_traced_memory()[1])
    print("peak memory of a stream after each third:", ", ".join(f"{peak / 1024:.0f} KiB" for peak in peaks))


if __name__ == "__main__":
    main()
