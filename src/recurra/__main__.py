"""`python -m recurra`, which `torchrun -m recurra` needs."""

from recurra.cli.main import main

main()
