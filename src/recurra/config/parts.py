"""The parts that tasks compose: text, streams, the recurrent network, optimiser, schedule, loop, run."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config.conditions import Conditions, Unless, When
from recurra.config.part import FilePath, Part, option

Unit = Literal["char", "word", "subword"]
Documents = Literal["none", "line", "blank"]
AtDocument = Literal["carry", "cut", "reset"]
CellName = Literal["lstm", "gru", "rnn", "jordan"]
Nonlinearity = Literal["tanh", "relu", "leaky_relu", "sigmoid", "hardtanh"]
Backend = Literal["auto", "native", "torch", "reference"]
ModelName = Literal["recurrent", "feed-forward", "ngram"]
Smoothing = Literal["kneser-ney", "witten-bell", "add-k", "maximum-likelihood"]


class TextPart(Part):
    """How text becomes symbols."""

    title: ClassVar[str] = "Text"

    unit: Unit = option("char", "what a symbol is")
    min_count: int = option(1, "symbols seen less often become <unk>", ge=1)
    max_vocabulary_size: int | None = option(
        None, "keep the most frequent symbols; for subwords, the size to learn (8000 if not given)", ge=2
    )
    direction: Literal["forward", "backward"] = option(
        "forward", "backward: read each line from its end to its beginning"
    )
    documents: Documents = option("none", "where a document ends: nowhere, at each line, at blank lines")


class ModelPart(Part):
    """Which kind of model."""

    title: ClassVar[str] = "Model"

    model: ModelName = option(
        "recurrent", "a recurrent network, a feed-forward one over a window, or counts of n-grams"
    )


class WindowPart(Part):
    """The feed-forward model's window."""

    title: ClassVar[str] = "Window (model feed-forward)"

    window: int = option(4, "how far the model looks back", unit="symbols", ge=1, le=1000)
    direct: bool = option(False, "connect the symbols' vectors with the output, beside the hidden layer")


class NGramPart(Part):
    """The model that counts."""

    title: ClassVar[str] = "N-grams (model ngram)"
    conditions: ClassVar[Conditions] = {
        "add_k": When("smoothing", "add-k"),
        "cutoff": When("smoothing", "kneser-ney", "witten-bell"),
    }

    order: int = option(5, "n, the length of the longest n-grams", unit="symbols", ge=1, le=32)
    smoothing: Smoothing = option("kneser-ney", "what is given to n-grams never seen")
    add_k: float = option(1.0, "what smoothing add-k adds to each count", gt=0)
    arpa: FilePath | None = option(None, "an ARPA file to take the n-grams from, in place of counting --data")
    cutoff: int = option(0, "leave out n-grams of 3 symbols and more that were seen at most so often", ge=0)
    chunk_size: int = option(
        4_194_304, "count so much of the text in one step; more needs more memory", unit="symbols", ge=1
    )


class StreamPart(Part):
    """How a corpus is read through time."""

    title: ClassVar[str] = "Streams"
    conditions: ClassVar[Conditions] = {"at_document": When("documents", "line", "blank")}

    batch_size: int = option(25, "parallel streams, over all processes", ge=1)
    segment_length: int = option(100, "steps that the gradient flows back (k2)", unit="symbols", ge=1)
    update_every: int | None = option(
        None,
        "steps between updates (k1), a divisor of segment_length; if not given, segment_length",
        unit="symbols",
        ge=1,
    )
    at_document: AtDocument = option(
        "reset", "where a document begins: carry the state on, cut the segment there, or reset the state"
    )
    shift_segments: bool = option(
        False, "the first segment of each pass has a random length, so that gradients are cut elsewhere"
    )
    validation_fraction: float = option(0.1, "held out from the end where no --valid is given", gt=0, lt=1)


class RecurrentPart(Part):
    """The recurrent network."""

    title: ClassVar[str] = "Network"

    cell: CellName = option("lstm", "the recurrent cell")
    hidden_size: int = option(256, "units a layer", ge=1)
    num_layers: int = option(2, "stacked layers", ge=1)
    embedding_size: int | None = option(
        None, "size of a symbol's vector; if not given, at most 64 for characters, else hidden_size", ge=1
    )
    dropout: float = option(0.2, "between layers and before the output", ge=0, lt=1)
    input_dropout: float = option(0.0, "on the symbols' vectors", ge=0, lt=1)
    tie_weights: bool = option(
        False, "the output layer uses the symbols' vectors; the last layer then has embedding_size units"
    )
    adaptive_softmax: bool = option(
        False, "rare symbols share small output layers: faster for vocabularies of many thousands"
    )
    init_scale: float | None = option(
        None, "weights start uniform in [-s, s]; if not given, as torch.nn starts them", gt=0
    )
    backend: Backend = option("auto", "what computes the recurrence")


class CellPart(Part):
    """Which variant of the cell, and how layers are joined."""

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
        "skip": Unless("cell", "jordan"),
    }

    nonlinearity: Nonlinearity = option("tanh", "of the cells rnn and jordan")
    reset_gate: Literal["after", "before", "none"] = option(
        "after", "of the gru cell: applied after the recurrent product, before it, or left out"
    )
    peepholes: Literal["none", "current", "previous"] = option(
        "none", "of the lstm cell: the output gate sees the memory of this step, or of the one before"
    )
    relevance_gate: bool = option(False, "of the lstm cell: a gate on the state inside the candidate")
    coupled_gates: bool = option(False, "of the lstm cell: the input gate is 1 - forget gate")
    output_activation: Literal["tanh", "identity"] = option("tanh", "of the lstm cell: on its memory")
    forget_bias: float | None = option(None, "of the lstm cell: what the forget gates' bias starts from")
    layer_norm: bool = option(False, "of the cells gru and lstm: normalise the sums of the gates")
    skip: Literal["none", "residual", "graves"] = option("none", "connections that pass layers by")
    learn_initial_state: bool = option(False, "learn the state that a text begins with, instead of zeros")


