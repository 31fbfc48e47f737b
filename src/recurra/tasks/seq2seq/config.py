"""Every option of training a translator, a chat-bot or a captioner."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config import (
    CellPart,
    EncoderDecoderPart,
    LoopPart,
    OptimizerPart,
    PairBatchPart,
    PairFilesPart,
    RecurrentPart,
    RegularizationPart,
    RunPart,
    SchedulePart,
    SearchPart,
    SymbolsPart,
    Unit,
    default,
    option,
)

# Of the recurrent network, but of no use to encoder-decoders.
_OF_LANGUAGE_MODELS = (
    *("adaptive_softmax", "embedding_dropout"),
    *("activation_regularization", "temporal_activation_regularization"),
)


class Seq2SeqConfig(
    RunPart,
    PairFilesPart,
    SymbolsPart,
    RecurrentPart,
    EncoderDecoderPart,
    CellPart,
    RegularizationPart,
    PairBatchPart,
    SearchPart,
    OptimizerPart,
    SchedulePart,
    LoopPart,
):
    """What all tasks from sequence to sequence have in common.

    Raises: ConfigError (through `build_config`) where options contradict each other.
    """

    title: ClassVar[str] = "Sequence to sequence"

    cell: Literal["lstm", "gru", "rnn", "jordan"] = default(RecurrentPart, "cell", "gru")
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
        self.refuse(_OF_LANGUAGE_MODELS, "has no use here")
        if self.cell == "jordan":
            raise ValueError("cell: jordan feeds back its own output, and a decoder does so anyway; use rnn")
        if self.attention != "none":
            self.refuse(["zoneout"], "is not of decoders with attention")
        if self.attention != "additive":
            self.refuse(["coverage"], "is of additive attention")
        if self.attention == "none" and self.bridge == "zeros":
            raise ValueError("bridge: zeros without attention tells the decoder nothing of its source")
        if self.attention == "none":
            self.refuse(["copying", "coverage_penalty", "decoder_backend"], "needs attention")
        if self.vocabulary == "separate":
            self.refuse(["share_vectors", "copying"], "needs a joint vocabulary")
        if self.copying:
            self.refuse(["label_smoothing"], "does not go with copying")
        if self.scheduled_sampling and self.epochs == 1:
            raise ValueError(
                "scheduled_sampling: rises from pass to pass, and there is one; give more epochs"
            )
        for part in ("valid", "test"):
            if getattr(self, f"{part}_target") is not None and getattr(self, part) is None:
                raise ValueError(f"{part}_target: goes with {part}; name that too")
        if self.averaging == "none" and self.averaging_after != self.default_of("averaging_after"):
            raise ValueError("averaging_after: goes with averaging non-monotone; leave it out")
        return self


class TranslateConfig(Seq2SeqConfig):
    """The options of `recurra train translate`."""

    title: ClassVar[str] = "Translation"


class ChatConfig(Seq2SeqConfig):
    """The options of `recurra train chat`."""

    title: ClassVar[str] = "Chat"

    memory_turns: int = option(
        3, "what was said before an answer: so many turns are read", unit="turns", ge=1, le=100
    )
    keep_best: Literal["score", "loss"] = default(PairBatchPart, "keep_best", "loss")
    max_source: int = default(PairFilesPart, "max_source", 100)
    max_target: int = default(PairFilesPart, "max_target", 50)
    max_length: int | None = default(SearchPart, "max_length", 50)
    block_ngrams: int = default(SearchPart, "block_ngrams", 3)
    epochs: int = default(LoopPart, "epochs", 4)


class CaptionConfig(Seq2SeqConfig):
    """The options of `recurra train caption`."""

    title: ClassVar[str] = "Captions"

    unit: Unit = default(SymbolsPart, "unit", "word")
    captions: str | None = option(
        None, "JSON lines {image, caption} or {image, captions: [...]} for the pictures of --data"
    )
    valid_captions: str | None = option(None, "the captions of --valid")
    test_captions: str | None = option(None, "the captions of --test")
    attention: Literal["additive", "dot", "general", "none"] = default(
        EncoderDecoderPart, "attention", "none"
    )
    bidirectional: bool = option(False, "has no use here: pictures are not read from an end")

    @model_validator(mode="after")
    def _check_caption(self) -> Self:
        self.refuse(["target", "valid_target", "test_target"], "is of texts; see captions")
        self.refuse(
            ["source_column", "target_column", "max_source", "bidirectional", "format"], "is of texts"
        )
        self.refuse(["copying", "share_vectors", "vocabulary"], "is of sources that are text")
        if self.bridge != "linear":
            raise ValueError(f"bridge: got {self.bridge}, expected linear: the picture starts the decoder")
        for part in ("valid", "test"):
            if (getattr(self, f"{part}_captions") is None) != (getattr(self, part) is None):
                raise ValueError(f"{part}_captions: goes with {part}; give both or neither")
        return self


CONFIGS: dict[str, type[Seq2SeqConfig]] = {
    "translate": TranslateConfig,
    "chat": ChatConfig,
    "caption": CaptionConfig,
}
