"""Generation of problems one by one, as one text, or as a file."""

from collections.abc import Iterator
from pathlib import Path

from recurra.arguments import AtLeastOne, checks_arguments
from recurra.data.synthetic.kinematics.kind import Dice
from recurra.data.synthetic.kinematics.pairs import PAIRS
from recurra.data.synthetic.kinematics.problem import Problem
from recurra.data.synthetic.kinematics.projectiles import PROJECTILES
from recurra.data.synthetic.kinematics.road import ROAD
from recurra.data.synthetic.kinematics.vertical import VERTICAL
from recurra.files import written_whole

_KINDS = (*VERTICAL, *ROAD, *PAIRS, *PROJECTILES)
KINDS = tuple(kind.name for kind in _KINDS)


@checks_arguments
def generate(count: AtLeastOne, seed: int = 0) -> Iterator[Problem]:
    """Yield `count` problems of random kinds; the first ones do not depend on `count`.

    The same seed gives the same problems in every version of Python and on every machine: only
    `Random.random` is used, and values are rejected if the answer lies on a rounding boundary.

    Raises: ConfigError if `count` is below 1.
    """
    dice = Dice(seed)
    return (dice.pick(_KINDS).draw(dice) for _ in range(count))


@checks_arguments
def corpus(count: AtLeastOne, seed: int = 0) -> str:
    """Return `count` problems as one text: a problem, its answer on the next line, and a blank line between.

    Raises: ConfigError if `count` is below 1.
    """
    return "\n".join(problem.block for problem in generate(count, seed))


@checks_arguments
def write_corpus(path: str | Path, count: AtLeastOne, seed: int = 0) -> None:
    """Write `corpus(count, seed)` to `path` atomically, without holding it in memory.

    Raises: ConfigError if `count` is below 1; StorageError if the file cannot be written.
    """
    problems = generate(count, seed)
    with written_whole(Path(path)) as file:
        file.write(next(problems).block.encode())
        for problem in problems:
            file.write(f"\n{problem.block}".encode())
