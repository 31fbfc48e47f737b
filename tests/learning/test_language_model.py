"""Language models as their users see them: training, evaluation, scoring, sampling, completion."""

import itertools
import json
import math
import re

import pytest
import torch

import recurra
from recurra.errors import ConfigError, DataError, RunError, TrainingDiverged
from recurra.runs import RunFolder, read_metrics

SMALL = {"hidden_size": 16, "batch_size": 4, "segment_length": 12, "epochs": 2, "learning_rate": 0.01}


@pytest.fixture(scope="module", params=["char", "word", "subword"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    text = folder / "text.txt"
    text.write_text("the cat sat on the mat\nthe dog sat on the log\n" * 40)
    cell = {"char": "lstm", "word": "gru", "subword": "rnn"}[request.param]
    size = 300 if request.param == "subword" else None
    options = SMALL | {"unit": request.param, "cell": cell, "max_vocabulary_size": size}
    return recurra.LanguageModel.train(text, out=folder / "run", **options)


def oracle_losses(model, ids: list[int]) -> torch.Tensor:
    """-log P of each symbol, computed by torch.nn's layers with the same weights, in one pass."""
    network = model.network
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[model.config.cell]
    layer = kind(
        network.embedding.embedding_dim, model.config.hidden_size, model.config.num_layers, batch_first=True
    )
    layer.load_state_dict(network.recurrent.state_dict())
    inputs = torch.tensor([[model.tokenizer.start_id, *ids[:-1]]])
    with torch.no_grad():
        output, _ = layer(network.embedding(inputs))
        logits = output @ network.output.weight.T + network.output.bias
    return torch.nn.functional.cross_entropy(logits[0], torch.tensor(ids), reduction="none")


def encode(model, text: str) -> list[int]:
    return [int(i) for chunk in model.tokenizer.encode_chunks([text]) for i in chunk.ids]


GATES = {
    "lstm": {"forget_gate", "input_gate", "candidate", "output_gate"},
    "gru": {"reset_gate", "update_gate", "candidate"},
    "rnn": {"candidate"},
    "jordan": {"candidate"},
}


def check_gates(model, path) -> None:
    path.write_text("the cat sat on the log\n" * 3)
    with recurra.watch(model.network) as seen:
        model.evaluate(path)
    gates = [call.gates for call in seen["recurrent"]]
    assert all(each.keys() == GATES[model.config.cell] for each in gates)
    candidates = torch.cat([each["candidate"] for each in gates], dim=1)
    symbols = len(encode(model, path.read_text()))
    assert candidates.shape == (model.config.num_layers, symbols, 1, model.config.hidden_size)
    assert candidates.std() > 0.01


def test_gates_of_a_trained_model_are_read_by_name(model, tmp_path):
    check_gates(model, tmp_path / "some.txt")


def test_gates_of_a_jordan_network(tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 40)
    options = SMALL | {"cell": "jordan", "epochs": 1}
    check_gates(
        recurra.LanguageModel.train(tmp_path / "text.txt", out=tmp_path / "run", **options),
        tmp_path / "some.txt",
    )


def test_evaluation_counts_every_symbol_once(model, tmp_path):
    text = "the cat sat on the log\na cow 7 sat\n" * 9
    path = tmp_path / "held-out.txt"
    path.write_text(text)
    figures = model.evaluate(path)
    want = oracle_losses(model, encode(model, text)).double()
    assert figures.symbols == len(want)
    assert figures.characters == len(text)
    assert figures.loss == pytest.approx(float(want.mean()), abs=1e-5)
    assert figures.perplexity == pytest.approx(math.exp(want.mean()), rel=1e-5)
    assert figures.bits_per_character == pytest.approx(float(want.sum()) / math.log(2) / len(text), rel=1e-5)
    unk = model.tokenizer.vocabulary.unk_id
    unknown = torch.tensor([i == unk for i in encode(model, text)])
    assert figures.unknown == int(unknown.sum())
    assert figures.perplexity_without_unknown == pytest.approx(math.exp(want[~unknown].mean()), rel=1e-5)
    assert (figures.unknown > 0) == (model.tokenizer.unit != "subword")


def test_the_held_out_part_is_the_last_tenth(model):
    figures = model.evaluate()
    again = model.evaluate(streams=3)
    assert figures.symbols == again.symbols > 0
    assert figures.characters == pytest.approx(46 * 40 * 0.1, abs=24)
    final = [r for r in read_metrics(model.run.metrics.path) if r["kind"] == "final"]
    assert final[0]["loss"] == figures.loss


def test_a_score_is_the_sum_over_a_line_and_its_end(model):
    line = "the dog sat"
    want = oracle_losses(model, [*model.tokenizer.encode_line(line), model.tokenizer.end_id])
    score = model.score([line])[0]
    assert score.log_prob == pytest.approx(-float(want.sum()), abs=1e-4)
    assert "".join(score.symbols).replace(" ", "") == "thedogsat\n"
    assert model.log_prob(line) == score.log_prob


def test_a_score_does_not_depend_on_the_other_lines(model):
    lines = ["the cat sat", "", "a", "the dog sat on the log " * 4]
    together = [one.log_prob for one in model.score(lines)]
    alone = [model.log_prob(line) for line in lines]
    assert together == pytest.approx(alone, abs=1e-5)
    ranked = sorted(zip(together, lines, strict=True), reverse=True)
    assert ranked[0][1] in ("", "the cat sat")


def test_one_seed_gives_one_text(model):
    one = model.sample("the ", length=30, seed=5)
    assert one == model.sample("the ", length=30, seed=5) != model.sample("the ", length=30, seed=6)
    assert one.startswith("the ")
    assert "<unk>" not in model.sample(length=200, temperature=3.0, seed=1)
    assert model.sample(length=40, temperature=0) == model.sample(length=40, top_k=1, seed=9)
    line = model.sample("the", length=400, seed=2, until_end=True)
    assert line.count("\n") <= 1


def test_unknown_symbols_are_kept_on_request(model):
    if model.tokenizer.vocabulary.unk_id is None:
        pytest.skip("subwords know every text")
    with torch.no_grad():
        before = model.network.output.bias.clone()
        model.network.output.bias[model.tokenizer.vocabulary.unk_id] += 50.0
        try:
            assert "<unk>" in model.sample(length=5, seed=1, keep_unknown=True)
            assert "<unk>" not in model.sample(length=5, seed=1)
        finally:
            model.network.output.bias.copy_(before)


def test_completions_have_the_probabilities_that_scoring_gives(model):
    text = {"char": "the cat s", "word": "the cat", "subword": "the cat "}[model.tokenizer.unit]
    found = model.complete(text, n_best=3, length=1)
    assert len(found) == 3
    probabilities = [p for _, p in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1 + 1e-6
    with pytest.raises(ConfigError, match="expected >= 1"):
        model.complete("a", n_best=0)


def test_loading_gives_the_same_model(model):
    again = recurra.load(model.run.path)
    assert isinstance(again, recurra.LanguageModel)
    assert again.log_prob("the cat") == model.log_prob("the cat")


def test_a_segment_that_holds_all_gives_the_whole_gradient(play, tmp_path):
    """With one segment as long as the text, truncated BPTT is BPTT: one SGD step equals that of torch.nn."""
    rate = 0.5
    options = {"hidden_size": 8, "dropout": 0.0, "batch_size": 1, "segment_length": 3150, "max_steps": 1}
    options |= {
        "optimizer": "sgd",
        "learning_rate": rate,
        "schedule": "constant",
        "warmup_steps": 0,
        "clip_norm": 0,
    }
    model = recurra.LanguageModel.train(play, out=tmp_path / "run", **options)
    torch.manual_seed(model.config.seed)
    from recurra.models import LanguageModelNetwork

    fresh = LanguageModelNetwork(model.tokenizer.vocabulary_size, model.config)
    layer = torch.nn.LSTM(fresh.embedding.embedding_dim, 8, 2, batch_first=True)
    layer.load_state_dict(fresh.recurrent.state_dict())
    ids = torch.tensor(encode(model, play.read_text()[:3150]))
    inputs = torch.cat([torch.tensor([model.tokenizer.start_id]), ids[:-1]])
    output, _ = layer(fresh.embedding(inputs[None]))
    logits = output[0] @ fresh.output.weight.T + fresh.output.bias
    torch.nn.functional.cross_entropy(logits, ids).backward()
    for name, parameter in layer.named_parameters():
        want = parameter - rate * parameter.grad
        got = model.network.recurrent.get_parameter(name)
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("documents", "at_document"), itertools.product(["line", "blank"], ["carry", "cut", "reset"])
)
def test_each_choice_at_documents_trains(play, tmp_path, documents, at_document):
    model = recurra.LanguageModel.train(
        play, out=tmp_path / "run", documents=documents, at_document=at_document, **SMALL
    )
    assert math.isfinite(model.perplexity())
    if at_document == "reset" and documents == "line":
        lines = play.read_text().splitlines()[:7]
        path = tmp_path / "lines.txt"
        path.write_text("\n".join(lines) + "\n")
        apart = -sum(one.log_prob for one in model.score(lines))
        assert model.evaluate(path).total_nats == pytest.approx(apart, rel=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_simple_text_is_learnt(tmp_path, cell):
    text = tmp_path / "abc.txt"
    text.write_text("abcdefgh" * 400)
    model = recurra.LanguageModel.train(
        text, out=tmp_path / "run", cell=cell, num_layers=1, **(SMALL | {"hidden_size": 24, "epochs": 6})
    )
    assert model.perplexity() < 1.1
    assert model.sample("abc", length=13, temperature=0) == "abcdefghabcdefgh"
    assert model.complete("abcd", n_best=1, length=2)[0][0] == "ef"


def test_tied_weights_are_one_and_saved_once(play, tmp_path):
    model = recurra.LanguageModel.train(play, out=tmp_path / "run", tie_weights=True, **SMALL)
    assert model.network.output.weight is model.network.embedding.weight
    assert "output.weight" not in model.run.read_weights()


def test_early_stopping_keeps_the_best_weights(play, tmp_path):
    options = SMALL | {
        "learning_rate": 0.05,
        "epochs": 40,
        "patience": 2,
        "validate_every": 10,
        "schedule": "constant",
    }
    model = recurra.LanguageModel.train(play, out=tmp_path / "run", dropout=0.0, **options)
    records = read_metrics(model.run.metrics.path)
    losses = [r["loss"] for r in records if r["kind"] == "validation"]
    best = losses.index(min(losses))
    assert len(losses) in (best + 3, 40 * 68 // 10 + 1)
    assert records[-1]["step"] == 10 * (best + 1)


def test_a_diverged_training_keeps_good_weights_and_says_what_to_try(play, tmp_path):
    options = SMALL | {"cell": "rnn", "nonlinearity": "relu", "learning_rate": 1e6, "clip_norm": 0}
    with pytest.raises(TrainingDiverged, match="Try --learning-rate"):
        recurra.LanguageModel.train(play, out=tmp_path / "run", **options)
    weights = RunFolder.open(tmp_path / "run").read_weights()
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_mixed_precision_trains(play, tmp_path):
    model = recurra.LanguageModel.train(play, out=tmp_path / "run", precision="bf16-mixed", **SMALL)
    plain = recurra.LanguageModel.train(play, out=tmp_path / "plain", **SMALL)
    assert model.perplexity() == pytest.approx(plain.perplexity(), rel=0.05)
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}


def test_the_sum_as_loss_is_the_mean_at_another_rate(play, tmp_path):
    options = SMALL | {"optimizer": "sgd", "clip_norm": 0, "dropout": 0.0, "epochs": 1, "batch_size": 2}
    mean = recurra.LanguageModel.train(play, out=tmp_path / "a", **(options | {"learning_rate": 2.4}))
    total = recurra.LanguageModel.train(
        play, out=tmp_path / "b", loss_reduction="sum", **(options | {"learning_rate": 0.1})
    )
    assert total.perplexity() == pytest.approx(mean.perplexity(), rel=1e-3)


def test_bad_options_write_nothing(play, tmp_path):
    with pytest.raises(ConfigError, match="hidden_sise: unknown option; did you mean hidden_size"):
        recurra.LanguageModel.train(play, out=tmp_path / "run", hidden_sise=3)
    with pytest.raises(DataError, match="fewer than one segment"):
        recurra.LanguageModel.train(play, out=tmp_path / "run", segment_length=10**6)
    assert not (tmp_path / "run").exists()


def test_a_changed_text_is_noticed(play, tmp_path):
    model = recurra.LanguageModel.train(play, out=tmp_path / "run", **SMALL)
    play.write_text(play.read_text().replace("famish", "vanish"))
    with pytest.raises(DataError, match="has changed since the run began"):
        model.evaluate()


def test_a_run_of_another_task_is_refused(play, tmp_path):
    recurra.LanguageModel.train(play, out=tmp_path / "run", **(SMALL | {"epochs": 1}))
    settings = tmp_path / "run" / "run.toml"
    text = settings.read_text().replace('task = "lm"', 'task = "juggle"')
    settings.write_text(re.sub(r"(?<=# sha256 )[0-9a-f]{64}(?= of .*\n\Z)", "accepted", text))
    with pytest.raises(RunError, match="the task 'juggle'"):
        recurra.load(tmp_path / "run")


def test_metrics_and_events_are_written(play, tmp_path):
    model = recurra.LanguageModel.train(play, out=tmp_path / "run", log_every=5, **SMALL)
    records = [json.loads(line) for line in model.run.metrics.path.read_text().splitlines()]
    assert {r["kind"] for r in records} == {"training", "validation", "final"}
    training = [r for r in records if r["kind"] == "training"]
    assert [r["step"] for r in training[:-1]] == list(range(5, 5 * len(training), 5))
    assert training[-1]["step"] == records[-1]["step"] == 132  # the last steps are logged too
    assert {"loss", "gradient_norm", "learning_rate", "tokens_per_s", "perplexity"} <= training[0].keys()
    pytest.importorskip("tensorboard")
    assert list(model.run.events.glob("events*"))


def test_updates_within_a_segment_have_the_gradient_of_k2_steps(play, tmp_path):
    """Each update of TBPTT(k1 = 5, k2 = 15) has the gradient of a window of 15 steps.

    The loss is on the last 5 steps of the window, and the state is that before the window.
    """
    from recurra.models import LanguageModelNetwork

    options = {"hidden_size": 6, "num_layers": 1, "dropout": 0.0, "batch_size": 2, "segment_length": 15}
    options |= {"update_every": 5, "max_steps": 5, "optimizer": "sgd", "learning_rate": 0.7, "clip_norm": 0}
    options |= {"schedule": "constant", "warmup_steps": 0}
    model = recurra.LanguageModel.train(play, out=tmp_path / "run", **options)
    torch.manual_seed(model.config.seed)
    twin = LanguageModelNetwork(model.tokenizer.vocabulary_size, model.config)
    ids = torch.tensor(encode(model, play.read_text()[:3150]))
    half = len(ids) // 2
    before = torch.cat([torch.tensor([model.tokenizer.start_id]), ids[:-1]])
    inputs, targets = (part.view(2, half) for part in (before, ids))
    states = [(torch.zeros(1, 2, 6), torch.zeros(1, 2, 6))]
    for step in range(5):
        first = max(0, step - 2)
        output, state = twin.recurrent(twin.embedding(inputs[:, 5 * first : 5 * step + 5]), states[first])
        logits = twin.output(output[:, -5:]).flatten(0, 1)
        twin.zero_grad()
        torch.nn.functional.cross_entropy(logits, targets[:, 5 * step : 5 * step + 5].flatten()).backward()
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter -= 0.7 * parameter.grad
        states.append(tuple(part.detach() for part in state))
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(model.network.get_parameter(name), parameter, rtol=1e-4, atol=1e-6)


def test_updates_within_a_segment_must_divide_it(play, tmp_path):
    with pytest.raises(ConfigError, match="update_every: got 7, expected a divisor of segment_length"):
        recurra.LanguageModel.train(play, out=tmp_path / "run", **(SMALL | {"update_every": 7}))


@pytest.mark.parametrize("documents", ["line", "blank"])
def test_a_sample_forgets_where_training_forgot(play, tmp_path, documents):
    """If the state is reset at documents, a sample does not depend on the text before a document."""
    options = SMALL | {"documents": documents, "at_document": "reset", "epochs": 1}
    model = recurra.LanguageModel.train(play, out=tmp_path / "run", **options)
    end = "\n" if documents == "line" else "\n\n"
    texts = ["".join(model.sample_stream(start + end, length=60, seed=4)) for start in ("All:", "Before we")]
    assert texts[0] == texts[1]
    carried = recurra.LanguageModel(
        model.network, model.tokenizer, model.config.model_copy(update={"documents": "none"})
    )
    assert carried.complete("All:" + end) != carried.complete("Before we" + end)


def test_subword_completions_go_on_from_a_word_begun(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the mathematician sat on the mat\nthe mathematician ran\n" * 60)
    options = SMALL | {"unit": "subword", "max_vocabulary_size": 290, "epochs": 25, "dropout": 0.0}
    model = recurra.LanguageModel.train(text, out=tmp_path / "run", **options)
    found = dict(model.complete("the mathem", n_best=3))
    assert found["atician"] > 0.5
    assert dict(model.complete("the ", n_best=3))["mathematician"] > 0.5


def test_a_test_text_is_evaluated_at_the_end(play, tmp_path):
    path = tmp_path / "test.txt"
    path.write_text("All:\nSpeak, speak.\n" * 3)
    model = recurra.LanguageModel.train(play, out=tmp_path / "run", test=str(path), **SMALL)
    records = {r["kind"]: r for r in read_metrics(model.run.metrics.path)}
    assert records["test"]["loss"] == model.evaluate(path).loss != records["final"]["loss"]
    with pytest.raises(DataError, match="there is no such file"):
        recurra.LanguageModel.train(play, out=tmp_path / "other", test=str(tmp_path / "none"), **SMALL)


def test_before_any_validation_the_weights_of_the_last_checkpoint_are_kept(play, tmp_path):
    options = SMALL | {"cell": "rnn", "nonlinearity": "relu", "optimizer": "sgd", "learning_rate": 500.0}
    with pytest.raises(TrainingDiverged, match="contains the weights of step 0"):
        recurra.LanguageModel.train(play, out=tmp_path / "run", clip_norm=0, warmup_steps=0, **(options))
    assert math.isfinite(recurra.load(tmp_path / "run").evaluate().loss)


def test_mixed_precision_computes_products_in_bfloat16(play, tmp_path, monkeypatch):
    from recurra.kernels import output_operators

    seen = set()
    linear = torch.nn.functional.linear

    def watched(*given):
        logits = linear(*given)
        if torch.is_grad_enabled():
            seen.add(logits.dtype)
        return logits

    monkeypatch.setattr(output_operators.F, "linear", watched)
    recurra.LanguageModel.train(
        play, out=tmp_path / "run", precision="bf16-mixed", **(SMALL | {"max_steps": 3})
    )
    assert seen == {torch.bfloat16}
