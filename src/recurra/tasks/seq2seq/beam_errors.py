"""Beam error analysis: the cause of each wrong output, the results of other beams, and advice."""

import time
from collections.abc import Callable, Iterator, Sequence

import torch

from recurra.data.readers.pairs import Pair
from recurra.metrics.beam_errors import FaultShares, fault_of
from recurra.metrics.translation import count_texts
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.outputs import BeamErrors, Diagnosis, Tried
from recurra.tasks.seq2seq.pair_model import PairModel
from recurra.tasks.seq2seq.searching import beam_options

_AT_ONCE = 64
_GAIN = 0.2  # BLEU or chrF; smaller gains are ignored
_MUCH = 0.2  # share of the errors


def right_scores(model: PairModel, pairs: Sequence[Pair]) -> list[tuple[str, float]]:
    """Return for each pair the reference with the highest score, and the score a search would give it.

    score = log P(y|x) / divisor(|y|) + β Σ_s log min(κ_s, 1)
    """
    options = beam_options(model.config)
    encoded = EncodedPairs(pairs, model.symbols)
    order = sorted(range(len(encoded.pair_of)), key=lambda i: encoded.lengths[i])
    of_row = dict.fromkeys(order, 0.0)
    with torch.no_grad():
        for at in range(0, len(order), _AT_ONCE):
            chosen = order[at : at + _AT_ONCE]
            # With a coverage penalty rows run one by one, as padding would be attended to.
            groups = [chosen] if not options.coverage_penalty else [[i] for i in chosen]
            for group in groups:
                batch = encoded.batch(group).to(model.network.device)
                losses, state = model.network.losses_and_state(batch)
                sums = (-losses.double().sum(1)).tolist()
                bonus = [0.0] * len(group)
                if options.coverage_penalty:
                    bonus = (options.coverage_penalty * model.network.unattended(state)).tolist()
                lengths = (batch.target_lengths + 1).tolist()
                for i, log_prob, length, more in zip(group, sums, lengths, bonus, strict=True):
                    of_row[i] = log_prob / options.length_penalty.divisor(int(length)) + more
    scores = [of_row[i] for i in range(len(encoded.pair_of))]
    best: dict[int, tuple[str, float]] = {}
    targets = [target for pair in pairs for target in pair.targets]
    for pair, target, score in zip(encoded.pair_of, targets, scores, strict=True):
        if pair not in best or score > best[pair][1]:
            best[pair] = (target, score)
    return [best[i] for i in range(len(pairs))]


def diagnose(model: PairModel, pairs: Sequence[Pair]) -> list[Diagnosis]:
    """Find the cause of each wrong output."""
    found = [answers[0] for answers in model.answers(pairs)]
    return [
        Diagnosis(
            " / ".join(pair.source),
            right,
            answer.text,
            score,
            answer.score,
            fault_of(score, answer.score, same=answer.text in pair.targets),
        )
        for pair, (right, score), answer in zip(pairs, right_scores(model, pairs), found, strict=True)
    ]


def shares_of(diagnoses: Sequence[Diagnosis]) -> FaultShares:
    """Count the correct outputs, and the wrong ones by cause."""
    return FaultShares.count(one.fault for one in diagnoses)


def sweep(
    model: PairModel, pairs: Sequence[Pair], widths: Sequence[int], alphas: Sequence[float]
) -> Iterator[Tried]:
    """Yield the results of each width with each length penalty: metrics, time, share of beam errors."""
    for alpha in alphas:
        for width in widths:
            other = model.searching(beam_width=width, length_penalty=alpha, beam_groups=1)
            began = time.perf_counter()
            diagnoses = diagnose(other, pairs)
            seconds = time.perf_counter() - began
            texts = count_texts([one.found for one in diagnoses], [pair.targets for pair in pairs])
            yield Tried(width, alpha, texts, seconds, shares_of(diagnoses).share("beam"))


def beam_errors_of(
    model: PairModel,
    pairs: Sequence[Pair],
    widths: Sequence[int],
    alphas: Sequence[float],
    on_tried: Callable[[Tried], None] = lambda one: None,
    on_diagnosed: Callable[[Sequence[Diagnosis]], None] = lambda every: None,
) -> BeamErrors:
    """Classify the errors of a model on pairs, and try other widths and length penalties on the same pairs.

    The functions are called with what is known so far.

    Raises: ConfigError for an invalid width or penalty, before any work is done.
    """
    for name, values in (("beam_width", widths), ("length_penalty", alphas)):
        for value in values:
            model.searching(beam_groups=1, **{name: value})
    width, alpha = model.config.beam_width, model.config.length_penalty
    diagnoses = diagnose(model, pairs)
    on_diagnosed(diagnoses)
    tried = []
    for one in sweep(model, pairs, sorted({*widths, width}), sorted({*alphas, alpha})):
        on_tried(one)
        tried.append(one)
    told = advice(shares_of(diagnoses), tried, width, alpha)
    return BeamErrors(tuple(diagnoses), tuple(tried), told)


def advice(shares: FaultShares, tried: Sequence[Tried], width: int, alpha: float) -> str:
    """Return advice on what to change, in a sentence or two."""
    if not shares.wrong:
        return "All outputs are correct; nothing needs to change."
    parts = []
    now = next((one for one in tried if (one.width, one.alpha) == (width, alpha)), None)
    best = max(tried, key=lambda one: one.value, default=None)
    if now is not None and best is not None:
        # The fastest setting that is as good as the best, or nearly.
        good = best.value - _GAIN / 2
        best = min((one for one in tried if one.value >= good), key=lambda one: one.seconds)
        name = best.texts.score.name
        if best.value > now.value + _GAIN:
            parts.append(
                f"Recommended: --beam-width {best.width} --length-penalty {best.alpha:g} ({name} "
                f"{best.value:.2f} instead of {now.value:.2f}, {best.seconds:.1f} s instead of "
                f"{now.seconds:.1f} s)."
            )
        elif best.seconds < 0.8 * now.seconds and best.value >= now.value - _GAIN / 2:
            parts.append(
                f"--beam-width {best.width} --length-penalty {best.alpha:g} is as good ({name} "
                f"{best.value:.2f}) in {best.seconds:.1f} s instead of {now.seconds:.1f} s."
            )
        else:
            parts.append("None of the beams tried is better: keep the search options.")
    if shares.share("beam") >= _MUCH:
        parts.append(
            f"{shares.share('beam'):.0%} of the errors are search errors: a wider beam finds texts with "
            "higher scores, which are not always better texts; compare the metrics above."
        )
    if shares.share("model") > 1 - _MUCH:
        parts.append(
            f"{shares.share('model'):.0%} of the errors are model errors: more or better training pairs, "
            "longer training, a larger network or different regularisation may help; a wider beam is "
            "unlikely to."
        )
    return " ".join(parts)
