"""The number of processors that this process may use, by its affinity and its control group's quota.

A container with `--cpus=1` on a machine with 64 cores sees all of them. If a process starts one thread per
core, all its threads are stopped for the rest of each period once the quota is used up.

    version 2   cpu.max            "100000 100000": quota and period in microseconds, or "max"
    version 1   cpu.cfs_quota_us, cpu.cfs_period_us; a quota of -1 means no limit

A group's parents also limit it, so the smallest quota on the path to the root applies.
Source: the kernel's documentation, admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

# How often torch's threads (GNU OpenMP) poll for work before they sleep: some tenths of a millisecond. The
# default is at least ten times as long; with it, on a machine shared with other processes, two threads of
# torch.nn were 380 times slower than one. With a fifth of this value, waking the threads slows small layers.
_SPINS = "10000"
_SET_BY_QUOTA = "RECURRA_THREADS_BY_QUOTA"  # inherited by child processes
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Processors(NamedTuple):
    """`cores` of the machine, cores `allowed` by affinity, and control groups' `quota` in processors."""

    cores: int
    allowed: int
    quota: float | None

    @property
    def threads(self) -> int:
        """The number of threads that can always run at the same time: at least one."""
        return self.allowed if self.quota is None else max(1, min(self.allowed, int(self.quota)))

    def __str__(self) -> str:
        """Return text such as "2 of 64 cores by affinity, quota of 1.5 processors by control group"."""
        text = (
            f"{self.cores} cores"
            if self.allowed == self.cores
            else f"{self.allowed} of {self.cores} cores by affinity"
        )
        return text if self.quota is None else f"{text}, quota of {self.quota:g} processors by control group"


def processors(root: Path = Path("/")) -> Processors:
    """Return the processors that this process may use; /proc and the control groups are mounted in `root`."""
    cores = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    quotas = [quota for quota in _quotas(root) if quota is not None]
    return Processors(cores, allowed, min(quotas, default=None))


def prepare_threads() -> None:
    """Limit torch's threads to the number that may run, and make them sleep when they wait for long.

    Environment variables that are already set are kept: OMP_NUM_THREADS, MKL_NUM_THREADS, GOMP_SPINCOUNT,
    OMP_WAIT_POLICY. Does nothing if torch is already loaded, because its threads are then already set up.
    """
    if "torch" in sys.modules:
        return
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    found = processors()
    if found.threads < found.allowed and not any(name in os.environ for name in THREAD_VARIABLES):
        os.environ["OMP_NUM_THREADS"] = os.environ[_SET_BY_QUOTA] = str(found.threads)


def set_by_quota() -> bool:
    """Return whether `prepare_threads` set OMP_NUM_THREADS because of the control group's quota."""
    return _SET_BY_QUOTA in os.environ and os.environ.get("OMP_NUM_THREADS") == os.environ[_SET_BY_QUOTA]


def _quotas(root: Path) -> Iterator[float | None]:
    """Yield the quota of each group of this process and of its parents, in processors; None for no limit."""
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return  # not Linux, or not readable
    for line in groups:
        _, _, rest = line.partition(":")
        controllers, separator, path = rest.partition(":")
        if not separator or (controllers and "cpu" not in controllers.split(",")):
            continue
        for mounted_root, mount in _mounts_of(mounts, version_2=not controllers):
            yield from map(_quota_of, _with_parents(root / mount.lstrip("/"), mounted_root, path))


def _mounts_of(mounts: list[str], version_2: bool) -> Iterator[tuple[str, str]]:
    """Yield the mounts of a hierarchy: the group at the mount, and the folder.

    A line of mountinfo: 36 35 98:0 /group /mnt rw,noatime master:1 - cgroup cgroup rw,cpu,cpuacct
    """
    for line in mounts:
        head, separator, tail = line.partition(" - ")
        fields, kinds = head.split(), tail.split()
        if not separator or len(fields) < 5 or len(kinds) < 3:
            continue
        if kinds[0] == ("cgroup2" if version_2 else "cgroup") and (version_2 or "cpu" in kinds[2].split(",")):
            yield fields[3], fields[4]


def _with_parents(mount: Path, mounted_root: str, path: str) -> Iterator[Path]:
    """Yield a group's folder and those of its parents, up to the mount of the hierarchy.

    In a container the group's name may be that of the host and be outside the mounted part; the mount itself
    is then the group.
    """
    group = PurePosixPath(path)
    inside = group.relative_to(mounted_root) if group.is_relative_to(mounted_root) else PurePosixPath()
    if ".." in inside.parts:
        inside = PurePosixPath()
    folder = mount / inside
    yield folder
    while folder != mount:
        folder = folder.parent
        yield folder


def _quota_of(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        return None if quota == "max" or int(quota) <= 0 else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