class RegularizationPart(Part):
    """What keeps a recurrent network from learning its text by heart, beside dropout."""

    title: ClassVar[str] = "Regularisation"

    layer_dropout: float | None = option(None, "between layers; if not given, as dropout", ge=0, lt=1)
    dropout_mask: Literal["step", "segment"] = option(
        "step", "draw what is dropped at each step, or once for all steps of a segment (variational)"
    )
    embedding_dropout: float = option(0.0, "leave out all of a symbol's vectors in a segment", ge=0, lt=1)
    weight_drop: float = option(0.0, "on the recurrent weights, drawn once a segment", ge=0, lt=1)
    zoneout: float = option(0.0, "chance that a number of the state stays as it was", ge=0, lt=1)
    activation_regularization: float = option(
        0.0, "times the mean square of the outputs (after dropout), added to the mean loss", ge=0
    )
    temporal_activation_regularization: float = option(
        0.0, "times the mean square of the outputs' changes from step to step, added to the mean loss", ge=0
    )


class RecurrentNetworkConfig(RecurrentPart, CellPart, RegularizationPart):
    """All that says what a recurrent network is."""


class OptimizerPart(Part):
    """How weights move."""

    title: ClassVar[str] = "Optimiser"
    conditions: ClassVar[Conditions] = {
        "momentum": When("optimizer", "momentum"),
        "averaging_after": When("averaging", "non-monotone"),
    }

    optimizer: Literal["adamw", "adam", "sgd", "momentum", "rmsprop", "adagrad"] = option(
        "adamw", "the update rule"
    )
    learning_rate: float = option(0.003, "its peak", gt=0)
    momentum: float = option(0.9, "of optimizer momentum", ge=0, lt=1)
    weight_decay: float = option(0.0, "pull of the weights to zero", ge=0)
    clip_norm: float = option(1.0, "scale the gradient down to this global L2 norm; 0 turns it off", ge=0)
    clip_value: float | None = option(None, "cut each gradient element into [-v, v]", gt=0)
    averaging: Literal["none", "non-monotone"] = option(
        "none",
        "non-monotone: once a validation is no better than the best of those `averaging_after` and more "
        "before it, validate and keep the mean of the weights from there on",
    )
    averaging_after: int = option(5, "see averaging", unit="validations", ge=1)
    loss_reduction: Literal["mean", "sum"] = option("mean", "of the loss over the targets of an update")


class SchedulePart(Part):
    """How the learning rate changes."""

    title: ClassVar[str] = "Schedule"
    conditions: ClassVar[Conditions] = {
        "min_learning_rate": Unless("schedule", "constant"),
        "decay": When("schedule", "decay", "plateau"),
        "decay_after": When("schedule", "decay"),
    }

    schedule: Literal["cosine", "linear", "constant", "decay", "plateau"] = option(
        "cosine",
        "cosine or linear to min_learning_rate; decay: times `decay` each epoch after `decay_after`; "
        "plateau: times `decay` after each validation without improvement",
    )
    warmup_steps: int = option(100, "the rate rises linearly over these", unit="steps", ge=0)
    min_learning_rate: float = option(0.0, "where it ends", ge=0)
    decay: float = option(0.5, "factor of the schedules decay and plateau", gt=0, lt=1)
    decay_after: int = option(4, "epochs at the full rate before schedule decay sets in", unit="epochs", ge=0)


class LoopPart(Part):
    """How long, how often, on what."""

    title: ClassVar[str] = "Training"

    epochs: int = option(7, "passes over the training text", unit="epochs", ge=1)
    max_steps: int | None = option(None, "stop after this many updates", unit="steps", ge=1)
    validate_every: int | None = option(None, "validate this often; else each epoch", unit="steps", ge=1)
    patience: int | None = option(None, "stop after this many validations without improvement", ge=1)
    log_every: int = option(20, "write metrics.jsonl this often", unit="steps", ge=1)
    checkpoint_every_s: float = option(30.0, "save to go on from at least this often", unit="s", gt=0)
    seed: int = option(1, "of weights, dropout and everything else that is random", ge=0, le=2**32 - 1)
    precision: Literal["32", "bf16-mixed"] = option(
        "32", "bf16-mixed computes products in bfloat16: about twice as fast where the processor has it"
    )
    device: Literal["auto", "cpu", "cuda"] = option("auto", "auto takes a GPU where there is one")
    threads: int | None = option(None, "CPU threads; if not given, torch's own choice", ge=1)


class FoldsPart(Part):
    """Cross-validation."""

    title: ClassVar[str] = "Cross-validation"
    conditions: ClassVar[Conditions] = {"fold": When("folds")}

    folds: int | None = option(
        None,
        "cut the rows into so many parts, and test on each a model of the others (cross-validation)",
        ge=2,
    )
    fold: int | None = option(None, "test on this part alone, from 1", ge=1)

    @model_validator(mode="after")
    def _check_folds(self) -> Self:
        if self.fold is not None and self.folds is not None and self.fold > self.folds:
            raise ValueError(f"fold: got {self.fold}, expected one of the {self.folds} folds")
        if self.folds is not None and getattr(self, "test", None) is not None:
            raise ValueError("test: does not go with folds, which are tested on; leave one of them out")
        return self


class RunPart(Part):
    """What goes in and where it comes out."""

    title: ClassVar[str] = "Files"

    data: FilePath | None = option(None, "text to train on: UTF-8, plain or .gz")
    valid: FilePath | None = option(None, "text to validate on")
    test: FilePath | None = option(None, "text to evaluate at the end")
