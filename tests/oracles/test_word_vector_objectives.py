"""Updates of word vectors against autograd, finite differences and the readable reference."""

import numpy as np
import pytest
import torch
from plain_word_vectors import (
    CONTEXTS,
    OBJECTIVES,
    Text,
    pairs_by_double_loop,
    random_text,
    trainer_of,
    whole,
)

from recurra.kernels.extension import extension

pytestmark = pytest.mark.needs_native
each_context = pytest.mark.parametrize("context", CONTEXTS)
each_objective = pytest.mark.parametrize("objective", OBJECTIVES)
RATES = (0.3, 0.1)  # large: what is not a gradient, or not of the weights before the step, shows
# Four words have several parts, some of them shared, one twice in a word.
PARTS = (
    np.array([0, 3, 4, 6, 7, 10, 11, 12, 14, 15], np.int64),
    np.array([0, 9, 10, 1, 2, 9, 3, 4, 10, 10, 5, 6, 7, 11, 8], np.int32),
)


@pytest.fixture(params=["plain", "avx2", "avx512"])
def instruction_set(request):
    before = extension().instruction_set()
    if not extension().use_instruction_set(request.param):
        pytest.skip(f"this processor has no {request.param}")
    yield request.param
    extension().use_instruction_set(before)


def averaged(vectors, *, whole_error):
    """The mean. With the whole error, each vector moves by the gradient of the mean itself."""
    total = sum(vectors)
    mean = total / len(vectors)
    return total - (total - mean).detach() if whole_error else mean


def position_loss(vectors, output, targets, hidden, *, whole_error):
    """-log σ(± θ·h) of one position, added up by loops; targets are (row of the output, ±1)."""
    if hidden == "mean":
        vectors = [averaged(vectors, whole_error=whole_error)]
    elif hidden == "concatenated":
        vectors = [torch.cat(vectors)]
    return sum(torch.log1p(torch.exp(-sign * (output[row] @ h))) for h in vectors for row, sign in targets)


def targets_of(trainer, word, drawn):
    """The rows of the output with labels ±1; the negatives are those that the trainer drew."""
    if trainer.outputs.is_tree:
        return list(zip(*(each.tolist() for each in trainer.outputs.path_of(word)), strict=True))
    return [(word, 1.0), *((row, -1.0) for row in drawn.outputs[1:])]


class PlainRun:
    """Stochastic gradient descent on a text by autograd in float64, position by position."""

    def __init__(self, trainer, context):
        self.trainer, self.context = trainer, context
        self.input, self.output = trainer.input.double(), trainer.output.double()
        self.loss, self.predictions = 0.0, 0

    def rows_of(self, word):
        starts, rows = self.trainer.parts or (np.arange(100), np.arange(100))
        return rows[starts[word] : starts[word + 1]].tolist()

    def run(self, text, rates):
        token = 0
        for number, sentence in enumerate(text.sentences):
            drawn = {each.place: each for each in self.trainer.positions(text.tokens, text.starts, number)}
            self.vectors, self.errors = {}, {}  # by place: the words in reach
            for at in range(len(sentence)):
                rate = rates[0] + (rates[1] - rates[0]) * token / len(text.tokens)
                self.sentence = sentence
                self.position(at, drawn.get(at), rate)
                token += 1
            self.leave(sorted(self.errors))
        return self

    def position(self, at, drawn, rate):
        trainer, window = self.trainer, self.trainer.contexts.window
        if trainer.parts is not None:  # errors reach the parts once the word is out of reach
            self.leave([place for place in self.errors if place < at - window])
        pairs = pairs_by_double_loop(self.sentence, self.context, window)
        places = [place for around, target in pairs if target == at for place in around]
        assert bool(places) == (drawn is not None)
        if self.context == "nearby-word" and places:
            assert drawn.places[0] in places
            places = drawn.places
        for place in range(len(self.sentence)):
            is_new = place not in self.vectors if trainer.parts is not None else True
            if is_new and place <= at + window:
                rows = [self.input[row] for row in self.rows_of(self.sentence[place])]
                self.vectors[place] = sum(rows) / len(rows)
                self.errors[place] = torch.zeros_like(self.vectors[place])
        if not places:
            return
        leaves = [self.vectors[place].clone().requires_grad_() for place in places]
        output = self.output.clone().requires_grad_()
        hidden = trainer.contexts.hidden
        targets = targets_of(trainer, self.sentence[at], drawn)
        loss = position_loss(leaves, output, targets, hidden, whole_error=trainer.whole_error)
        *found, of_output = torch.autograd.grad(loss, [*leaves, output])
        self.loss += loss.item()
        self.predictions += len(leaves) if hidden == "each" else 1
        self.output -= rate * of_output
        for place, gradient in zip(places, found, strict=True):
            self.errors[place] -= rate * gradient
        if trainer.parts is None:
            self.leave(places)

    def leave(self, places):
        for place in places:
            rows = self.rows_of(self.sentence[place])
            for row in rows:
                self.input[row] += self.errors[place] / (1 if self.trainer.whole_error else len(rows))
            del self.errors[place]


def near(got, want, relative=3e-6):
    assert (got.double() - want).abs().max() <= relative * (1 + want.abs().max())


# Sentences of no, one and two words, and words that stand near themselves.
TEXT = Text([[4, 2, 7, 4, 1, 8], [3], [], [0, 0, 0], [5, 6], [1, 2, 3, 1, 0, 4, 4, 8, 7]])


