"""Configuration parts of the tasks: text, streams, recurrent network, optimiser, schedule, loop, run."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config.conditions import Above, AnyOf, Conditions, Unless, When
from recurra.config.part import FilePath, Part, option
from recurra.config.search import Around, Between, EveryChoice, Multiples, OneOf, Suggestions

Unit = Literal["char", "word", "subword"]
Documents = Literal["none", "line", "blank"]
AtDocument = Literal["carry", "cut", "reset"]
CellName = Literal["lstm", "gru", "rnn", "jordan"]
Nonlinearity = Literal["tanh", "relu", "leaky_relu", "sigmoid", "hardtanh"]
Backend = Literal["auto", "native", "torch", "reference"]
ModelName = Literal["recurrent", "feed-forward", "ngram"]
Smoothing = Literal["kneser-ney", "witten-bell", "add-k", "maximum-likelihood"]

# An encoder-decoder has several layers if its encoder or its decoder has.
_SEVERAL_LAYERS = AnyOf(Above("num_layers", 1), Above("decoder_layers", 1))


class TextPart(Part):
    """Options for splitting text into symbols."""

    title: ClassVar[str] = "Text"
    # They change the symbols, of which the loss is the mean.
    not_searched: ClassVar[tuple[str, ...]] = (
        *("unit", "min_count", "max_vocabulary_size", "direction", "documents"),
    )

    unit: Unit = option("char", "Unit of the text: one symbol is a character, a word or a subword")
    min_count: int = option(1, "Replace symbols that occur less often with <unk>", ge=1)
    max_vocabulary_size: int | None = option(
        None,
        "Maximum vocabulary size; the most frequent symbols are kept (subwords: the number to learn, "
        "8,000 if not given)",
        ge=2,
    )
    direction: Literal["forward", "backward"] = option(
        "forward", "Reading direction; backward reads each line from its end"
    )
    documents: Documents = option(
        "none", "Document boundaries: none, line ends (line), or blank lines (blank)"
    )


class ModelPart(Part):
    """The kind of model."""

    title: ClassVar[str] = "Model"

    model: ModelName = option(
        "recurrent", "Recurrent network, feed-forward network over a fixed context, or n-gram counts"
    )


class ContextPart(Part):
    """Options of the feed-forward model."""

    title: ClassVar[str] = "Context (model feed-forward)"
    searched: ClassVar[Suggestions] = {"context_size": Between(2, 10)}
    renamed: ClassVar[Mapping[str, str]] = {"window": "context_size"}

    context_size: int = option(
        4, "Number of previous symbols that the model reads", unit="symbols", ge=1, le=1000
    )
    direct: bool = option(False, "Connect the embeddings directly to the output layer as well")


class NGramPart(Part):
    """Options of the n-gram model."""

    title: ClassVar[str] = "N-grams (model ngram)"
    not_searched: ClassVar[tuple[str, ...]] = ("chunk_size",)
    searched: ClassVar[Suggestions] = {
        "order": Between(2, 8),
        "smoothing": EveryChoice(),
        "add_k": Between(0.001, 1.0, log=True),
        "cutoff": OneOf(0, 1, 2),
    }
    conditions: ClassVar[Conditions] = {
        "add_k": When("smoothing", "add-k"),
        "cutoff": [When("smoothing", "kneser-ney", "witten-bell"), Above("order", 2)],
    }

    order: int = option(5, "Order n of the model: n-grams have at most n symbols", ge=1, le=32)
    smoothing: Smoothing = option("kneser-ney", "Smoothing method for unseen n-grams")
    add_k: float = option(1.0, "Constant that add-k smoothing adds to each count", gt=0)
    arpa: FilePath | None = option(None, "Read the n-grams from this ARPA file instead of counting --data")
    cutoff: int = option(0, "Drop n-grams of order 3 and above that occur at most this often", ge=0)
    chunk_size: int = option(
        4_194_304,
        "Number of symbols to count in one step; larger chunks need more memory",
        unit="symbols",
        ge=1,
    )


class StreamPart(Part):
    """Options for reading a corpus as parallel streams."""

    title: ClassVar[str] = "Streams"
    conditions: ClassVar[Conditions] = {
        "at_document": When("documents", "line", "blank"),
        "validation_fraction": Unless("valid"),
        "test_fraction": Unless("test"),
    }
    not_searched: ClassVar[tuple[str, ...]] = ("validation_fraction", "test_fraction")
    searched: ClassVar[Suggestions] = {"batch_size": Multiples(0.5, 1, 2)}

    batch_size: int = option(25, "Number of parallel streams, over all processes", ge=1)
    segment_length: int = option(
        100, "Number of steps of backpropagation through time (k2)", unit="symbols", ge=1
    )
    update_every: int | None = option(
        None,
        "Number of steps between updates (k1), a divisor of segment_length (if not given: segment_length)",
        unit="symbols",
        ge=1,
    )
    at_document: AtDocument = option(
        "reset", "At a document boundary: carry the state over, cut the segment, or reset the state"
    )
    shift_segments: bool = option(
        False,
        "Give the first segment of each epoch a random length, so that gradients are truncated at "
        "other steps",
    )
    validation_fraction: float = option(
        0.1, "Fraction of the text, at its end, held out for validation if --valid is not given", gt=0, lt=1
    )
    test_fraction: float | None = option(
        None,
        "Fraction of the text, at its end, held out for testing; validation_fraction is then of the rest",
        gt=0,
        lt=1,
    )


class RecurrentPart(Part):
    """Options of the recurrent network."""

    title: ClassVar[str] = "Network"
    not_searched: ClassVar[tuple[str, ...]] = ("backend",)
    searched: ClassVar[Suggestions] = {
        "hidden_size": Multiples(0.5, 1, 2),
        "num_layers": OneOf(1, 2),
        "dropout": Between(0.0, 0.7, step=0.1),
        "input_dropout": Between(0.0, 0.5, step=0.1),
    }

    cell: CellName = option("lstm", "Recurrent cell")
    hidden_size: int = option(256, "Number of hidden units per layer", ge=1)
    num_layers: int = option(2, "Number of stacked recurrent layers", ge=1, le=1000)
    embedding_size: int | None = option(None, "Size of the embeddings (if not given: hidden_size)", ge=1)
    dropout: float = option(0.2, "Dropout probability between layers and before the output layer", ge=0, lt=1)
    input_dropout: float = option(0.0, "Dropout probability on the embeddings", ge=0, lt=1)
    tie_weights: bool = option(
        False,
        "Share the weights of the embedding and the output layer; the last layer then has "
        "embedding_size units",
    )
    adaptive_softmax: bool = option(
        False, "Use the adaptive softmax, which is faster for vocabularies of many thousands"
    )
    init_scale: float | None = option(
        None, "Initialise weights uniformly in [-s, s] (if not given, as torch.nn does)", gt=0
    )
    backend: Backend = option("auto", "Backend that computes the recurrence")


class VectorsPart(Part):
    """Pretrained word vectors as the initial embedding."""

    title: ClassVar[str] = "Pretrained word vectors"
    conditions: ClassVar[Conditions] = {
        "vectors": [When("unit", "word"), Unless("from_run")],
        **dict.fromkeys(("freeze_vectors", "tune_after"), AnyOf(When("vectors"), When("target_vectors"))),
    }

    vectors: FilePath | None = option(
        None, "Pretrained word vectors: a run that trained some, or a file: word2vec, GloVe, .npz"
    )
    freeze_vectors: bool = option(False, "Do not train the pretrained vectors")
    tune_after: int = option(
        0, "Number of epochs before the pretrained vectors are trained too", unit="epochs", ge=0
    )

    @model_validator(mode="after")
    def _check_vectors(self) -> Self:
        if self.freeze_vectors and self.tune_after:
            raise ValueError("tune_after: cannot be combined with freeze_vectors; remove one of them")
        return self


class CellPart(Part):
    """Variants of the cell, and connections between layers."""

    title: ClassVar[str] = "Cell"
    conditions: ClassVar[Conditions] = {
        "nonlinearity": When("cell", "rnn", "jordan"),
        "reset_gate": When("cell", "gru"),
        "peepholes": When("cell", "lstm"),
        "relevance_gate": When("cell", "lstm"),
        "coupled_gates": When("cell", "lstm"),
        "output_activation": When("cell", "lstm"),
        "forget_bias": When("cell", "lstm"),
        "layer_norm": When("cell", "gru", "lstm"),
        "num_layers": Unless("cell", "jordan"),
        "skip": [Unless("cell", "jordan"), _SEVERAL_LAYERS],
    }

    nonlinearity: Nonlinearity = option("tanh", "Nonlinearity of cells without gates")
    reset_gate: Literal["after", "before", "none"] = option(
        "after", "GRU: apply the reset gate after or before the recurrent product, or leave it out (none)"
    )
    peepholes: Literal["none", "current", "previous"] = option(
        "none", "LSTM: peephole connections, with the current or the previous cell state at the output gate"
    )
    relevance_gate: bool = option(False, "LSTM: relevance gate on the hidden state in the candidate")
    coupled_gates: bool = option(False, "LSTM: input gate = 1 - forget gate")
    output_activation: Literal["tanh", "identity"] = option(
        "tanh", "LSTM: activation of the cell state at the output"
    )
    forget_bias: float | None = option(None, "LSTM: initial bias of the forget gate")
    layer_norm: bool = option(False, "GRU and LSTM: layer normalisation of the gates")
    skip: Literal["none", "residual", "graves"] = option(
        "none",
        "Skip connections: residual, or Graves's (the input to every layer, every layer to the output)",
    )
    learn_initial_state: bool = option(False, "Learn the initial state instead of starting from zeros")


class RegularizationPart(Part):
    """Regularisation of a recurrent network, in addition to dropout."""

    title: ClassVar[str] = "Regularisation"
    conditions: ClassVar[Conditions] = {
        "layer_dropout": [Unless("cell", "jordan"), _SEVERAL_LAYERS],
        "dropout_mask": AnyOf(When("dropout"), When("input_dropout"), When("layer_dropout")),
    }

    layer_dropout: float | None = option(
        None, "Dropout probability between layers (if not given: dropout)", ge=0, lt=1
    )
    dropout_mask: Literal["step", "segment"] = option(
        "step", "Draw dropout masks at each step, or once per segment (variational dropout)"
    )
    embedding_dropout: float = option(
        0.0, "Probability of dropping every embedding of a symbol within a segment", ge=0, lt=1
    )
    weight_drop: float = option(
        0.0, "Probability of dropping a recurrent weight, drawn once per segment (DropConnect)", ge=0, lt=1
    )
    zoneout: float = option(0.0, "Probability that a unit of the state keeps its previous value", ge=0, lt=1)
    activation_regularization: float = option(
        0.0, "Weight of activation regularisation (AR): the mean square of the outputs after dropout", ge=0
    )
    temporal_activation_regularization: float = option(
        0.0,
        "Weight of temporal activation regularisation (TAR): the mean square of the outputs' changes "
        "per step",
        ge=0,
    )


class RecurrentNetworkConfig(RecurrentPart, CellPart, RegularizationPart):
    """All options of a recurrent network."""


class OptimizerPart(Part):
    """Options of the optimiser."""

    title: ClassVar[str] = "Optimiser"
    searched: ClassVar[Suggestions] = {"learning_rate": Around(0.1, 5)}
    conditions: ClassVar[Conditions] = {
        "momentum": When("optimizer", "momentum"),
        "averaging_after": When("averaging", "non-monotone"),
    }

    optimizer: Literal["adamw", "adam", "sgd", "momentum", "rmsprop", "adagrad"] = option(
        "adamw", "Optimiser"
    )
    learning_rate: float = option(0.003, "Peak learning rate", gt=0)
    momentum: float = option(0.9, "Momentum of the optimiser momentum", ge=0, lt=1)
    weight_decay: float = option(0.0, "Weight decay", ge=0)
    clip_norm: float = option(1.0, "Maximum global L2 norm of the gradient; 0 turns clipping off", ge=0)
    clip_value: float | None = option(None, "Clip each element of the gradient to [-v, v]", gt=0)
    averaging: Literal["none", "non-monotone"] = option(
        "none",
        "Weight averaging; non-monotone starts once a validation loss is worse than the best of those "
        "before the previous `averaging_after`, and keeps the average from then on",
    )
    averaging_after: int = option(5, "Window of the non-monotone criterion", unit="validations", ge=1)
    loss_reduction: Literal["mean", "sum"] = option(
        "mean", "Reduction of the loss over the targets of an update"
    )


class SchedulePart(Part):
    """Options of the learning rate schedule."""

    title: ClassVar[str] = "Schedule"
    conditions: ClassVar[Conditions] = {
        "min_learning_rate": Unless("schedule", "constant"),
        "decay": When("schedule", "decay", "plateau"),
        "decay_after": When("schedule", "decay"),
    }

    schedule: Literal["cosine", "linear", "constant", "decay", "plateau"] = option(
        "cosine",
        "Learning rate schedule: cosine or linear to min_learning_rate; decay: times `decay` each "
        "epoch after `decay_after`; plateau: times `decay` after each validation without improvement;"
        " or constant",
    )
    warmup_steps: int = option(100, "Number of updates of linear warm-up", unit="updates", ge=0)
    min_learning_rate: float = option(0.0, "Lowest learning rate, at the end of training", ge=0)
    decay: float = option(0.5, "Factor of the schedules decay and plateau", gt=0, lt=1)
    decay_after: int = option(
        4, "Number of epochs at the full rate before the schedule decay begins", unit="epochs", ge=0
    )


class LoopPart(Part):
    """Options of the training loop: duration, intervals and hardware."""

    title: ClassVar[str] = "Training"
    not_searched: ClassVar[tuple[str, ...]] = (
        *("validate_every", "log_every", "checkpoint_every_s", "seed", "precision", "device", "threads"),
    )

    epochs: int = option(7, "Number of passes over the training data", ge=1)
    max_steps: int | None = option(None, "Maximum number of updates", ge=1)
    validate_every: int | None = option(
        None, "Number of updates between validations (if not given, once per epoch)", unit="updates", ge=1
    )
    patience: int | None = option(None, "Stop after this many validations without improvement", ge=1)
    log_every: int = option(20, "Number of updates between records of metrics.jsonl", unit="updates", ge=1)
    checkpoint_every_s: float = option(30.0, "Maximum time between checkpoints", unit="seconds", gt=0)
    seed: int = option(1, "Random seed", ge=0, le=2**32 - 1)
    precision: Literal["32", "bf16-mixed"] = option(
        "32",
        "Precision; bf16-mixed computes products in bfloat16, about twice as fast where the processor"
        " supports it",
    )
    device: Literal["auto", "cpu", "cuda"] = option("auto", "Device; auto uses a GPU if there is one")
    threads: int | None = option(None, "Number of CPU threads (if not given, torch decides)", ge=1, le=4096)


class FoldsPart(Part):
    """Options of cross-validation."""

    title: ClassVar[str] = "Cross-validation"
    conditions: ClassVar[Conditions] = {"fold": When("folds")}
    not_searched: ClassVar[tuple[str, ...]] = ("folds", "fold")

    folds: int | None = option(
        None,
        "Number of folds for cross-validation",
        ge=2,
        le=10_000,
    )
    fold: int | None = option(None, "Train and test on this fold only, counted from 1", ge=1)

    @model_validator(mode="after")
    def _check_folds(self) -> Self:
        if self.fold is not None and self.folds is not None and self.fold > self.folds:
            raise ValueError(f"fold: got {self.fold}, expected one of the {self.folds} folds")
        if self.folds is not None and getattr(self, "test", None) is not None:
            raise ValueError(
                "test: cannot be combined with folds, each of which is a test set; remove one of them"
            )
        return self


class RunPart(Part):
    """The data files."""

    title: ClassVar[str] = "Files"

    data: FilePath | None = option(None, "Training data; text is UTF-8, plain or .gz")
    valid: FilePath | None = option(None, "Validation data")
    test: FilePath | None = option(None, "Test data, evaluated after training")
