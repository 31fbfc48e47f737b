"""`recurra spell RUN`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.plain import json_line

if TYPE_CHECKING:
    from recurra.metrics import SpellingFigures
    from recurra.tasks.language_modeling.spelling import SpellingCorrector

_MEASURE = "Evaluation"
_EvaluateWords = Annotated[
    Path | None, typer.Option(help="File of misspellings to correct one by one.", rich_help_panel=_MEASURE)
]
_EvaluateText = Annotated[
    Path | None,
    typer.Option(
        help="Correct text in which misspellings are inserted and corrected.", rich_help_panel=_MEASURE
    ),
]
_Misspellings = Annotated[
    Path | None, typer.Option(help="File of misspellings to insert.", rich_help_panel=_MEASURE)
]
_OneIn = Annotated[
    int | None,
    typer.Option(min=1, help="Misspell one word in this many (default: 12).", rich_help_panel=_MEASURE),
]
_Lines = Annotated[
    int | None, typer.Option(min=1, help="Number of lines of the text to use.", rich_help_panel=_MEASURE)
]
_Seed = Annotated[
    int | None,
    typer.Option(min=0, help="Random seed of words and errors (default: 1).", rich_help_panel=_MEASURE),
]


def spell(
    run: Annotated[Path, typer.Argument(help="Folder of a language model.")],
    file: Annotated[str, typer.Argument(help="Text to correct, - for standard input.")] = "-",
    words: Annotated[
        Path | None,
        typer.Option(help="Text with the correct words (if not given, the training data of the run)."),
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(help="Misspellings to estimate error probabilities from, lines `right: typed typed …`."),
    ] = None,
    context: Annotated[
        bool,
        typer.Option(
            "--context/--no-context", help="Use the language model to judge each word in its context."
        ),
    ] = True,
    caution: Annotated[
        float, typer.Option(min=0.0, help="Cost, in nats, of changing a word that is in the dictionary.")
    ] = 2.0,
    max_edits: Annotated[int, typer.Option(min=1, max=4, help="Maximum number of errors per word.")] = 2,
    explain: Annotated[bool, typer.Option("--explain", help="Print each change.")] = False,
    evaluate_words: _EvaluateWords = None,
    evaluate_text: _EvaluateText = None,
    misspellings: _Misspellings = None,
    one_in: _OneIn = None,
    lines: _Lines = None,
    seed: _Seed = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Correct the spelling of a text, word by word, using the context.

    echo 'I hav a dreem' | recurra spell runs/english
    """
    _check_evaluation(evaluate_words, evaluate_text, misspellings, drawn=(lines, one_in, seed))
    if explain and as_json:
        from recurra.errors import ConfigError

        raise ConfigError("--explain: the JSON already has the changes; remove it.")
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load

    model = load(run, LanguageModel)
    options: dict[str, Any] = {"words": words, "errors": errors, "context": context, "caution": caution}
    options |= {"max_edits": max_edits}
    if evaluate_words is not None:
        _tell(model.spelling_figures(evaluate_words, **options), as_json=as_json)
    elif evaluate_text is not None and misspellings is not None:
        drawing: dict[str, Any] = {
            "lines": lines,
            "one_in": one_in or 12,
            "seed": 1 if seed is None else seed,
        }
        figures = model.spelling_figures(misspellings, evaluate_text, **drawing, **options)
        _tell(figures, as_json=as_json)
    else:
        _correct(model.spelling_corrector(**options), file, explain=explain, as_json=as_json)


def _check_evaluation(
    words: Path | None, text: Path | None, misspellings: Path | None, drawn: tuple[int | None, ...]
) -> None:
    """Refuse options of an evaluation that do not fit. Raises: ConfigError."""
    from recurra.errors import ConfigError

    if (text is None) != (misspellings is None):
        raise ConfigError("--evaluate-text and --misspellings: need each other; name both.")
    if words is not None and text is not None:
        raise ConfigError("--evaluate-words and --evaluate-text: exclude each other; remove one.")
    if text is None and any(one is not None for one in drawn):
        raise ConfigError(
            "--lines, --one-in and --seed: apply only with --evaluate-text; give that, or remove them."
        )


def _tell(figures: "SpellingFigures", *, as_json: bool) -> None:
    typer.echo(json_line(figures.to_dict()) if as_json else figures.sentence())


def _correct(corrector: "SpellingCorrector", file: str, *, explain: bool, as_json: bool) -> None:
    """Print the corrected lines of a file or of standard input."""
    from dataclasses import asdict

    from recurra.data.inputs import Input

    for line in Input(file).lines():
        found = corrector.correct(line)
        if as_json:
            typer.echo(json_line({"text": found.text, "changes": [asdict(one) for one in found.changes]}))
            continue
        typer.echo(found.text)
        if explain:
            for change in found.changes:
                typer.echo(f"  {change.start}: {change.typed} -> {change.corrected}")
