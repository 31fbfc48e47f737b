"""The native extension module: its availability, its instruction set and its threads.

It is loaded once, when this module is imported. `RECURRA_ISA` then forces the kernels of one instruction set;
`RECURRA_NO_NATIVE=1` turns all of them off, and is checked at each call.
"""

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

import torch

from recurra.errors import BackendUnavailable


class Loaded(NamedTuple):
    """The extension module, or why it is absent; and why the requested instruction set cannot be used."""

    module: Any = None
    absent: str | None = None
    fault: str | None = None


def load(importer: Callable[[str], Any] = import_module, instruction_set: str | None = None) -> Loaded:
    """Load the extension and make it run on torch's threads."""
    try:
        module = importer("recurra._native")
    except ModuleNotFoundError:
        return Loaded(absent="no compiler was found when the package was installed")
    except ImportError as error:
        return Loaded(absent=f"the native part of this installation does not load ({error})")
    addresses = _openmp_addresses()
    if addresses is not None:
        module.use_openmp(*addresses)
    if instruction_set and not module.use_instruction_set(instruction_set):
        return Loaded(
            module,
            fault=f"RECURRA_ISA: got {instruction_set!r}, expected one of "
            f"{', '.join(module.instruction_sets())}, which this build and this processor support; "
            "unset it to use the best",
        )
    return Loaded(module)


def extension() -> Any:
    """Return the native module; call it only if `unavailable` returns None.

    Raises: BackendUnavailable if RECURRA_ISA names kernels that are not available.
    """
    if _loaded.fault is not None:
        raise BackendUnavailable(_loaded.fault)
    return _loaded.module


def unavailable() -> str | None:
    """Return why no native kernel can run here, or None if they can."""
    if os.environ.get("RECURRA_NO_NATIVE") == "1":
        return "RECURRA_NO_NATIVE=1 is set"
    return _loaded.absent


def available() -> bool:
    """Return whether native kernels can run here."""
    return unavailable() is None


def processor_features() -> list[str]:
    """Return the names of the processor's vector extensions; empty if the native part is not loaded."""
    if unavailable() is not None:
        return []
    features: list[str] = _loaded.module.processor_features()
    return features


def instruction_set() -> str | None:
    """Return the name of the instruction set of the kernels, or None if there are no kernels."""
    return None if unavailable() is not None else str(extension().instruction_set())


def has_wide_vectors() -> bool:
    """Return whether the kernels had vectors wide enough to beat torch's functions when they were loaded."""
    if _loaded.fault is not None:
        raise BackendUnavailable(_loaded.fault)
    return _has_wide_vectors


class Watch(NamedTuple):
    """The start of a run of torch's own functions, in wall-clock time and in CPU time of this thread.

    When other processes use much of the processors' time, torch's waiting threads spin and use up the rest.
    The native part then makes them sleep for a while, like its own threads (native/parallel.h).
    """

    threads: int
    clock_ns: int
    own_ns: int

    @classmethod
    def begin(cls) -> "Watch | None":
        """Start a watch; return None with a single thread or without the native part."""
        threads = torch.get_num_threads()
        if threads == 1 or unavailable() is not None:
            return None
        return cls(threads, time.perf_counter_ns(), time.thread_time_ns())

    def end(self) -> None:
        """Report the elapsed times to the native part."""
        all_ns, own_ns = time.perf_counter_ns() - self.clock_ns, time.thread_time_ns() - self.own_ns
        _loaded.module.watch(self.threads, all_ns // 1000, own_ns // 1000)


def _loaded_libraries() -> Iterator[str]:
    """Return the loaded files that may be an OpenMP library, torch's own first; none if /proc is unavailable.

    Other packages, such as scikit-learn, load their own OpenMP library."""
    try:
        with open("/proc/self/maps", encoding="utf-8") as maps:
            files = {line.split(maxsplit=5)[-1].strip() for line in maps if "omp" in line}
    except OSError:
        return
    names = ("libgomp", "libomp", "libiomp")
    of_torch = os.path.dirname(torch.__file__)
    found = [file for file in files if os.path.basename(file).startswith(names)]
    yield from sorted(found, key=lambda file: (not file.startswith(of_torch), file))


def _openmp_addresses() -> tuple[int, ...] | None:
    """Return the addresses of two functions of torch's OpenMP library, or None if it is not found."""
    names = ("GOMP_parallel", "omp_get_thread_num")
    for file in _loaded_libraries():
        try:
            library = ctypes.CDLL(file)
            functions = [getattr(library, name) for name in names]
        except (OSError, AttributeError):
            continue
        return tuple(ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions)
    return None


_loaded = load(instruction_set=os.environ.get("RECURRA_ISA"))
_has_wide_vectors = _loaded.module is not None and _loaded.module.instruction_set() != "plain"
