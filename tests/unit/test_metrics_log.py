"""The metrics log: each line has a checksum; the log is cut back to the state of a checkpoint."""

import json
import resource
import zlib

import pytest
from small_runs import in_child

from recurra.errors import RunError, StorageError
from recurra.runs import MetricsLog, read_metrics


@pytest.fixture
def log(tmp_path) -> MetricsLog:
    return MetricsLog(tmp_path / "metrics.jsonl")


def records(*steps: int) -> list[dict[str, object]]:
    return [{"kind": "training", "step": step} for step in steps]


def test_records_come_back_without_their_sum(log):
    assert log.read() == []
    for record in records(1, 2):
        log.append(record)
    assert log.read() == records(1, 2)
    for line, record in zip(log.path.read_text().splitlines(), records(1, 2), strict=True):
        found = json.loads(line)
        assert list(found)[-1] == "crc32"
        assert found["crc32"] == f"{zlib.crc32(json.dumps(record).encode()):08x}"


def test_metrics_are_cut_back_and_a_torn_line_is_left_out(log):
    log.append(records(1)[0])
    size = log.size
    log.append(records(2)[0])
    log.cut_back(size)
    assert log.read() == records(1)
    with log.path.open("a") as file:
        file.write('{"kind": "training", "step": 3, "lo')
    assert log.read() == records(1)
    log.append(records(4)[0])
    assert log.read() == records(1, 4)
    log.cut_back(0)
    assert log.read() == []


def test_a_torn_line_that_is_long_goes_whole(log):
    log.append(records(1)[0])
    with log.path.open("a") as file:
        file.write("{" * 200_000)
    log.append(records(2)[0])
    assert log.read() == records(1, 2)
    log.path.write_text("{" * 200_000)
    log.append(records(3)[0])
    assert log.read() == records(3)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\xff\xfe", "it is not UTF-8"),
        (b"{", "it is not JSON"),
        (b'"kind"', "it is not a JSON object"),
        (b'{"step": 3}', "it has no kind or no step"),
        (b'{"kind": 3, "step": 3}', "it has no kind or no step"),
        (b'{"kind": "training", "step": "3"}', "it has no kind or no step"),
        (b'{"kind": "training", "step": true}', "it has no kind or no step"),
        (b'{"kind": "training", "step": 3, "crc32": "00000000"}', "its crc32 differs"),
        (b'{"kind": "training", "step": 3, "crc33": "00000000"}', "its crc32 is damaged"),
        (b'{"kind": "training", "step": 3}', "it has no crc32"),
        (b"[" * 100_000, "it is not JSON"),
    ],
)
def test_a_damaged_line_is_named_and_can_be_blanked_out(log, line, why):
    log.append(records(1)[0])
    before = log.path.read_bytes()
    log.append(records(2)[0])
    after = log.path.read_bytes()[len(before) :]
    log.path.write_bytes(before + line + b"\n" + after)
    with pytest.raises(RunError, match=rf"metrics\.jsonl:2: is damaged \({why}.*replace each character"):
        read_metrics(log.path)
    with pytest.raises(RunError, match=r"metrics\.jsonl:2: is damaged"):
        log.cut_back(log.size)
    log.path.write_bytes(before + b" " * len(line) + b"\n" + after)
    log.cut_back(log.size)
    assert log.read() == records(1, 2)


def test_a_line_after_which_the_end_is_damaged_is_named(log):
    log.append(records(1)[0])
    log.path.write_bytes(log.path.read_bytes()[:-1] + b"x")
    with pytest.raises(RunError, match=r"metrics\.jsonl:1: is damaged"):
        log.read()


def test_missing_lines_are_named_and_can_be_gone_on_without(log):
    log.append(records(1)[0])
    first = log.size
    log.append(records(2)[0])
    size = log.size
    log.path.write_bytes(log.path.read_bytes()[first:])
    with pytest.raises(RunError, match=rf"lines are missing.*add {first} empty lines at its end"):
        log.cut_back(size)
    with log.path.open("ab") as file:
        file.write(b"\n" * first)
    log.cut_back(size)
    assert log.read() == records(2)
    log.path.unlink()
    with pytest.raises(RunError, match=r"metrics\.jsonl: lines are missing"):
        log.cut_back(size)


def test_a_file_whose_lines_moved_is_named(log):
    log.append(records(1)[0])
    log.append(records(2)[0])
    with pytest.raises(RunError, match=r"metrics\.jsonl: was changed"):
        log.cut_back(log.size - 3)


def test_lines_of_format_1_have_no_sum(log):
    log.path.write_text('{"kind": "training", "step": 1}\n')
    log.append(records(2)[0])
    assert log.read() == records(1, 2)


def test_a_full_disk_leaves_whole_lines(log):
    for step in range(20):
        log.append(records(step)[0])
    limit = log.size + 10

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(StorageError, match="no space left"):
            log.append(records(20)[0])

    assert in_child(fill) == 0
    assert log.path.read_bytes().endswith(b"\n")
    log.append(records(20)[0])
    assert log.read() == records(*range(21))


def test_what_cannot_be_read_or_written_is_named(tmp_path):
    log = MetricsLog(tmp_path)  # a folder
    with pytest.raises(RunError, match="cannot be read"):
        log.read()
    with pytest.raises(StorageError, match="cannot be written"):
        log.append(records(1)[0])


def test_a_line_of_format_1_may_end_with_a_text(tmp_path):
    """Like the final records of translators, with the signature of a score."""
    path = tmp_path / "metrics.jsonl"
    record = {"kind": "final", "step": 3, "chrf_signature": "nrefs:1|case:mixed|eff:yes|nc:6"}
    path.write_text(json.dumps(record) + "\n")
    assert read_metrics(path) == [record]
