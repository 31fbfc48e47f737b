"""`recurra evaluate RUN`."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from recurra.cli.options import config_options
from recurra.config import ReaderPart

_PAIR_MODELS = "Translators, chat-bots, captioners"
_LABELLERS = "Taggers and classifiers"


@config_options(ReaderPart, leave_out=("phrases", "skip_bad"))
def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    data: Annotated[
        Path | None, typer.Option(help="Text to evaluate on; without it, the part held out in training.")
    ] = None,
    streams: Annotated[
        int,
        typer.Option(min=1, help="Parallel streams: 1 carries the state over all the text, more are faster."),
    ] = 1,
    cache_size: Annotated[
        int | None,
        typer.Option(min=1, help="Neural cache: remember so many symbols.", rich_help_panel="While reading"),
    ] = None,
    cache_weight: Annotated[
        float | None,
        typer.Option(
            help="Share of the cache in the mixture (default 0.1).", rich_help_panel="While reading"
        ),
    ] = None,
    cache_sharpness: Annotated[
        float | None,
        typer.Option(
            help="How much likeness of states counts in the cache (default 0.3).",
            rich_help_panel="While reading",
        ),
    ] = None,
    dynamic_rate: Annotated[
        float | None,
        typer.Option(
            help="Dynamic evaluation: learn from what was read at this rate (1e-4, say).",
            rich_help_panel="While reading",
        ),
    ] = None,
    dynamic_decay: Annotated[
        float | None,
        typer.Option(
            help="Its pull back to the trained weights (default 1e-3).", rich_help_panel="While reading"
        ),
    ] = None,
    dynamic_steps: Annotated[
        int | None,
        typer.Option(min=1, help="Symbols between its steps (default 5).", rich_help_panel="While reading"),
    ] = None,
    mistakes: Annotated[
        int,
        typer.Option(min=0, help="Show so many of the worst mistakes.", rich_help_panel=_LABELLERS),
    ] = 0,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            help="Leave out rows that cannot be read, and count them.",
            rich_help_panel=_LABELLERS,
        ),
    ] = False,
    target: Annotated[
        Path | None,
        typer.Option(
            help="The other side of --data, or of pictures their captions.", rich_help_panel=_PAIR_MODELS
        ),
    ] = None,
    beam_width: Annotated[
        int | None,
        typer.Option(help="Hypotheses of the search; else the run's own.", rich_help_panel=_PAIR_MODELS),
    ] = None,
    length_penalty: Annotated[
        float | None,
        typer.Option(help="Alpha of the search; else the run's own.", rich_help_panel=_PAIR_MODELS),
    ] = None,
    by_length: Annotated[
        bool,
        typer.Option("--by-length", help="BLEU by the words of a source.", rich_help_panel=_PAIR_MODELS),
    ] = False,
    beside: Annotated[
        Path | None,
        typer.Option(help="Another run, whose figures stand beside them.", rich_help_panel=_PAIR_MODELS),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw BLEU by length into this PNG.", rich_help_panel=_PAIR_MODELS),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    *,
    options: dict[str, Any],
) -> None:
    """How well a run's model does: the perplexity of a text, every symbol counted, labels of rows, or BLEU,
    chrF and perplexity of answers.

    Rows are read as those that were trained on, unless the options of reading say otherwise.
    """
    from recurra.cli.label_tables import show_figures
    from recurra.cli.pair_figures import show_pair_figures
    from recurra.errors import ConfigError
    from recurra.tasks.labelling.facade import Labeller
    from recurra.tasks.language_modeling.adaptation import CacheOptions, DynamicOptions
    from recurra.tasks.loading import load
    from recurra.tasks.seq2seq.facade import PairModel

    of_cache = _given("--cache-size", cache_size, sharpness=cache_sharpness, weight=cache_weight)
    cache = None if cache_size is None else CacheOptions(cache_size, **of_cache)
    of_dynamic = _given("--dynamic-rate", dynamic_rate, decay=dynamic_decay, steps=dynamic_steps)
    dynamic = None if dynamic_rate is None else DynamicOptions(dynamic_rate, **of_dynamic)
    model = load(run)
    searching = {"beam_width": beam_width, "length_penalty": length_penalty}
    searching = {name: value for name, value in searching.items() if value is not None}
    of_pairs = searching or target is not None or by_length or beside is not None or picture is not None
    if isinstance(model, PairModel):
        if cache or dynamic or streams > 1 or mistakes or options:
            raise ConfigError(f"{run}: is no language model and labels nothing; see --help for its options.")
        show_pair_figures(
            model.searching(**searching),
            data,
            target,
            by_length=by_length,
            beside=beside,
            picture=picture,
            skip_bad=skip_bad,
            as_json=as_json,
        )
        return
    if of_pairs:
        raise ConfigError(
            f"{run}: answers no pairs; --target, --beam-width, --length-penalty, --by-length, --beside and "
            "--picture have no use."
        )
    if isinstance(model, Labeller):
        if cache or dynamic or streams > 1:
            raise ConfigError(f"{run}: labels rows; --streams, --cache-… and --dynamic-… have no use.")
        if options and data is None:
            raise ConfigError(
                f"--{min(options).replace('_', '-')}: goes with --data; give that too, or leave it out."
            )
        show_figures(model.reading(**options), data, mistakes=mistakes, skip_bad=skip_bad, as_json=as_json)
        return
    if mistakes or skip_bad or options:
        raise ConfigError(
            f"{run}: is a language model; --mistakes, --skip-bad and options of reading have no use."
        )
    figures = model.evaluate(data, streams=streams, cache=cache, dynamic=dynamic)
    values = {name: None if value == math.inf else value for name, value in figures.to_dict().items()}
    typer.echo(json.dumps(values, allow_nan=False) if as_json else figures.sentence())


def _given(name: str, needed: float | None, **others: float | None) -> dict[str, Any]:
    """Those of the others that are given; the option that they go with must be, too."""
    from recurra.errors import ConfigError

    given = {option: value for option, value in others.items() if value is not None}
    if needed is None and given:
        options = " and ".join(f"--{name.split('-')[2]}-{option}" for option in given)
        raise ConfigError(f"{options}: goes with {name}; give that too, or leave it out.")
    return given
