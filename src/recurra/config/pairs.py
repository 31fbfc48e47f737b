"""Configuration parts of sequence-to-sequence tasks: reading pairs, symbols, encoder and decoder."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config.conditions import Above, AnyOf, Conditions, Unless, When
from recurra.config.part import Encoding, FilePath, Part, option
from recurra.config.parts import Unit
from recurra.config.search import Multiples, Suggestions

BestMetric = Literal["score", "loss", "bleu", "chrf", "exact"]
PairFormat = Literal["auto", "parallel", "csv", "tsv", "jsonl", "dialogues"]


class PairFilesPart(Part):
    """Options for reading the two sides of pairs."""

    title: ClassVar[str] = "Pairs"
    conditions: ClassVar[Conditions] = {
        "valid_target": When("valid"),
        "test_target": When("test"),
    }
    renamed: ClassVar[Mapping[str, str]] = {
        "max_source": "max_source_length",
        "max_target": "max_target_length",
    }
    not_searched: ClassVar[tuple[str, ...]] = (
        *("format", "source_column", "target_column", "encoding", "delimiter", "skip_bad"),
    )

    format: PairFormat = option(
        "auto",
        "Format of the files: parallel (one file per side), csv, tsv or jsonl (one column per side), "
        "dialogues; auto infers it",
    )
    target: FilePath | None = option(None, "Target side of --data, aligned with it line by line")
    valid_target: FilePath | None = option(None, "Target side of --valid")
    test_target: FilePath | None = option(None, "Target side of --test")
    source_column: str | None = option(None, "Tables: column of the source (source)")
    target_column: str | None = option(None, "Tables: column of the target (target)")
    encoding: Encoding = option("utf-8", "Character encoding of text files, latin-1 or cp1252 for example")
    delimiter: str | None = option(
        None, "Delimiter of csv files (if not given, inferred from the header: , ; | or a tab)", max_length=1
    )
    skip_bad: bool = option(False, "Skip rows that cannot be read, and count them")
    max_source_length: int = option(
        200, "Skip training pairs with longer sources", unit="symbols", ge=1, le=100_000
    )
    max_target_length: int = option(
        200, "Skip training pairs with longer targets", unit="symbols", ge=1, le=100_000
    )


class SymbolsPart(Part):
    """Options for splitting both sides into symbols."""

    title: ClassVar[str] = "Symbols"
    # They change the symbols, of which the loss is the mean.
    not_searched: ClassVar[tuple[str, ...]] = ("unit", "vocabulary", "max_vocabulary_size", "min_count")
    renamed: ClassVar[Mapping[str, str]] = {"vocabulary_size": "max_vocabulary_size"}

    unit: Unit = option("subword", "Unit of the text: one symbol is a character, a word or a subword")
    vocabulary: Literal["joint", "separate"] = option(
        "joint", "Joint vocabulary of both sides, or a separate one for each"
    )
    max_vocabulary_size: int = option(
        8000, "Maximum size of each vocabulary; subwords need at least the 256 bytes", unit="symbols", ge=4
    )
    min_count: int = option(
        1, "Replace symbols that occur less often with <unk>, or split them into smaller subwords", ge=1
    )


class EncoderDecoderPart(Part):
    """Options of the encoder and the decoder."""

    title: ClassVar[str] = "Encoder and decoder"
    not_searched: ClassVar[tuple[str, ...]] = ("decoder_backend",)
    conditions: ClassVar[Conditions] = {
        "share_vectors": When("vocabulary", "joint"),
        "coverage": When("attention", "additive"),
        "copying": [Unless("attention", "none"), When("vocabulary", "joint")],
        "label_smoothing": Unless("copying"),
        "decoder_backend": Unless("attention", "none"),
    }

    bidirectional: bool = option(True, "Use a bidirectional encoder")
    decoder_layers: int | None = option(None, "Number of decoder layers (if not given: num_layers)", ge=1)
    bridge: Literal["linear", "copy", "zeros"] = option(
        "linear",
        "Initial state of the decoder: a linear map of the encoder's final states, a copy of them, or zeros",
    )
    attention: Literal["additive", "dot", "general", "none"] = option(
        "general", "Attention score: additive (Bahdanau), dot or general (Luong), or none"
    )
    share_vectors: bool = option(
        False, "Share the embeddings of source and target; with tie_weights also with the output layer"
    )
    coverage: bool = option(
        False, "Additive attention reads how much each source step was attended to before"
    )
    copying: bool = option(
        False,
        "Copy mechanism: the decoder may copy symbols from the source, also words that are not in the "
        "vocabulary; needs a joint vocabulary",
    )
    scheduled_sampling: float = option(
        0.0,
        "Scheduled sampling: probability of feeding the decoder its own prediction, reached epoch by epoch",
        ge=0,
        le=1,
    )
    label_smoothing: float = option(
        0.0, "Label smoothing: share of the target spread over all symbols", ge=0, lt=1
    )
    decoder_backend: Literal["auto", "native", "reference"] = option(
        "auto", "Backend that computes the decoder layer with attention"
    )


class SearchPart(Part):
    """Options of the search for an output; `recurra translate` and similar commands have the same options."""

    title: ClassVar[str] = "Search"
    conditions: ClassVar[Conditions] = {
        "length_form": Unless("length_penalty", 0.0),
        "diversity": Above("beam_groups", 1),
    }

    beam_width: int = option(5, "Beam width; 1 is greedy search", ge=1, le=1000)
    length_penalty: float = option(
        1.0,
        "Length penalty alpha: log-probabilities are divided by length^alpha; 0 turns it off",
        ge=0,
        le=10,
    )
    length_form: Literal["power", "google"] = option(
        "power",
        "Form of the length penalty: T^alpha (power), or ((5 + T)/6)^alpha as in Google's system (google)",
    )
    beam_groups: int = option(
        1, "Diverse beam search: number of groups that the beam is divided into", ge=1, le=1000
    )
    diversity: float = option(
        0.5, "Diverse beam search: penalty, in nats, for a symbol that another group has chosen", ge=0
    )
    coverage_penalty: float = option(
        0.0, "Coverage penalty beta for source steps that were not attended to", ge=0
    )
    min_length: int = option(0, "Minimum length of the output", unit="symbols", ge=0)
    max_length: int | None = option(
        None,
        "Maximum length of the output, its end included (if not given: 1.5 times the "
        "source length + 10, at most 1,000)",
        unit="symbols",
        ge=1,
        le=100_000,
    )
    block_ngrams: int = option(
        0, "Never repeat an n-gram of this order within an output; 0 allows repetition", unit="symbols", ge=0
    )

    unknown: Literal["keep", "replace", "redraw"] = option(
        "keep",
        "Output of <unk>: keep it, replace it by the source word with the most attention, or redraw the word",
    )

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        if self.beam_width % self.beam_groups:
            raise ValueError(
                f"beam_groups: got {self.beam_groups}, expected a divisor of beam_width, {self.beam_width}"
            )
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(f"min_length: got {self.min_length}, more than max_length, {self.max_length}")
        return self


class RunSearchPart(SearchPart):
    """The search of a trained model: options that are not given are as in its training."""

    as_trained: ClassVar[tuple[str, ...]] = tuple(SearchPart.model_fields)

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        return self  # checked together with the options that are not given


class PairBatchPart(Part):
    """Options for holding out pairs and for batching the others."""

    title: ClassVar[str] = "Batches"
    conditions: ClassVar[Conditions] = {
        "validation_fraction": Unless("valid"),
        "split_seed": AnyOf(Unless("valid"), When("folds"), When("test_fraction")),
        "test_fraction": Unless("test"),
        "keep_best": When("validation_rows"),
    }
    not_searched: ClassVar[tuple[str, ...]] = (
        *("validation_fraction", "test_fraction", "split_seed", "validation_rows"),
    )
    searched: ClassVar[Suggestions] = {"batch_size": Multiples(0.5, 1, 2)}

    batch_size: int = option(64, "Number of pairs per batch, over all processes", ge=1)
    validation_fraction: float = option(
        0.1, "Fraction held out for validation if --valid is not given", gt=0, lt=1
    )
    test_fraction: float | None = option(
        None,
        "Fraction held out for testing; it is in no fold of --folds",
        gt=0,
        lt=1,
    )
    split_seed: int = option(
        1, "Random seed of the split into training, validation and test data", ge=0, le=2**32 - 1
    )
    validation_rows: int = option(
        500, "Number of validation pairs to decode at each validation; 0 decodes none", ge=0
    )
    keep_best: BestMetric = option(
        "score",
        "Metric of the best checkpoint: score (BLEU, or chrF if most targets are short, plus exact match), "
        "loss, or one metric of the decoded outputs",
    )
