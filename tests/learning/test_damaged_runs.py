"""After damage to any file of a run, each command gives the original result or names the file.

A trial is one damage to one file of a trained run, and one command on it. Afterwards no other file has
changed, and `--overwrite` trains as in a new folder.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from whole_runs import (
    KINDS,
    Runs,
    Said,
    files_of,
    make_runs,
    names_of,
    quick_pictures,
    recurra,
    refusal,
    result_of,
)

TALLY: Counter[str] = Counter()


class Whole(NamedTuple):
    """Runs of one kind, the result of each command on the intact run, and the result of a second training."""

    runs: Runs
    wanted: dict[str, tuple[Said, object]]
    anew: dict[str, object]
    names_anew: set[str]


@pytest.fixture(scope="module", autouse=True)
def _quick_pictures():
    with quick_pictures():
        yield


@pytest.fixture(scope="module", params=sorted(KINDS))
def whole(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    runs, wanted = make_runs(folder, KINDS[request.param]), {}
    for name in runs.uses():
        runs.copy()
        wanted[name] = runs.use(name)
    shutil.rmtree(runs.run)
    assert recurra(*runs.train(**runs.kind.other)).code == 0
    return Whole(runs, wanted, result_of(runs.run), names_of(runs.run))


class Damage(NamedTuple):
    """A damage to one file or folder of a run."""

    name: str
    what: str
    do: Callable[[Path], None]

    def __str__(self) -> str:
        return f"{self.name}, {self.what}"


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def make_folder_of(path: Path) -> None:
    remove(path)
    path.mkdir()


def make_full_folder_of(path: Path) -> None:
    make_folder_of(path)
    (path / "mine.txt").write_text("a person's own")


def make_file_of(path: Path) -> None:
    remove(path)
    path.write_text("a person's own")


def empty(path: Path) -> None:
    for entry in list(path.iterdir()):
        remove(entry)


def becomes(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def damages_of_file(name: str, content: bytes, draw: random.Random, flips: int) -> Iterator[Damage]:
    yield Damage(name, "missing", remove)
    yield Damage(name, "a folder", make_folder_of)
    yield Damage(name, "a folder with a file", make_full_folder_of)
    yield Damage(name, "with a byte more", becomes(content + b"x"))
    if not content:
        return
    yield Damage(name, "empty", becomes(b""))
    yield Damage(name, "cut in half", becomes(content[: len(content) // 2]))
    yield Damage(name, "without its last byte", becomes(content[:-1]))
    at = draw.randrange(len(content))
    yield Damage(name, f"not UTF-8 at {at}", becomes(content[:at] + b"\xe9\xff" + content[at + 1 :]))
    for at in sorted(draw.sample(range(len(content)), min(flips, len(content)))):
        bit = 1 << draw.randrange(8)
        flipped = content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]
        yield Damage(name, f"byte {at} flipped by {bit}", becomes(flipped))
    at = draw.randrange(len(content))
    yield Damage(name, f"cut at {at}", becomes(content[:at]))


def damages_of_folder(name: str) -> Iterator[Damage]:
    yield Damage(name, "missing", remove)
    yield Damage(name, "empty", empty)
    yield Damage(name, "a file", make_file_of)


def damages_of(folder: Path, draw: random.Random, flips: int) -> dict[str, list[Damage]]:
    """All damages, by the file or folder that is damaged."""
    return {
        name: list(
            damages_of_folder(name) if content is None else damages_of_file(name, content, draw, flips)
        )
        for name, content in files_of(folder).items()
    }


def changed(before: dict[str, bytes | None], after: dict[str, bytes | None]) -> set[str]:
    return {name for name in before | after if before.get(name, "") != after.get(name, "")}


def names_the_file(sentence: str, path: Path) -> bool:
    """Whether a sentence names the damaged path or one in it; for a missing path, its folder.

    If a checksum and a file differ, either of them may be damaged: both are named.
    """
    beside = path.name in sentence or not path.exists()
    return str(path) in sentence or (str(path.parent) in sentence and beside)


def check_use(whole: Whole, damage: Damage, use: str) -> None:
    """One trial: a command on a damaged run."""
    runs = whole.runs
    run = runs.copy()
    damage.do(run / damage.name)
    before = files_of(run)
    said, made = runs.use(use)
    where = (runs.kind.task, str(damage), use, said)
    same = (said, made) == whole.wanted[use]
    TALLY["the same" if same else "named"] += 1
    if said.code == 0 and not same:
        # The length of the file is recorded nowhere else; the report names what is missing.
        assert (use, damage.name) == ("report", "metrics.jsonl"), where
        assert not (run / "checkpoint").exists(), where
        assert b"the last lines of metrics.jsonl are missing" in made
    if said.code and not same:
        assert names_the_file(refusal(said), run / damage.name), where
    if use == "resume":
        if said.code:
            check_mended(whole, damage)
        return
    found = changed(before, files_of(run))
    assert found <= ({".recurra", "report.html"} if use == "report" else set()), (where, found)


def check_mended(whole: Whole, damage: Damage) -> None:
    """When the damage is undone, a refused `--resume` has lost nothing."""
    source, target = whole.runs.whole / damage.name, whole.runs.run / damage.name
    if target.exists():
        remove(target)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    said, made = whole.runs.use("resume")
    expected, result = whole.wanted["resume"]
    assert (said.code, made) == (expected.code, result), (whole.runs.kind.task, str(damage), said)


def in_the_way(run: Path, damage: Damage) -> bool:
    """Whether a user's file has the place of a run's file, outside folders that belong to the run alone."""
    is_own = damage.name.split("/")[0] in ("checkpoint", "events")
    return not is_own and damage.what in ("a folder with a file", "a file")


def check_overwrite(whole: Whole, damage: Damage) -> None:
    """One trial: training over the damaged run gives the same as in a new folder, or names the obstacle."""
    runs = whole.runs
    run = runs.copy()
    damage.do(run / damage.name)
    before, command = files_of(run), runs.overwrite()
    said = recurra(*command)
    TALLY[f"code {said.code}"] += 1
    where = (runs.kind.task, str(damage), "overwrite", said)
    if in_the_way(run, damage):
        sentence = refusal(said)
        assert sentence.startswith(f"error: {run / damage.name}: "), where
        assert "move" in sentence, where
        assert "elsewhere" in sentence, where
        assert changed(before, files_of(run)) <= {".recurra"}, where
        remove(run / damage.name)
        said = recurra(*command)
    assert said.code == 0, (where, said)
    assert result_of(run) == whole.anew, where
    assert names_of(run) == whole.names_anew, where


def test_what_cannot_be_known_for_a_run_is_left_alone(whole):
    """Without the first line of .recurra and without a valid run.toml, a folder may be the user's own."""
    runs = whole.runs
    run = runs.copy()
    (run / ".recurra").write_bytes(b"")
    (run / "run.toml").write_text("task = ")
    before = files_of(run)
    for command in (runs.overwrite(), runs.uses()["resume"], runs.uses()["report"], runs.uses()["evaluate"]):
        assert str(run) in refusal(recurra(*command))
        assert files_of(run) == before or command[0] == "report"


