"""The training options of translators, chat-bots and captioners."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config import (
    CellPart,
    EncoderDecoderPart,
    FilePath,
    FoldsPart,
    LoopPart,
    OptimizerPart,
    PairBatchPart,
    PairFilesPart,
    Part,
    RecurrentPart,
    RegularizationPart,
    RunPart,
    RunSearchPart,
    SchedulePart,
    SearchPart,
    SymbolsPart,
    TaskConfig,
    Unit,
    VectorsPart,
    default,
    option,
)
from recurra.config.conditions import Above, AnyOf, Conditions, OnlyIn, Unless, When
from recurra.config.pairs import BestMetric

_OF_SEARCHES = ("beam_width", "beam_groups", "diversity", "coverage_penalty")
_OF_DRAWING = ("temperature", "top_k", "top_p", "seed")
# Options of the recurrent network that encoder-decoders do not use.
_OF_LANGUAGE_MODELS = (
    *("adaptive_softmax", "embedding_dropout"),
    *("activation_regularization", "temporal_activation_regularization"),
)


_OF_TEXTS = (
    *(
        "target",
        "valid_target",
        "test_target",
        "source_column",
        "target_column",
        "max_source_length",
        "format",
        "encoding",
        "delimiter",
    ),
    *("bidirectional", "bridge", "learn_initial_state", "copying", "share_vectors", "vocabulary", "vectors"),
)


class PairEvaluationPart(Part):
    """Options of `recurra evaluate`: the pairs, the search, and what is shown."""

    title: ClassVar[str] = "Translators, chat-bots, captioners"
    conditions: ClassVar[Conditions] = {
        "compare_with": When("by_length"),
        "picture": When("by_length"),
    }
    renamed: ClassVar[Mapping[str, str]] = {"beside": "compare_with"}
    as_trained: ClassVar[tuple[str, ...]] = ("skip_bad", "beam_width", "length_penalty", "unknown")

    target: FilePath | None = option(
        None, "File with the target side of --data; for images, the file of captions"
    )
    skip_bad: bool = option(False, "Skip rows that cannot be read, and count them")
    beam_width: int = option(5, "Beam width of the search", ge=1, le=1000)
    length_penalty: float = option(1.0, "Length penalty alpha of the search", ge=0, le=10)
    unknown: Literal["keep", "replace", "redraw"] = default(SearchPart, "unknown", "keep")
    by_length: bool = option(False, "Also report BLEU by source length")
    compare_with: FilePath | None = option(None, "Another run to compare with by length")
    picture: FilePath | None = option(None, "Write a plot of BLEU by source length to this PNG file")


class AnswersPart(RunSearchPart):
    """Options of `recurra predict`: how outputs are searched for or sampled, and what is printed."""

    title: ClassVar[str] = "Translators, chat-bots, captioners"
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(_OF_DRAWING, When("sample")),
        **dict.fromkeys(("top_k", "top_p", "seed"), (When("sample"), Above("temperature", 0))),
        **dict.fromkeys(_OF_SEARCHES, Unless("sample")),
    }
    renamed: ClassVar[Mapping[str, str]] = {"attention": "attention_pictures"}

    n_best: int = option(1, "Number of best outputs to print, without duplicates", ge=1)
    prefix: str = option("", "Text that each output begins with")
    phrase: tuple[str, ...] = option((), "Phrase that each output contains; may be given several times")
    sample: int = option(0, "Sample this many outputs instead of searching", ge=0)
    temperature: float = option(
        1.0, "Sampling temperature; below 1 sharper, above 1 more varied, 0 greedy", ge=0
    )
    top_k: int | None = option(None, "Sample from the k most probable symbols only", ge=1)
    top_p: float | None = option(
        None, "Sample from the smallest set of symbols with this total probability", gt=0, le=1
    )
    seed: int = option(0, "Random seed of sampling", ge=0)
    attention_pictures: FilePath | None = option(
        None, "Write a picture of the attention of each output to this folder"
    )

    @model_validator(mode="after")
    def _check_answers(self) -> Self:
        if self.sample and (self.n_best > 1 or self.prefix or self.phrase):
            raise ValueError("sample: cannot be combined with n_best, prefix or phrase; remove them")
        return self


class Seq2SeqConfig(
    RunPart,
    PairFilesPart,
    SymbolsPart,
    VectorsPart,
    RecurrentPart,
    EncoderDecoderPart,
    CellPart,
    RegularizationPart,
    PairBatchPart,
    FoldsPart,
    SearchPart,
    TaskConfig,
):
    """Options common to all sequence-to-sequence tasks.

    Raises: ConfigError (through `build_config`) if options contradict each other.
    """

    title: ClassVar[str] = "Sequence to sequence"
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(_OF_LANGUAGE_MODELS, OnlyIn("language models")),
        "coverage_penalty": Unless("attention", "none"),
        "zoneout": When("attention", "none"),
        # The layer with attention is apart from the other layers of the decoder.
        "skip": AnyOf(Above("num_layers", 1), When("attention", "none"), Above("decoder_layers", 2)),
        "unknown": Unless("unit", "subword"),
        "target_vectors": [When("unit", "word"), Unless("share_vectors"), Unless("from_run")],
        "freeze_vectors": Unless("share_vectors"),
    }
    main_options: ClassVar[tuple[str, ...]] = (
        *("data", "target", "valid", "valid_target", "captions", "valid_captions", "test", "memory_turns"),
        *("unit", "max_vocabulary_size", "cell", "hidden_size", "num_layers", "attention", "dropout"),
        *("batch_size", "epochs", "learning_rate", "patience", "keep_best", "beam_width", "seed", "seeds"),
        *("threads", "from_run"),
    )
    evaluation: ClassVar[type[Part]] = PairEvaluationPart
    prediction: ClassVar[type[Part]] = AnswersPart

    target_vectors: FilePath | None = option(
        None,
        "Pretrained word vectors of the target (a run that trained some, or a file), of the size of those of "
        "the source",
    )
    # A jordan cell feeds back its own output, as a decoder does anyway.
    cell: Literal["lstm", "gru", "rnn"] = default(RecurrentPart, "cell", "gru")
    hidden_size: int = default(RecurrentPart, "hidden_size", 256)
    num_layers: int = default(RecurrentPart, "num_layers", 1)
    dropout: float = default(RecurrentPart, "dropout", 0.4)
    input_dropout: float = default(RecurrentPart, "input_dropout", 0.3)
    learning_rate: float = default(OptimizerPart, "learning_rate", 0.002)
    warmup_steps: int = default(SchedulePart, "warmup_steps", 200)
    epochs: int = default(LoopPart, "epochs", 20)

    @model_validator(mode="after")
    def _check_seq2seq(self) -> Self:
        if self.data is None:
            raise ValueError("data: is missing; name a file to train on")
        if self.attention == "none" and self.bridge == "zeros":
            raise ValueError("bridge: zeros needs attention, or the decoder gets no source; use linear")
        if self.unknown == "replace" and self.attention == "none":
            raise ValueError("unknown: replace needs attention; use redraw")
        if self.target_vectors is not None and self.tie_weights and self.freeze_vectors:
            raise ValueError(
                "freeze_vectors: cannot be combined with target_vectors and tie_weights, which freezes the "
                "output layer too; remove one of them, or use tune_after"
            )
        if self.scheduled_sampling and self.epochs == 1:
            raise ValueError(
                "scheduled_sampling: increases from epoch to epoch, but there is only one; give more epochs"
            )
        return self


class TranslateConfig(Seq2SeqConfig):
    """The options of `recurra train translate`."""

    title: ClassVar[str] = "Translator"
    task: ClassVar[str] = "recurra.tasks.seq2seq.task:Translation"
    summary: ClassVar[str] = "Train a translator from one text to another, line by line."
    example: ClassVar[str] = "recurra train translate --data train.en --target train.de -o runs/en-de"

    format: Literal["auto", "parallel", "csv", "tsv", "jsonl"] = option(
        "auto",
        "Format of the files: parallel (one file per side), csv, tsv or jsonl (one column per side); auto "
        "infers it",
    )


class ChatConfig(Seq2SeqConfig):
    """The options of `recurra train chat`."""

    title: ClassVar[str] = "Chat-bot"
    task: ClassVar[str] = "recurra.tasks.seq2seq.task:Chat"
    summary: ClassVar[str] = "Train a chat-bot that answers the previous turns."
    not_searched: ClassVar[tuple[str, ...]] = ("memory_turns",)
    example: ClassVar[str] = "recurra train chat --data dialogues.jsonl -o runs/chat"

    memory_turns: int = option(3, "Number of previous turns that the model reads", unit="turns", ge=1, le=100)
    keep_best: BestMetric = default(PairBatchPart, "keep_best", "loss")
    max_source_length: int = default(PairFilesPart, "max_source_length", 100)
    max_target_length: int = default(PairFilesPart, "max_target_length", 50)
    max_length: int = option(
        50, "Maximum length of the output, its end included", unit="symbols", ge=1, le=100_000
    )
    block_ngrams: int = default(SearchPart, "block_ngrams", 3)
    epochs: int = default(LoopPart, "epochs", 4)


class CaptionConfig(Seq2SeqConfig):
    """The options of `recurra train caption`."""

    title: ClassVar[str] = "Captioner"
    task: ClassVar[str] = "recurra.tasks.seq2seq.task:Captioning"
    summary: ClassVar[str] = "Train a captioner that describes an image, or its features, in a sentence."
    example: ClassVar[str] = "recurra train caption --data images --captions captions.jsonl -o runs/caption"

    # The decoder begins with the picture, and has num_layers layers if decoder_layers is not given.
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(_OF_TEXTS, OnlyIn("sources of text")),
        "num_layers": Unless("decoder_layers"),
        "skip": AnyOf(When("attention", "none"), Above("num_layers", 2), Above("decoder_layers", 2)),
    }

    data: FilePath | None = option(None, "Training pictures: a folder of images, or features as .npz or .npy")
    unit: Unit = default(SymbolsPart, "unit", "word")
    captions: FilePath | None = option(
        None, "Captions of --data: JSON lines {image, caption} or {image, captions: [...]}"
    )
    valid_captions: FilePath | None = option(None, "Captions of --valid")
    test_captions: FilePath | None = option(None, "Captions of --test")
    attention: Literal["additive", "dot", "general", "none"] = default(
        EncoderDecoderPart, "attention", "none"
    )
    bidirectional: bool = default(EncoderDecoderPart, "bidirectional", False)
    max_length: int | None = option(
        None,
        "Maximum length of the output, its end included (if not given: 100)",
        unit="symbols",
        ge=1,
        le=100_000,
    )

    @model_validator(mode="after")
    def _check_caption(self) -> Self:
        if self.unknown == "replace":
            raise ValueError("unknown: replace takes words from a source of text; use redraw")
        for part in ("valid", "test"):
            if (getattr(self, f"{part}_captions") is None) != (getattr(self, part) is None):
                raise ValueError(f"{part}_captions: is used with {part} only; give both or neither")
        return self
