"""A layer under torch.compile and torch.export: one graph, without breaks."""

import onnx
import pytest
import torch
from functorch.compile import make_boxed_func
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch._dynamo.backends.common import aot_autograd

from recurra.kernels import native
from recurra.layers import GRU, LSTM, RNN, JordanRNN

LAYERS = {
    "auto_gru": lambda: GRU(4, 6),
    "auto_lstm": lambda: LSTM(4, 6, 2, bidirectional=True),
    "auto_peepholes": lambda: LSTM(4, 6, peepholes=True, proj_size=3, learn_initial_state=True),
    "auto_before": lambda: GRU(4, 6, 2, reset="before", skip="graves", merge="mean", bidirectional=True),
    "auto_jordan": lambda: JordanRNN(4, 6, 3, output_activation="softmax"),
    "auto_zoneout": lambda: LSTM(4, 6, zoneout=(0.5, 0.2)).eval(),
    "torch": lambda: GRU(4, 6, bidirectional=True, backend="torch"),
    "reference": lambda: LSTM(4, 6, peepholes=True, learn_initial_state=True, backend="reference"),
    "graves": lambda: RNN(4, 6, 2, skip="graves", bidirectional=True, merge="sum", backend="torch"),
    "zoneout": lambda: RNN(4, 4, 2, skip="residual", zoneout=0.5, backend="reference").eval(),
    "weight_drop": lambda: RNN(4, 4, 2, variational_dropout=0.5, weight_drop=0.5, backend="torch").eval(),
    "weight_norm": lambda: nn.utils.parametrizations.weight_norm(GRU(4, 6, backend="torch"), "weight_hh_l0"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_compiled_layer_computes_the_same_in_one_graph(name):
    if name == "auto_lstm" and not native.available():
        pytest.skip("torch's own LSTM fails to compile for training, in an assertion of AOTAutograd")
    torch._dynamo.reset()
    torch.manual_seed(0)
    layer, x = LAYERS[name](), torch.randn(2, 2, 4)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    got, want = compiled(x), layer(x)
    torch.testing.assert_close(got, want)
    parameters = list(layer.parameters())
    gradients = [torch.autograd.grad(output.square().sum(), parameters) for output, _ in (got, want)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", [name for name in LAYERS if LAYERS[name]().backend != "torch"])
def test_lengths_are_values_of_the_graph(name):
    """The padding, NaN here, has no influence; a row without steps keeps its state."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    layer, x, lengths = LAYERS[name](), torch.randn(4, 3, 4), torch.tensor([4, 2, 0])
    x[torch.arange(4).unsqueeze(1) >= lengths] = torch.nan
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    got, want = compiled(x, lengths=lengths), layer(x, lengths=lengths)
    torch.testing.assert_close(got, want)
    parameters = list(layer.parameters())
    gradients = [torch.autograd.grad(output.square().sum(), parameters) for output, _ in (got, want)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.needs_native
@pytest.mark.parametrize("transform", ["grad", "jvp"])
def test_a_compiled_transform_goes_through_the_reference(transform):
    torch._dynamo.reset()
    layer, x = GRU(4, 6), torch.randn(2, 2, 4)

    def function(x):
        return layer(x)[0].square().sum()

    transformed = {
        "grad": lambda x: torch.func.grad(function)(x),
        "jvp": lambda x: torch.func.jvp(function, (x,), (x,)),
    }[transform]
    compiled = torch.compile(transformed, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), transformed(x))


@pytest.mark.needs_native
def test_a_compiled_layer_is_one_operator_forwards_and_one_backwards():
    torch._dynamo.reset()
    graphs = []

    def watching(graph, _):
        graphs.append([str(node.target) for node in graph.graph.nodes])
        return make_boxed_func(graph.forward)

    backend = aot_autograd(fw_compiler=watching, bw_compiler=watching)
    layer, x = GRU(4, 6), torch.randn(3, 2, 4)
    torch.compile(layer, fullgraph=True, backend=backend)(x)[0].sum().backward()
    forwards, backwards = graphs
    assert forwards.count("recurra.recurrence.default") == 1
    assert backwards.count("recurra.recurrence_backward.default") == 1


@pytest.mark.needs_native
@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_layer_takes_any_batch_and_any_steps(strict):
    torch.manual_seed(0)
    layer, x = LSTM(4, 6, 2, bidirectional=True), torch.randn(5, 3, 4)
    axes = {0: torch.export.Dim("steps", min=2), 1: torch.export.Dim("batch", min=2)}
    exported = torch.export.export(layer, (x,), dynamic_shapes=(axes,), strict=strict)
    targets = [str(node.target) for node in exported.graph.nodes]
    assert targets.count("recurra.recurrence.default") == 4
    for shape in ((5, 3, 4), (9, 7, 4)):
        given = torch.randn(shape)
        torch.testing.assert_close(exported.module()(given), layer(given))


@pytest.mark.filterwarnings("ignore")  # from the exporter itself
@pytest.mark.parametrize("backend", ["torch", "auto", "reference"])
@pytest.mark.parametrize("layer", [GRU(4, 6, 2), LSTM(4, 6, bidirectional=True)])
def test_a_layer_is_exported_to_onnx(layer, backend):
    layer.backend, x = backend, torch.randn(5, 3, 4)
    program = torch.onnx.export(layer.eval(), (x,), dynamo=True, verbose=False)
    got = ReferenceEvaluator(program.model_proto).run(
        None, {program.model_proto.graph.input[0].name: x.numpy()}
    )
    want, _ = layer(x)
    torch.testing.assert_close(torch.from_numpy(got[0]), want.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_the_older_exporter_takes_a_layer_too(kind, tmp_path):
    layer, x = kind(4, 6).eval(), torch.randn(5, 3, 4)
    torch.onnx.export(layer, (x,), tmp_path / "layer.onnx", dynamo=False)
    model = onnx.load(tmp_path / "layer.onnx")
    got = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(got), layer(x)[0].detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.needs_native
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("layer", "remedy"), [(GRU(4, 6), "torch"), (GRU(4, 6, reset="before"), "reference")]
)
def test_an_export_of_the_kernels_names_the_backend_that_works(layer, remedy):
    layer.backend = "native"
    with pytest.raises(
        torch.onnx.OnnxExporterError, match=f"has no operator for the kernels; use '{remedy}'"
    ):
        torch.onnx.export(layer.eval(), (torch.randn(5, 3, 4),), dynamo=True, verbose=False)
    layer.backend = remedy
    torch.onnx.export(layer, (torch.randn(5, 3, 4),), dynamo=True, verbose=False)
    layer.backend = "native"
    layer(torch.randn(5, 3, 4))  # the export removes the flag


@pytest.mark.parametrize("backend", ["torch", "auto", "reference"])
@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_a_compiled_layer_goes_on_from_its_state(kind, backend):
    torch._dynamo.reset()
    if backend == "auto" and not native.available():
        pytest.skip("no native kernels here, and torch's own LSTM cannot be compiled for training")
    layer, x = kind(4, 6, stateful=True, backend=backend), torch.randn(2, 2, 4)
    with torch.set_grad_enabled(backend != "torch"):
        want, _ = kind.forward(layer, torch.cat([x, x]))
        layer.reset_state()
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        got = [compiled(x)[0], compiled(x)[0]]
    torch.testing.assert_close(torch.cat(got), want)
    if backend != "torch":
        torch.cat(got).sum().backward()
        assert layer.weight_hh_l0.grad.isfinite().all()


@pytest.mark.filterwarnings(
    "ignore"
)  # torch.jit warns about each shape that it treats as constant, and about its deprecation
@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_a_layer_can_be_traced_by_torch_jit(kind):
    layer, x = kind(3, 4), torch.randn(5, 2, 3)
    traced = torch.jit.trace(layer, (x,))  # which runs it again and compares
    torch.testing.assert_close(traced(x)[0], layer(x)[0])