@each_context
@each_objective
@pytest.mark.parametrize("whole_error", [True, False])
@pytest.mark.parametrize("parts", [None, PARTS], ids=["words", "subwords"])
def test_updates_are_steps_along_the_gradient(context, objective, whole_error, parts):
    trainer = trainer_of(context, objective, rows=12, whole_error=whole_error, parts=parts)
    plain = PlainRun(trainer, context).run(TEXT, RATES)
    before = trainer.input.clone(), trainer.output.clone()
    found = trainer.run(*whole(TEXT), rates=RATES)
    assert found.predictions == plain.predictions > 10
    assert found.total == pytest.approx(plain.loss, rel=1e-6)
    for got, want, old in zip(
        (trainer.input, trainer.output), (plain.input, plain.output), before, strict=True
    ):
        near(got, want)
        assert (got - old).abs().max() > 0.1


@each_context
@each_objective
def test_updates_lower_the_loss_by_its_finite_differences(context, objective):
    """For a tiny rate the step is -rate times the gradient of the loss that the trainer itself reports."""
    trainer = trainer_of(context, objective, whole_error=False)
    matrices = trainer.input, trainer.output
    before, direction = [each.clone() for each in matrices], [torch.randn_like(each) for each in matrices]

    def set_to(size):
        for own, old, way in zip(matrices, before, direction, strict=True):
            own.copy_(old + size * way)

    sides = []
    for size in (2e-3, -2e-3):
        set_to(size)
        sides.append(trainer.run(*whole(TEXT), update=False).total)
    set_to(0)
    rate = 2e-4
    loss = trainer.run(*whole(TEXT), update=False).total
    assert all(torch.equal(own, old) for own, old in zip(matrices, before, strict=True))
    trainer.run(*whole(TEXT), rates=(rate, rate))
    moved = [(own - old).double() for own, old in zip(matrices, before, strict=True)]
    along = sum((each * way).sum() for each, way in zip(moved, direction, strict=True)).item()
    sizes = [sum(each.double().square().sum() for each in both) ** 0.5 for both in (moved, direction)]
    assert along == pytest.approx(
        -rate * (sides[0] - sides[1]) / 4e-3, abs=2e-3 * (sizes[0] * sizes[1]).item()
    )
    lower = trainer.run(*whole(TEXT), update=False).total
    assert loss - lower == pytest.approx(sum(each.square().sum() for each in moved).item() / rate, rel=2e-2)


def test_autograd_of_the_plain_loss_is_right():
    random = torch.Generator().manual_seed(0)
    vectors = torch.randn(3, 4, generator=random, dtype=torch.float64, requires_grad=True)
    targets = [(0, 1.0), (2, -1.0), (2, -1.0)]
    for hidden, width in (("each", 4), ("mean", 4), ("concatenated", 12)):
        output = torch.randn(3, width, generator=random, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(
            lambda e, theta, hidden=hidden: position_loss(list(e), theta, targets, hidden, whole_error=False),
            (vectors, output),
        )


@each_context
@each_objective
@pytest.mark.parametrize("parts", [None, PARTS], ids=["words", "subwords"])
def test_native_equals_the_reference(context, objective, parts, instruction_set, monkeypatch):
    text = random_text(5, 9, [7, 1, 0, 30, 2, 3, 11, 60])
    keep = np.linspace(0.3, 1.0, 9).astype(np.float32)
    for size, window, epoch in ((1, 1, 0), (16, 5, 1), (17, 3, 2)):
        options = {"size": size, "window": window, "shrink": True, "rows": 12, "parts": parts, "keep": keep}
        options |= {"whole_error": bool(size % 2), "seed": 2**64 - 1}
        trainers = [trainer_of(context, objective, **options) for _ in range(2)]
        losses = []
        for trainer, off in zip(trainers, ("0", "1"), strict=True):
            monkeypatch.setenv("RECURRA_NO_NATIVE", off)
            losses.append(trainer.run(*whole(text), epoch=epoch, rates=(0.2, 0.05)))
            losses.append(trainer.run(*whole(text), epoch=epoch, update=False))
        for native, reference in (losses[::2], losses[1::2]):
            assert native.predictions == reference.predictions
            assert native.total == pytest.approx(reference.total, rel=1e-5)
        native, reference = trainers
        near(native.input, reference.input.double(), 1e-5)
        near(native.output, reference.output.double(), 1e-5)
        for each in (native.input, native.output):  # the padding stays zero
            assert not each.as_strided((len(each), each.stride(0)), each.stride())[:, each.shape[1] :].any()


@each_objective
@pytest.mark.parametrize("scale", [30.0, 1e4])
@pytest.mark.parametrize("off", ["0", "1"], ids=["native", "reference"])
def test_huge_scores(objective, scale, off, instruction_set, monkeypatch):
    """log σ of scores far from 0 is the score, and the derivative 0 or 1."""
    monkeypatch.setenv("RECURRA_NO_NATIVE", off)
    trainer = trainer_of("cbow", objective, scale=scale)
    plain = PlainRun(trainer, "cbow")
    text = Text([[3, 5]])
    vectors = trainer.input.double()
    want = 0.0
    for each in trainer.positions(text.tokens, text.starts, 0):
        for row, sign in targets_of(trainer, each.word, each):
            score = sign * float(plain.output[row] @ vectors[each.context[0]])
            want += np.logaddexp(0.0, -score)
    assert trainer.run(*whole(text), update=False).total == pytest.approx(want, rel=1e-5)
    assert np.isfinite(trainer.run(*whole(text), rates=(0.1, 0.1)).total)
    assert trainer.input.isfinite().all()
