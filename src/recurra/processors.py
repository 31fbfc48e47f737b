"""How many processors this process may use: those of its affinity, and what its control group's quota allows.

A container with `--cpus=1` on a machine of 64 cores sees all of them. Whoever starts as many threads as there
are cores is stopped for the rest of each period once the quota is used up, all threads at once.

    version 2   cpu.max            "100000 100000": quota and period in microseconds, or "max"
    version 1   cpu.cfs_quota_us, cpu.cfs_period_us; a quota of -1 is none

A group's parents limit it as well, so the smallest on the way to the root counts.
Source: the kernel's documentation, admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

# How often torch's threads (GNU OpenMP) look for work before they sleep: some tenths of a millisecond. Their
# default is ten times as long and more, so that on a machine that others use too two threads of torch.nn were
# 380 times slower than one; with a fifth of this, small layers are slowed by waking them.
_SPINS = "10000"
_SET_BY_QUOTA = "RECURRA_THREADS_BY_QUOTA"  # tells processes that are started from this one, too
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Processors(NamedTuple):
    """What this process may use: `cores` of the machine, `allowed` by affinity, `quota` by control groups."""

    cores: int
    allowed: int
    quota: float | None

    @property
    def threads(self) -> int:
        """As many threads as can run at once all the time: at least one."""
        return self.allowed if self.quota is None else max(1, min(self.allowed, int(self.quota)))

    def __str__(self) -> str:
        """For a person: "2 of 64 cores by affinity, quota 1.5 processors"."""
        text = (
            f"{self.cores} cores"
            if self.allowed == self.cores
            else f"{self.allowed} of {self.cores} cores by affinity"
        )
        return text if self.quota is None else f"{text}, quota of {self.quota:g} processors by control group"


def processors(root: Path = Path("/")) -> Processors:
    """Return what this process may use; `root` is where /proc and the control groups are mounted."""
    cores = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    quotas = [quota for quota in _quotas(root) if quota is not None]
    return Processors(cores, allowed, min(quotas, default=None))


def prepare_threads() -> None:
    """Let torch start no more threads than may run, and let them sleep where they wait for long.

    Variables that are set stay: OMP_NUM_THREADS, MKL_NUM_THREADS, GOMP_SPINCOUNT, OMP_WAIT_POLICY. Does
    nothing once torch is loaded: then it has its threads, and a call may have said how many.
    """
    if "torch" in sys.modules:
        return
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    found = processors()
    if found.threads < found.allowed and not any(name in os.environ for name in THREAD_VARIABLES):
        os.environ["OMP_NUM_THREADS"] = os.environ[_SET_BY_QUOTA] = str(found.threads)


def set_by_quota() -> bool:
    """Tell whether OMP_NUM_THREADS is what `prepare_threads` set for the control group's quota."""
    return _SET_BY_QUOTA in os.environ and os.environ.get("OMP_NUM_THREADS") == os.environ[_SET_BY_QUOTA]


def _quotas(root: Path) -> Iterator[float | None]:
    """The quota of each group of this process and of their parents, in processors; None for no limit."""
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return  # not Linux, or nothing to be seen
    for line in groups:
        _, _, rest = line.partition(":")
        controllers, separator, path = rest.partition(":")
        if not separator or (controllers and "cpu" not in controllers.split(",")):
            continue
        for mounted_root, mount in _mounts_of(mounts, version_2=not controllers):
            yield from map(_quota_of, _with_parents(root / mount.lstrip("/"), mounted_root, path))


def _mounts_of(mounts: list[str], version_2: bool) -> Iterator[tuple[str, str]]:
    """Where a hierarchy is mounted: which group lies there, and the folder.

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
    """A group's folder and those of its parents, up to where the hierarchy is mounted.

    In a container the group may be named as the machine sees it, and lie above or beside what is mounted:
    then what is mounted is the group.
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
