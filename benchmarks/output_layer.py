"""Speed and memory of the output layer, compared with F.linear and F.cross_entropy, forward and backward.

    python benchmarks/output_layer.py [--seconds 3.0] [--threads 1 2] [--json FILE]

The columns are medians, their ratio (above 1: recurra is faster) and the percentage of the processor's peak
that recurra reaches, counting three matrix products. With "sum", gradients are computed together with the
loss; with "none", each token's loss has its own weight, and the logits are computed again. MiB is the peak
memory of a process minus its memory with all inputs and gradients allocated.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from memory import memory_mib
from timing import Row, Run, agree, parser
from torch import Tensor

from recurra.layers import linear_cross_entropy

SHAPES = [(700, 200, 10_000), (1_120, 650, 10_000)]  # N, H, V


def ours(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, reduction: str) -> Tensor:
    return linear_cross_entropy(hidden, weight, bias, targets, reduction=reduction)


def torchs(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, reduction: str) -> Tensor:
    return F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction=reduction)


LOSSES = {"recurra": ours, "torch": torchs}


def problem(N: int, H: int, V: int) -> tuple[list[Tensor], Tensor]:
    inputs = [torch.randn(N, H), torch.randn(V, H).mul_(0.05), torch.zeros(V)]
    return [each.requires_grad_() for each in inputs], torch.randint(V, (N,))


def training_step(
    name: str, inputs: list[Tensor], targets: Tensor, reduction: str, weights: Tensor | None
) -> Callable[[], None]:
    """A function that computes and discards all gradients; with "none", each token's loss has a weight."""
    weights = weights if reduction == "none" else None

    def call() -> None:
        LOSSES[name](*inputs, targets, reduction).backward(weights)
        for each in inputs:
            each.grad = None

    return call


def gradients(
    name: str, inputs: list[Tensor], targets: Tensor, reduction: str, weights: Tensor
) -> list[Tensor]:
    losses = LOSSES[name](*inputs, targets, reduction)
    return [losses, *torch.autograd.grad(losses, inputs, weights if reduction == "none" else None)]


def print_temporaries(name: str, reduction: str, N: int, H: int, V: int) -> None:
    """Print the memory of one call beyond inputs, loss and gradients, in MiB; needs a separate process."""
    inputs, targets = problem(N, H, V)
    weights = torch.rand(N)
    training_step(name, *problem(9, 8, 40), reduction, torch.rand(9))()
    for each in inputs:
        each.grad = torch.zeros_like(each)  # allocates the pages
        each.grad.fill_(1.0)
    held = memory_mib()
    for each in inputs:
        each.grad = None
    training_step(name, inputs, targets, reduction, weights)()
    print(max(0.0, memory_mib(highest=True) - held))


def temporaries_mib(name: str, reduction: str, shape: tuple[int, int, int], threads: int) -> float:
    what = [name, reduction, *map(str, shape)]
    command = [sys.executable, __file__, "--temporaries", *what, "--threads", str(threads)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return round(float(found), 1)


def measure(run: Run, threads: int) -> None:
    """Add the rows for one number of threads."""
    torch.set_num_threads(threads)
    for shape in SHAPES:
        inputs, targets = problem(*shape)
        weights = torch.rand(shape[0])
        for reduction in ("sum", "none"):
            of_torch, of_ours = (
                gradients(name, inputs, targets, reduction, weights) for name in ("torch", "recurra")
            )
            agree(f"output layer, {reduction}", of_torch, of_ours)
            run.status(f"{','.join(map(str, shape))}  {reduction}  threads {threads}          ")
            run.peak.measure(threads)
            timings = run.interleaved(
                {name: training_step(name, inputs, targets, reduction, weights) for name in LOSSES}
            )
            ratio = timings["torch"].median_ms / timings["recurra"].median_ms
            run.rows.append(
                {
                    "shape": list(shape),
                    "threads": threads,
                    "reduction": reduction,
                    "gflop": 6e-9 * shape[0] * shape[1] * shape[2],
                    "recurra": timings["recurra"].as_json(),
                    "torch": timings["torch"].as_json() | {"ratio": round(ratio, 2)},
                    "recurra_mib": temporaries_mib("recurra", reduction, shape, threads),
                    "torch_mib": temporaries_mib("torch", reduction, shape, threads),
                }
            )


def main() -> None:
    arguments = parser(__doc__, seconds=3.0)
    arguments.add_argument("--temporaries", nargs=5, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    torch.manual_seed(0)
    if options.temporaries:
        torch.set_num_threads(options.threads[0])
        name, reduction, *shape = options.temporaries
        return print_temporaries(name, reduction, *map(int, shape))
    run = Run("output_layer", options)
    for threads in options.threads:
        measure(run, threads)
    run.add_percents()

    def cells(row: Row) -> list[str]:
        percents = [row["percent_of_peak"], row["percent_at_best"]]
        head = [",".join(map(str, row["shape"])), str(row["threads"]), row["reduction"]]
        figures = [f"{row['recurra']['ms']:.1f}", f"{row['torch']['ms']:.1f}", f"{row['torch']['ratio']:.2f}"]
        figures += [f"{row['gflops']:.0f}", *("" if one is None else f"{one:.0f}" for one in percents)]
        return [*head, *figures, f"{row['recurra_mib']:.1f}", f"{row['torch_mib']:.1f}"]

    columns = [
        "N,H,V|",
        "threads",
        "loss|",
        "recurra ms",
        "torch ms",
        "ratio",
        "GF/s",
        "% of peak",
        "% at best",
    ]
    columns += ["recurra MiB", "torch MiB"]
    return run.finish("output layer, forward and backward, medians", columns, cells)


if __name__ == "__main__":
    main()