def test_some_damage_to_every_file_is_named_or_harmless(whole):
    draw, slow = random.Random(1), ["report", "resume"]
    quick = [use for use in whole.runs.uses() if use not in slow]
    for number, choices in enumerate(damages_of(whole.runs.whole, draw, 8).values()):
        damage = draw.choice(choices)
        for use in (*draw.sample(quick, 2), slow[number % 2]):
            check_use(whole, damage, use)
        if number % 3 == 0:
            check_overwrite(whole, damage)


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A run with its own cache, with texts old enough to be identified by time; and outputs of commands."""
    folder = tmp_path_factory.mktemp("cached")
    with pytest.MonkeyPatch.context() as patches:
        patches.setenv("RECURRA_CACHE", str(folder / "cache"))
        runs = make_runs(folder, KINDS["lm"])
        for file in (*runs.data.values(), *runs.other_data.values()):
            os.utime(file, (1e9, 1e9))
        runs.copy()
        wanted = {use: runs.use(use) for use in ("evaluate", "evaluate --data", "resume")}
        assert recurra(*runs.train(runs.folder / "anew")).code == 0
        shutil.copytree(folder / "cache", folder / "whole cache")
        yield runs, wanted, result_of(runs.folder / "anew")


def check_cache(cached, damage: Damage, *, anew: bool) -> None:
    """One trial: a damaged part of the cache is made again; if that is impossible, it is named."""
    runs, wanted, result = cached
    cache = runs.folder / "cache"

    def damaged() -> None:
        shutil.rmtree(cache)
        shutil.copytree(runs.folder / "whole cache", cache)
        damage.do(cache / damage.name)

    may_be_named = damage.what == "a file" and "/" not in damage.name  # may be the user's
    for use, expected in wanted.items():
        if use == "resume" and not anew:
            continue
        damaged()
        said, made = runs.use(use)
        TALLY[f"cache, code {said.code}"] += 1
        if said.code and may_be_named:
            assert refusal(said).startswith(f"error: {cache / damage.name}: "), said
            assert refusal(said).endswith("; move the existing file or folder elsewhere."), said
        else:
            assert (said, made) == expected, (str(damage), use)
    if anew and not may_be_named:
        damaged()
        said = recurra(*runs.train(runs.folder / "anew", "--overwrite"))
        assert said.code == 0, (str(damage), said)
        assert result_of(runs.folder / "anew") == result, str(damage)
        TALLY["cache, code 0"] += 1


def test_some_damage_to_the_cache_changes_no_result(cached):
    draw = random.Random(3)
    for number, choices in enumerate(damages_of(cached[0].folder / "whole cache", draw, 4).values()):
        check_cache(cached, draw.choice(choices), anew=number % 6 == 0)


@pytest.mark.slow
def test_much_damage_to_the_cache_changes_no_result(cached):
    for choices in damages_of(cached[0].folder / "whole cache", random.Random(4), 3).values():
        for damage in choices:
            check_cache(cached, damage, anew=True)
    print(dict(TALLY))


@pytest.mark.slow
def test_much_damage_to_every_file_is_named_or_harmless(whole):
    draw = random.Random(2)
    for choices in damages_of(whole.runs.whole, draw, 12).values():
        for damage in choices:
            for use in whole.runs.uses():
                check_use(whole, damage, use)
            check_overwrite(whole, damage)
    print(dict(TALLY))
