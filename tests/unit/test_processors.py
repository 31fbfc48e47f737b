"""Number of processors that a process may use: control groups of both versions, laid out as by the kernel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recurra.processors import THREAD_VARIABLES, Processors, processors

ROOT_MOUNT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw"


def laid_out(root: Path, groups: str, mounts: list[str], files: dict[str, str]) -> Processors:
    proc = root / "proc/self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(groups)
    (proc / "mountinfo").write_text("\n".join([ROOT_MOUNT, *mounts]) + "\n")
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return processors(root)


V2 = ["31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"]
V1 = [
    "31 23 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755",
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct",
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw shared:13 - cgroup cgroup rw,cpuset",
]


@pytest.mark.parametrize(
    ("groups", "mounts", "files", "quota"),
    [
        # Version 2: the group of a container, which the container sees as the root.
        ("0::/\n", V2, {"sys/fs/cgroup/cpu.max": "100000 100000"}, 1.0),
        ("0::/\n", V2, {"sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ("0::/\n", V2, {"sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ("0::/\n", V2, {"sys/fs/cgroup/cpu.max": "50000 100000"}, 0.5),
        ("0::/\n", V2, {}, None),
        # The smallest quota on the path to the root applies.
        (
            "0::/user.slice/job\n",
            V2,
            {
                "sys/fs/cgroup/user.slice/cpu.max": "200000 100000",
                "sys/fs/cgroup/user.slice/job/cpu.max": "max 100000",
            },
            2.0,
        ),
        # Version 1.
        (
            "4:cpu,cpuacct:/job\n3:cpuset:/\n0::/\n",
            V1,
            {
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "250000",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        (
            "4:cpu,cpuacct:/\n",
            V1,
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            None,
        ),
        # Version 1 in a container: the group has its name on the host and is mounted as the root.
        (
            "4:cpu,cpuacct:/docker/f00\n",
            ["33 31 0:30 /docker/f00 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct"],
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "50000",
            },
            2.0,
        ),
        # A group outside the mounted one.
        ("0::/../other\n", V2, {"sys/fs/cgroup/cpu.max": "300000 100000"}, 3.0),
        # Unreadable files set no limit.
        ("0::/\n", V2, {"sys/fs/cgroup/cpu.max": "many"}, None),
        ("nonsense\n", V2, {}, None),
    ],
)
def test_a_quota_is_found(tmp_path, groups, mounts, files, quota):
    found = laid_out(tmp_path, groups, mounts, files)
    assert found.quota == quota
    assert found.cores == os.cpu_count()
    assert found.allowed == len(os.sched_getaffinity(0))


def test_no_proc_is_no_limit(tmp_path):
    assert processors(tmp_path).quota is None


@pytest.mark.parametrize(
    ("allowed", "quota", "threads"),
    [(8, None, 8), (8, 4.0, 4), (8, 2.9, 2), (8, 0.5, 1), (2, 16.0, 2), (1, None, 1)],
)
def test_as_many_threads_as_can_run_at_once(allowed, quota, threads):
    assert Processors(8, allowed, quota).threads == threads


def test_what_is_found_is_said():
    assert str(Processors(8, 8, None)) == "8 cores"
    assert str(Processors(8, 2, 1.5)) == "2 of 8 cores by affinity, quota of 1.5 processors by control group"


CODE = """
import os
import recurra.processors as processors
# Not what importing it found out here.
for name in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "RECURRA_THREADS_BY_QUOTA"):
    if name not in {given!r}:
        os.environ.pop(name, None)
found = processors.Processors(4, 4, {quota})
processors.processors = lambda: found
{before}
processors.prepare_threads()
print(os.environ.get("OMP_NUM_THREADS"), os.environ.get("GOMP_SPINCOUNT"))
"""


@pytest.fixture
def group_of_one(tmp_path):
    """A control group of this machine with a quota of one processor: its file of processes."""
    version_1, version_2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    quota = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"}
    quota = quota if version_1.is_dir() else {"cpu.max": "100000 100000"}
    group = (version_1 if version_1.is_dir() else version_2) / f"recurra-{os.getpid()}"
    try:
        group.mkdir()
        for name, text in quota.items():
            (group / name).write_text(text)
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    yield group / "cgroup.procs"
    group.rmdir()


@pytest.mark.parametrize(
    "command",
    [
        ["-c", "import recurra as rc, torch; rc.LSTM; print('threads', torch.get_num_threads())"],
        ["-m", "recurra", "doctor"],
    ],
)
def test_a_quota_of_one_processor_is_one_thread(group_of_one, command):
    """In a real control group, through the API and on the command line."""
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core only")
    inherited = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    enter = f'echo $$ > {group_of_one} && exec {sys.executable} "$@"'
    done = subprocess.run(
        ["sh", "-c", enter, "sh", *command], capture_output=True, text=True, check=True, env=inherited
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("threads"))
    assert line.split()[1] == "1"


@pytest.mark.parametrize(
    ("quota", "before", "variables", "said"),
    [
        (1.0, "", {}, "1 10000"),
        (None, "", {}, "None 10000"),
        (9.0, "", {}, "None 10000"),
        (1.0, "", {"OMP_NUM_THREADS": "3"}, "3 10000"),
        (1.0, "", {"MKL_NUM_THREADS": "3", "GOMP_SPINCOUNT": "7"}, "None 7"),
        (1.0, "", {"OMP_WAIT_POLICY": "active"}, "1 None"),
        # Once torch is loaded, its threads exist, and a call may have set their number.
        (1.0, "import torch", {}, "None None"),
    ],
)
def test_torch_is_told_before_it_is_loaded(quota, before, variables, said):
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in names} | variables
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(quota=quota, before=before, given=list(variables))],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.strip() == said
