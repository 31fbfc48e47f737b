"""Any input of the native kernels gives a result or a one-sentence error, never a crash."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrences import EQUATIONS, B, H, I, T, assert_close, differentiable, random_inputs

from recurra.errors import ShapeError
from recurra.kernels import calls, second_order
from recurra.kernels.calls import DIFFERENTIABLE, Arriving, Inputs
from recurra.kernels.codes import equation_of
from recurra.kernels.operators import recurrence

pytestmark = pytest.mark.needs_native
each_equation = pytest.mark.parametrize("name", EQUATIONS)
FLOATS = [name for name in Inputs._fields if name not in ("batch_sizes", "options")]
NEEDED = {"x", "h0", "weight_ih", "weight_hh"}
NEEDED_IF_THERE = {"c0", "peephole", "gain_ih", "gain_hh", "gain_cell", "shift_cell"}


def plain(name, **options):
    inputs = random_inputs(name, **options)
    return inputs._replace(**{n: t.detach() for n, t in differentiable(inputs).items()})


WRONG = {
    "an axis more": lambda t: t.unsqueeze(0),
    "an axis less": lambda t: t.flatten() if t.dim() > 1 else t[0],
    "one more": lambda t: torch.cat([t, t[:1]]),
    "one less": lambda t: t[:-1],
    "wider": lambda t: torch.cat([t, t[..., :1]], dim=-1),
    "narrower": lambda t: t[..., :-1],
    "empty": lambda t: t[:0],
    "float64": lambda t: t.double(),
    "bfloat16": lambda t: t.bfloat16(),
    "integers": lambda t: t.long(),
    "elsewhere": lambda t: t.to("meta"),
}


OTHER_LENGTH = (
    "one more",
    "one less",
    "empty",
)  # no other input of a Jordan network has the number of steps


@each_equation
@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("packed", [False, True])
def test_what_does_not_fit_is_one_sentence(name, fault, packed):
    inputs = plain(name, packed=packed, zoneout=True)
    for field in FLOATS:
        tensor = getattr(inputs, field)
        if tensor is None or (name == "jordan" and not packed and field == "x" and fault in OTHER_LENGTH):
            continue
        broken = inputs._replace(**{field: WRONG[fault](tensor)})
        with pytest.raises(ShapeError, match=r"got .* expected .*; ") as caught:
            recurrence(broken, True)
        assert "\n" not in str(caught.value)
        if fault != "elsewhere":  # torch itself raises for other devices
            with pytest.raises(ShapeError):
                torch.ops.recurra.recurrence(*broken, True)


@each_equation
def test_what_is_missing_or_too_much_is_named(name):
    inputs = plain(name)
    for field in FLOATS:
        tensor = getattr(inputs, field)
        if field in NEEDED or (tensor is not None and field in NEEDED_IF_THERE):
            with pytest.raises(ShapeError, match=f"^{field}: got none"):
                torch.ops.recurra.recurrence(*inputs._replace(**{field: None}), True)
        elif field == "projection" and equation_of(inputs.code, True) is not None:
            continue  # that is another equation
        elif tensor is None and field not in ("keep_hidden", "keep_cell"):
            with pytest.raises(ShapeError):
                recurrence(inputs._replace(**{field: torch.zeros(H, H)}), True)


@pytest.mark.parametrize(
    "batch_sizes",
    [
        [3, 2, 1, 2],
        [3, 2, 1],
        [3, 3, 3, 3],
        [2, 2, 2, 1],
        [4, 2, 1, 0],
        [3, 2, 3, -1],
        [8, -1],
        [2**62, 2**62, 2**62, 2**62],
        [7],
        [],
        [[3, 2, 1, 1]],
        [3.0, 2.0, 1.0, 1.0],
    ],
)
def test_batch_sizes_must_be_a_packing_of_x(batch_sizes):
    inputs = plain("gru", packed=True)
    assert inputs.batch_sizes.tolist() == [3, 2, 1, 1]
    for given_sizes in (torch.tensor(batch_sizes), torch.tensor(batch_sizes).int()):
        with pytest.raises(ShapeError, match=r"^batch_sizes: got "):
            recurrence(inputs._replace(batch_sizes=given_sizes), True)
    with pytest.raises(ShapeError, match="x: got"):
        recurrence(inputs._replace(batch_sizes=None), True)
    with pytest.raises(ShapeError, match="x: got"):
        recurrence(plain("gru")._replace(batch_sizes=inputs.batch_sizes), True)


@each_equation
def test_numbers_that_name_no_equation_are_refused(name):
    inputs = plain(name)
    wrong = [[], inputs.options[:-1], [*inputs.options, 0]]
    for place, right in enumerate(inputs.options):
        for number in {-1, 2, 3, 5, 6, 7, 100, 2**31, 2**40} - {right}:
            options = [*inputs.options]
            options[place] = number
            is_flag = place >= len(options) - 2
            code = Inputs(*inputs[:-1], options).code
            if is_flag or equation_of(code, inputs.projection is not None) is None:
                wrong.append(options)
    assert len(wrong) > 40
    for options in wrong:
        with pytest.raises(ShapeError, match=r"^options: got "):
            recurrence(inputs._replace(options=options), True)
        with pytest.raises(ShapeError, match=r"^options: got "):
            torch.ops.recurra.recurrence(*inputs._replace(options=options), False)


@each_equation
@pytest.mark.parametrize("fault", WRONG)
def test_gradients_that_do_not_fit_are_one_sentence(name, fault):
    inputs = plain(name)
    y, hT, cT, c_steps, saved = calls.forward(inputs._replace(options=[*inputs.options[:-1], 1]), True)
    arriving = Arriving(
        *map(torch.zeros_like, (y, hT)), *(each if each is None else each * 0 for each in (cT, c_steps))
    )
    wanted = [True] * len(DIFFERENTIABLE)
    calls.backward(arriving, inputs, y, saved, wanted)
    for field, tensor in arriving._asdict().items():
        wrong = torch.zeros(B, H) if tensor is None else WRONG[fault](tensor)
        with pytest.raises(ShapeError, match=f"^{field}: got "):
            calls.backward(arriving._replace(**{field: wrong}), inputs, y, saved, wanted)
    with pytest.raises(ShapeError, match=r"^y: got "):
        calls.backward(arriving, inputs, WRONG[fault](y), saved, wanted)
    if saved is not None:
        with pytest.raises(ShapeError, match=r"^saved: got "):
            calls.backward(arriving, inputs, y, WRONG[fault](saved), wanted)
        with pytest.raises(ShapeError, match=r"^saved: got none"):
            calls.backward(arriving, inputs, y, None, wanted)
    with pytest.raises(ShapeError, match=r"^wanted: got "):
        calls.backward(arriving, inputs, y, saved, wanted[1:])


@each_equation
@pytest.mark.parametrize("packed", [False, True])
def test_no_steps_hand_the_state_through(name, packed):
    inputs = random_inputs(name)
    x, sizes = inputs.x[:0], None
    if packed:
        x, sizes = x.flatten(0, 1), torch.zeros(0, dtype=torch.int64)
    outputs = recurrence(inputs._replace(x=x, batch_sizes=sizes), True)
    assert outputs.y.numel() == 0
    assert torch.equal(outputs.hT, inputs.h0)
    assert outputs.cT is None or torch.equal(outputs.cT, inputs.c0)
    outputs.hT.sum().backward()
    assert torch.equal(inputs.h0.grad, torch.ones_like(inputs.h0))
    assert not any(t.grad.any() for n, t in differentiable(inputs).items() if n not in ("x", "h0"))


def test_no_rows_and_no_units_are_refused():
    inputs = plain("gru")
    for field, size in (("x", (T, 0, I)), ("h0", (0, H))):
        with pytest.raises(ShapeError):
            recurrence(inputs._replace(**{field: torch.zeros(size)}), True)
    nobody = inputs._replace(x=torch.zeros(T, 0, I), h0=torch.zeros(0, H))
    with pytest.raises(ShapeError, match="an empty batch needs no kernel"):
        recurrence(nobody, True)
    with pytest.raises(ShapeError, match="each at least 1"):
        recurrence(inputs._replace(x=torch.zeros(T, B, 0), weight_ih=torch.zeros(3 * H, 0)), True)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(EQUATIONS)),
    packed=st.booleans(),
    zoneout=st.booleans(),
    reverse=st.booleans(),
    field=st.sampled_from([*FLOATS, "batch_sizes"]),
    change=st.sampled_from(["shape", "none", "swap", "nothing"]),
    shape=st.lists(st.integers(0, 7), min_size=0, max_size=4),
    other=st.sampled_from(FLOATS),
    numbers=st.lists(st.integers(-3, 5), max_size=6),
)
def test_a_result_is_right_or_an_error_is_clear(
    name, packed, zoneout, reverse, field, change, shape, other, numbers
):
    torch.manual_seed(0)
    inputs = plain(name, packed=packed, zoneout=zoneout, reverse=reverse)
    new = getattr(inputs, field)
    if change == "shape":
        new = torch.tensor(numbers, dtype=torch.int64) if field == "batch_sizes" else torch.randn(shape)
    elif change == "none":
        new = new if field in NEEDED else None
    elif change == "swap":
        new = getattr(inputs, other) if getattr(inputs, other) is not None else new
    changed = inputs._replace(**{field: new})
    try:
        got = recurrence(changed, True)
    except ShapeError:
        assert change != "nothing"
        return
    for a, b in zip(got[:4], second_order.run(changed), strict=True):
        assert (a is None) == (b is None)
        if a is not None and a.numel():
            assert_close(a, b)
