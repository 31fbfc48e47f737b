"""The parts of tasks from sequence to sequence: how pairs are read, symbols made, the decoder built."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config.conditions import Conditions, Unless, When
from recurra.config.part import FilePath, Part, option
from recurra.config.parts import Unit

PairFormat = Literal["auto", "parallel", "csv", "tsv", "jsonl", "dialogues", "captions"]


class PairFilesPart(Part):
    """Where the two sides of a pair are."""

    title: ClassVar[str] = "Pairs"
    conditions: ClassVar[Conditions] = {
        "valid_target": When("valid"),
        "test_target": When("test"),
    }

    format: PairFormat = option(
        "auto",
        "what the files are: a file for each side, line by line; tables or JSON lines with a column for each "
        "side; dialogues; captions",
    )
    target: FilePath | None = option(None, "the other side of --data, in step with it line by line")
    valid_target: FilePath | None = option(None, "the other side of --valid")
    test_target: FilePath | None = option(None, "the other side of --test")
    source_column: str | None = option(None, "in tables, where what is read stands (source)")
    target_column: str | None = option(None, "in tables, where what is to be written stands (target)")
    skip_bad: bool = option(False, "leave out rows that cannot be read, and count them")
    max_source: int = option(
        200, "pairs with longer sources are left out of training", unit="symbols", ge=1, le=100_000
    )
    max_target: int = option(
        200, "pairs with longer targets are left out of training", unit="symbols", ge=1, le=100_000
    )


class SymbolsPart(Part):
    """What both sides are cut into."""

    title: ClassVar[str] = "Symbols"

    unit: Unit = option("subword", "what a symbol is")
    vocabulary: Literal["joint", "separate"] = option(
        "joint", "learn the symbols of both sides together, or of each side by itself"
    )
    vocabulary_size: int = option(
        8000, "symbols at most, of each vocabulary; subwords need the 256 bytes", unit="symbols", ge=4
    )
    min_count: int = option(1, "symbols seen less often are <unk>, or cut into smaller subwords", ge=1)


class EncoderDecoderPart(Part):
    """From what was read to what is written."""

    title: ClassVar[str] = "Encoder and decoder"
    conditions: ClassVar[Conditions] = {
        "share_vectors": When("vocabulary", "joint"),
        "coverage": When("attention", "additive"),
        "copying": [Unless("attention", "none"), When("vocabulary", "joint")],
        "label_smoothing": Unless("copying"),
        "decoder_backend": Unless("attention", "none"),
    }

    bidirectional: bool = option(True, "the encoder reads from both ends")
    decoder_layers: int | None = option(None, "stacked layers; if not given, as num_layers", ge=1)
    bridge: Literal["linear", "copy", "zeros"] = option(
        "linear",
        "how the decoder begins: a map of the encoder's last states, those states, or nothing of them",
    )
    attention: Literal["additive", "dot", "general", "none"] = option(
        "general", "how well a source's step fits the decoder's state: Bahdanau's or Luong's scores"
    )
    share_vectors: bool = option(
        False, "a symbol has the same vector on both sides; with tie_weights the output layer has it too"
    )
    coverage: bool = option(False, "additive attention sees how much of each step was attended to before")
    copying: bool = option(False, "a symbol may be copied from the source; needs a joint vocabulary")
    scheduled_sampling: float = option(
        0.0,
        "chance that the decoder is fed its own symbol, not the right one; rises to this pass by pass",
        ge=0,
        le=1,
    )
    label_smoothing: float = option(0.0, "share of a target that goes to all symbols alike", ge=0, lt=1)
    decoder_backend: Literal["auto", "native", "reference"] = option(
        "auto", "what computes the decoder's layer that attends"
    )


class SearchPart(Part):
    """How an answer is searched for; `recurra translate` and its kin have the same options."""

    title: ClassVar[str] = "Search"

    beam_width: int = option(5, "hypotheses that go on at each step; 1 is greedy", ge=1, le=1000)
    length_penalty: float = option(
        1.0, "alpha: log-probabilities are divided by length to this power; 0 leaves them", ge=0, le=10
    )
    length_form: Literal["power", "google"] = option(
        "power", "T^alpha, or ((5 + T)/6)^alpha as in Google's system"
    )
    beam_groups: int = option(
        1, "diverse beams: cut the beam into so many groups that avoid each other's symbols", ge=1, le=1000
    )
    diversity: float = option(0.5, "diverse beams: nats off a symbol that another group took", ge=0)
    coverage_penalty: float = option(0.0, "beta: what it costs to leave source steps unattended", ge=0)
    min_length: int = option(0, "symbols of an answer at least", unit="symbols", ge=0)
    max_length: int | None = option(
        None,
        "symbols of an answer at most, its end among them; if not given, 10 and one and a half times those "
        "of the source, of pictures 100",
        unit="symbols",
        ge=1,
        le=100_000,
    )
    block_ngrams: int = option(0, "no n symbols stand twice in an answer; 0 allows it", unit="symbols", ge=0)

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        if self.beam_width % self.beam_groups:
            raise ValueError(
                f"beam_groups: got {self.beam_groups}, expected a divisor of beam_width, {self.beam_width}"
            )
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(f"min_length: got {self.min_length}, more than max_length, {self.max_length}")
        return self


class PairBatchPart(Part):
    """Which pairs are held out, and how the others go into batches."""

    title: ClassVar[str] = "Batches"

    batch_size: int = option(64, "pairs of a batch, over all processes", ge=1)
    validation_fraction: float = option(0.1, "held out where no --valid is given", gt=0, lt=1)
    split_seed: int = option(1, "of what is held out", ge=0, le=2**32 - 1)
    validation_rows: int = option(
        500, "of the held-out pairs so many are decoded at each validation; 0 decodes none", ge=0
    )
    keep_best: Literal["score", "loss"] = option(
        "score", "which weights are the best: by what is decoded (BLEU), or by the loss"
    )
