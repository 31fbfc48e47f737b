"""Entry point of `python -m recurra` and `torchrun -m recurra`."""

from recurra.cli.main import main

main()
