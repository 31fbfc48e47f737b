"""`recurra doctor`: what this installation is and can do."""

import json
import os
import platform
from importlib.util import find_spec
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Versions, processor, native part, GPU and optional packages of this installation."""
    import torch

    from recurra import __version__
    from recurra.kernels import native

    facts = {
        "recurra": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "processor": f"{platform.machine()}, {os.cpu_count()} cores",
        "processor features": ", ".join(native.processor_features()) or "not known without the native part",
        "native kernels": native.unavailable() or f"available ({native.instruction_set()})",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "tensorboard": "installed" if find_spec("tensorboard") else "not installed (recurra[tensorboard])",
        "music21": "installed" if find_spec("music21") else "not installed (recurra[music])",
    }
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        typer.echo(f"{name:<20} {value}")
