"""If a file of a run is damaged, its reader names the file or returns its original content."""

import pytest
from small_runs import attempt, begin, content_of, files_of, small_run

from recurra.errors import RunError
from recurra.runs import RunFolder
from recurra.runs.calibration_file import read_calibration

READERS = {
    "run.toml": lambda run: run.read_settings(),
    "model.safetensors": lambda run: plain(run.read_weights()),
    "calibration.json": lambda run: read_calibration(run),
    "metrics.jsonl": lambda run: run.metrics.read(),
    "checkpoint/LATEST": lambda run: loaded(run),
    "checkpoint/step-5/state.json": lambda run: loaded(run),
    "checkpoint/step-5/tensors.safetensors": lambda run: loaded(run),
    "checkpoint/step-5/SHA256SUMS": lambda run: loaded(run),
    "vocabulary.json": lambda run: run.check_artefacts(),
    "source/vocabulary.json": lambda run: run.check_artefacts(),
    ".recurra": lambda run: content_of(run),
}
# These files hold no data of a run.
NOT_READ = {"report.html", "events/events.1"}


def plain(tensors):
    return {name: (tensor.dtype, tensor.tolist()) for name, tensor in tensors.items()}


def loaded(run: RunFolder):
    state, tensors = run.checkpoints.load()
    return state, plain(tensors)


@pytest.fixture
def run(tmp_path) -> RunFolder:
    return small_run(tmp_path / "run")


def test_every_file_has_a_reader(run):
    assert files_of(run.path).keys() == READERS.keys() | NOT_READ


def damaged(content: bytes):
    """A file truncated at every position, with every byte changed in several ways, and with an extra byte."""
    for place in range(len(content)):
        yield content[:place]
        for change in (0x01, 0x20, 0x80):
            yield content[:place] + bytes([content[place] ^ change]) + content[place + 1 :]
        if content[place : place + 1] != b"\n":
            yield content[:place] + b"\n" + content[place + 1 :]
    yield content + b"x"
    yield b"\0" * (len(content) - 1) + b"\n"


@pytest.mark.parametrize("name", READERS)
def test_damage_is_named_or_harmless(run, name):
    read, file = READERS[name], run.path / name
    want, content = read(run), file.read_bytes()
    named = 0
    for number, changed in enumerate(damaged(content)):
        if name == ".recurra" and number % 29:  # slow, because everything is read
            continue
        file.write_bytes(changed)
        got, told = attempt(lambda: read(run))
        if told:
            named += 1
            assert told.startswith((str(file), str(file.parent))), told
            assert told.endswith("."), told
        else:
            torn = name == "metrics.jsonl" and content.startswith(changed)
            assert got == want or (torn and got == want[: len(got)]), changed
    assert named or name in (".recurra", "checkpoint/LATEST")
    file.unlink()
    got, told = attempt(lambda: read(run))
    if told:
        assert name.rsplit("/")[-1] in told or "has no model yet" in told
    else:
        # Without calibration.json, a run is not calibrated.
        assert got == want or (name, got) in (("metrics.jsonl", []), ("calibration.json", None))


def test_every_byte_of_a_record_that_could_pass_for_another_is_told(tmp_path):
    run = begin(tmp_path / "run")
    run.metrics.append({"kind": "training", "step": 4, "x": 1.5})
    path = run.metrics.path
    content = path.read_bytes()
    for place in range(len(content)):
        for value in set(b'{}[]",:\\ \t\r\n\0+-.0159aefklntu\x7f\x80\xff') - {content[place]}:
            path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
            with pytest.raises(RunError, match=r"metrics\.jsonl:[12]: is damaged"):
                run.metrics.read()


def test_a_damaged_marker_is_mended(run):
    marker = run.path / ".recurra"
    content, before = marker.read_bytes(), content_of(run)
    for place in (0, 5, len(content) // 2, len(content) - 2):
        marker.write_bytes(content[:place] + b"#" + content[place:])
        with run.locked():
            assert content_of(run) == before
    assert marker.read_bytes().startswith(content.split(b"\n")[0])
    begin(run.path, overwrite=True)
    assert run.begun_only
