"""Inputs of the kernels of word vectors and GloVe that do not fit are one-sentence errors, never crashes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recurra.errors import ShapeError
from recurra.kernels.glove import GloveEntries, GloveState, train_glove
from recurra.kernels.word_vectors import WordContexts, WordOutputs, WordTrainer, padded_rows

V, D = 5, 3
TOKENS = np.array([0, 1, 2, 3, 4, 1], np.int32)
STARTS = np.array([0, 2, 6], np.int64)
DRAWN = WordOutputs(2, np.ones(V, np.float32), np.arange(V, dtype=np.int32))
TREE = WordOutputs(
    path_starts=np.array([0, 1, 3, 5, 7, 9], np.int32),
    path_nodes=np.array([3, 3, 2, 2, 1, 1, 0, 1, 0], np.int32),
    path_labels=np.zeros(9, np.float32),
)
PARTS = (np.array([0, 2, 3, 4, 5, 6], np.int64), np.array([0, 5, 1, 2, 3, 4], np.int32))

both_ways = pytest.mark.parametrize(
    "off", [pytest.param("0", marks=pytest.mark.needs_native), "1"], ids=["native", "reference"]
)


def train(
    *, input=None, output=None, contexts=None, outputs=DRAWN, text=(TOKENS, STARTS, 0, 2), run=None, **own
):
    """Build a trainer and train, both of which may raise."""
    own = {"vocabulary_size": V} | own
    trainer = WordTrainer(
        padded_rows(V + 1, D) if input is None else input,
        padded_rows(V, D) if output is None else output,
        contexts or WordContexts(window=2),
        outputs,
        **own,
    )
    return trainer.run(*text, rates=(0.1, 0.1), **(run or {}))


def one_sentence(error):
    text = str(error.value)
    assert "got " in text
    assert ", expected " in text
    assert "; " in text
    assert "\n" not in text
    assert len(text) < 200


def gaps(array):
    return np.repeat(array, 2)[::2]


BAD_ARRAYS = {
    "another dtype": lambda a: a.astype(np.float64),
    "wider integers": lambda a: a.astype(np.int64 if a.dtype != np.int64 else np.int32),
    "an axis more": lambda a: a[None],
    "one more": lambda a: np.concatenate([a, a[-1:]]),
    "one less": lambda a: a[:-1],
    "empty": lambda a: a[:0],
    "gaps": gaps,
    "a list": lambda a: a.tolist(),
}


@both_ways
@pytest.mark.parametrize("fault", BAD_ARRAYS)
def test_arrays_of_another_kind(fault, off, monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", off)
    train(keep=np.ones(V, np.float32), parts=PARTS)
    train(output=padded_rows(V - 1, D), outputs=TREE)
    change = BAD_ARRAYS[fault]
    shorter = fault in ("one more", "one less", "empty")
    wrong = [
        {"keep": change(np.ones(V, np.float32))},
        {"outputs": replace(DRAWN, alias=change(DRAWN.alias))},
        {"outputs": replace(DRAWN, alias_share=change(DRAWN.alias_share))},
        {"outputs": replace(TREE, path_starts=change(TREE.path_starts))},
        {"outputs": replace(TREE, path_labels=change(TREE.path_labels))},
        {"parts": (change(PARTS[0]), PARTS[1])},
    ]
    if fault != "one more":  # more nodes, rows or tokens than are used do no harm
        wrong += [
            {"outputs": replace(TREE, path_nodes=change(TREE.path_nodes))},
            {"parts": (PARTS[0], change(PARTS[1]))},
            {"text": (change(TOKENS), STARTS, 0, 2)},
        ]
    if not shorter:
        wrong.append({"text": (TOKENS, change(STARTS), 0, 2)})
    for each in wrong:
        with pytest.raises(ShapeError) as error:
            train(**each)
        one_sentence(error)


def replaced(array, at, value):
    changed = array.copy()
    changed[at] = value
    return changed


@both_ways
@pytest.mark.parametrize("bad", [-1, 2**31 - 1, -(2**31), 7])
def test_ids_outside(bad, off, monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", off)
    wrong = [
        {"text": (replaced(TOKENS, 5, bad), STARTS, 0, 2)},
        {"outputs": replace(DRAWN, alias=replaced(DRAWN.alias, 3, bad))},
        {"outputs": replace(TREE, path_nodes=replaced(TREE.path_nodes, 3, bad))},
        {"outputs": replace(TREE, path_starts=replaced(TREE.path_starts, 2, bad))},
        {"parts": (PARTS[0], replaced(PARTS[1], 4, bad))},
        {"parts": (replaced(PARTS[0], 3, bad), PARTS[1])},
        {"text": (TOKENS, replaced(STARTS, 1, bad), 0, 2)},
        {"text": (TOKENS, replaced(STARTS, 2, bad), 0, 2)},
        {"text": (TOKENS, STARTS, bad, 2)},
        {"text": (TOKENS, STARTS, 0, bad)},
    ]
    for each in wrong:
        with pytest.raises(ShapeError) as error:
            train(**each)
        one_sentence(error)


@both_ways
def test_ids_at_the_limits(off, monkeypatch):
    """V and the number of rows are just outside; a word without parts has no vector."""
    monkeypatch.setenv("RECURRA_NO_NATIVE", off)
    for each in (
        {"text": (replaced(TOKENS, 0, V), STARTS, 0, 2)},
        {
            "outputs": replace(TREE, path_nodes=replaced(TREE.path_nodes, 0, V - 1)),
            "output": padded_rows(V - 1, D),
        },
        {"parts": (PARTS[0], replaced(PARTS[1], 0, V + 1))},
        {"parts": (replaced(PARTS[0], 1, 0), PARTS[1])},
        {"input": padded_rows(V - 1, D)},
        {"output": padded_rows(V - 1, D)},
        {"output": padded_rows(V - 2, D), "outputs": TREE},
    ):
        with pytest.raises(ShapeError) as error:
            train(**each)
        one_sentence(error)


@both_ways
def test_matrices_that_the_kernels_cannot_read(off, monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", off)
    concatenated = WordContexts("concatenated", "previous", 2, shrink=False)
    train(input=padded_rows(V, 16), output=padded_rows(V, 32), contexts=concatenated)
    rows = padded_rows(V + 1, 16)
    for each in (
        {"input": torch.zeros(V + 1, D)},
        {"output": torch.zeros(V, D)},
        {"input": padded_rows(V + 1, D).double()},
        {"input": padded_rows(V + 1, D)[:, 0]},
        {"input": torch.zeros(V + 1, D, device="meta")},
        {"input": padded_rows(V + 1, 2 * D)[:, ::2]},
        {"input": rows.as_strided((V + 1, D), (0, 1))},
        {"output": padded_rows(V, D + 1)},
        {"output": padded_rows(V, 17)[:, :D]},
        {"contexts": concatenated, "output": padded_rows(V, 2 * D)},
        {"contexts": concatenated, "input": rows, "output": padded_rows(V, 16)},
    ):
        with pytest.raises(ShapeError) as error:
            train(**each)
        one_sentence(error)


@both_ways
def test_settings_that_contradict_each_other(off, monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", off)
    wide = {"input": padded_rows(V, 16), "output": padded_rows(V, 32)}
    for each in (
        {"contexts": WordContexts(window=0)},
        {"contexts": WordContexts(window=-3)},
        {"contexts": WordContexts("concatenated", "previous", 2, shrink=True), **wide},
        {"contexts": WordContexts("concatenated", "window", 2, shrink=False), **wide},
        {"contexts": WordContexts("concatenated", "nearby", 2, shrink=False), **wide},
        {"outputs": WordOutputs()},
        {"outputs": replace(DRAWN, negatives=-1)},
        {"outputs": replace(TREE, path_nodes=None)},
        {"outputs": replace(TREE, path_labels=None)},
        {"vocabulary_size": 0},
        {"threads": 0},
        {"round_tokens": 0},
        {"seed": -1},
        {"seed": 2**64},
        {"run": {"epoch": -1}},
        {"text": (TOKENS, STARTS, 2, 1)},
        {"text": (TOKENS, STARTS[:0], 0, 0)},
    ):
        with pytest.raises(ShapeError) as error:
            train(**each)
        one_sentence(error)


def glove(state=None, entries=None, stratum=0, **options):
    state, entries = state or {}, entries or {}
    vectors = {name: padded_rows(V, D).fill_(1.0) for name in GloveState._fields[:4]}
    biases = {name: torch.ones(2, V) for name in GloveState._fields[4:]}
    ids = np.array([0, 4, 2], np.int32)
    own = {"blocks": np.array([0, 1, 1, 2, 3], np.int64), "words": ids, "contexts": ids}
    own |= {"logs": np.ones(3, np.float32), "weights": np.ones(3, np.float32)}
    return train_glove(
        GloveState(**vectors | biases | state), GloveEntries(**own | entries), stratum, rate=0.1, **options
    )


@both_ways
def test_glove(off, monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", off)
    assert glove() > 0
    ids, floats = np.array([0, 4, 2], np.int32), np.ones(3, np.float32)
    wrong = [
        *({"state": {name: torch.zeros(V, D)}} for name in GloveState._fields[:4]),
        *({"state": {name: padded_rows(V - 1, D)}} for name in GloveState._fields[1:4]),
        *({"state": {name: padded_rows(V, D + 1)}} for name in GloveState._fields[:4]),
        {"state": {"output": padded_rows(V, 17)[:, :D]}},
        *({"state": {name: torch.ones(2, V - 1)}} for name in GloveState._fields[4:]),
        *({"state": {name: torch.ones(V, 2).T}} for name in GloveState._fields[4:]),
        *({"state": {name: torch.ones(2, V).double()}} for name in GloveState._fields[4:]),
        *(
            {"entries": {name: change(ids)}}
            for name in ("words", "contexts")
            for change in BAD_ARRAYS.values()
        ),
        *(
            {"entries": {name: change(floats)}}
            for name in ("logs", "weights")
            for change in BAD_ARRAYS.values()
        ),
        *(
            {"entries": {name: np.array([bad, 0, 1], np.int32)}}
            for name in ("words", "contexts")
            for bad in (-1, V, 2**31 - 1)
        ),
        *(
            {"entries": {"blocks": np.array(places, kind)}}
            for places, kind in (
                ([0, 1, 1, 2, 3], np.int32),
                ([0, 1, 1, 2], np.int64),
                ([0, 2, 1, 2, 3], np.int64),
                ([0, 1, 1, 2, 4], np.int64),
                ([-1, 1, 1, 2, 3], np.int64),
                ([], np.int64),
            )
        ),
        {"stratum": 2},
        {"stratum": -1},
        {"threads": 0},
    ]
    for each in wrong:
        with pytest.raises(ShapeError) as error:
            glove(**each)
        one_sentence(error)
