"""Threads, processes and instruction sets: each case in a separate process."""

import os
import subprocess
import sys

import pytest

from recurra.kernels import native

pytestmark = pytest.mark.needs_native

PRELUDE = """
import os
import time
import torch
from concurrent.futures import ThreadPoolExecutor
from recurra.errors import BackendUnavailable
from recurra.kernels import choose, native
from recurra.cells import GRUEquation
from recurra.layers import GRU, LSTM

torch.manual_seed(0)

def computed(layer, x):
    layer.zero_grad()
    output, _ = layer(x)
    gradients = torch.autograd.grad(output.square().sum(), list(layer.parameters()))
    return [output.detach(), *gradients]

def gap(a, b):
    return max(float((x - y).abs().max() / y.abs().max()) for x, y in zip(a, b, strict=True))

def same(a, b):
    return all(map(torch.equal, a, b))

layers = [GRU(40, 96, backend="native"), LSTM(40, 96, backend="native", peepholes=True)]
x = torch.randn(40, 20, 40)
"""


def python(code, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECURRA_")}
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + code],
        capture_output=True,
        text=True,
        timeout=120,
        env=inherited | {"OMP_NUM_THREADS": "2"} | environment,
        check=False,
    )


def succeeds(code, **environment):
    ran = python(code, **environment)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout.strip()


def test_bits_do_not_depend_on_how_many_threads_took_part():
    """If threads cost more time than they save, one thread continues with the work that was split for two."""
    succeeds("""
torch.set_num_threads(2)
want = [computed(layer, x) for layer in layers]
extension = native.extension()
extension.forget_runs()  # discard measurements of a busy machine
assert extension.threads_now(2) == 2
extension.judge_run(2, 500_000, 1_000)
assert extension.threads_now(2) == 1
assert all(same(computed(layer, x), found) for layer, found in zip(layers, want, strict=True))
extension.judge_run(2, 500_000, 1_000)  # the pause is a second, which may have passed
assert extension.threads_now(2) == 1
time.sleep(1.1)
assert extension.threads_now(2) == 2
""")


def test_torchs_threads_sleep_beside_others_and_wake_again():
    """The OpenMP library has more threads than processors while several threads cost time."""
    succeeds("""
def threads():
    return len(os.listdir("/proc/self/task"))

def becomes(more):
    end = time.monotonic() + 10
    while (threads() > before) != more and time.monotonic() < end:
        time.sleep(0.01)
    return (threads() > before) == more

extension = native.extension()
computed(layers[0], x)
time.sleep(1.5)  # until effects of a busy machine have ended
before = threads()
extension.forget_runs()
extension.watch(2, 9_000, 1)  # too short to decide
extension.watch(1, 90_000, 1)  # one thread never waits
time.sleep(0.2)
assert threads() == before
extension.watch(2, 15_000, 1)
assert becomes(True)
assert becomes(False)
extension.judge_run(2, 15_000, 1_000)
assert becomes(True)
assert becomes(False)
""")


def test_one_thread_or_two_give_the_same_and_each_its_own_bits():
    succeeds("""
for layer in layers:
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(computed(layer, x))
        for _ in range(5):
            assert same(computed(layer, x), results[-1])
    assert torch.equal(results[0][0], results[1][0])
    assert gap(*results) <= 1e-6, gap(*results)
""")


@pytest.mark.parametrize("threads", [1, 2])
def test_many_python_threads_at_once(threads):
    succeeds(f"""
torch.set_num_threads({threads})
want = [computed(layer, x) for layer in layers]
def work(number):
    torch.set_num_threads({threads})
    return same(computed(layers[number % 2], x), want[number % 2])
with ThreadPoolExecutor(4) as pool:
    for layer in layers:
        layer.zero_grad()
    assert all(pool.map(work, range(40)))
""")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("options", ["", "layer_norm=True"])
@pytest.mark.parametrize("training", [False, True])
def test_a_forked_child_computes_on_one_thread(options, training):
    """Only the scan: torch's own operations may wait for threads that the child process does not have."""
    succeeds(f"""
torch.set_num_threads(2)
layer, state = GRU(40, 96, backend="native", {options}), torch.zeros(20, 96)
def scan():
    with torch.set_grad_enabled({training}):
        return native.scan(layer.equation, x, state, layer.weights()[0][0])[0].detach()
layer(x)[0].sum().backward()  # by now torch has threads that wait
want = scan()
assert native.extension().has_threads()
child = os.fork()
if not child:
    import signal
    signal.alarm(20)
    few = not native.extension().has_threads()
    os._exit(0 if few and scan().numpy().tobytes() == want.numpy().tobytes() else 3)
assert os.waitpid(child, 0)[1] == 0
assert torch.equal(scan(), want)
""")


def test_the_only_openmp_library_is_torchs():
    libraries = succeeds("""
computed(layers[0], x)
files = {line.split()[-1] for line in open("/proc/self/maps") if "omp" in line.split("/")[-1]}
print(*sorted(file for file in files if os.path.basename(file).startswith(("libgomp", "libomp", "libiomp"))))
""").split()
    assert len(libraries) == 1
    assert "torch" in libraries[0]


@pytest.mark.parametrize("name", native.extension().instruction_sets() if native.available() else [])
def test_an_instruction_set_can_be_forced(name):
    chosen = succeeds(
        "equations = GRUEquation(), GRUEquation(reset='none')\n"
        "print(native.instruction_set(), *[choose('auto', equation, x) for equation in equations])",
        RECURRA_ISA=name,
    )
    assert chosen == f"{name} {'torch' if name == 'plain' else 'native'} native"


@pytest.mark.parametrize("backend", ["auto", "native"])
def test_an_instruction_set_that_is_not_there_is_one_sentence(backend):
    ran = python(f"GRU(2, 3, backend={backend!r})(torch.zeros(1, 1, 2))", RECURRA_ISA="mmx")
    last = ran.stderr.strip().splitlines()[-1]
    assert "BackendUnavailable: RECURRA_ISA: got 'mmx', expected one of " in last
    assert last.endswith("; unset it to use the best")
    assert "plain" in last
    assert not python("layers[0].backend = 'reference'; layers[0](x)", RECURRA_ISA="mmx").returncode


def test_life_without_the_kernels():
    said = succeeds(
        "layer = GRU(2, 3); layer(torch.zeros(1, 1, 2)); print(layer.backend_used, native.instruction_set())",
        RECURRA_NO_NATIVE="1",
    )
    assert said == "torch None"
