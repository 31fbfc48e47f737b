// The Python bindings of the native part. They do not depend on torch or on tasks.
//
// Arrays are passed as addresses (recurra/kernels/calls.py has checked their shapes, types and devices): array
// objects would cost more time than a short call. The interpreter lock is released while kernels run.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "dispatch.h"
#include "parallel.h"
#include "pool.h"
#include "processor.h"
#include "streaming.h"

namespace nb = nanobind;
using namespace recurra;

namespace {

// A field that holds an address as a number; 0 means none.
#define RECURRA_ADDRESS(name)                                                                           \
  def_prop_rw(                                                                                          \
      #name, [](const Recurrence& call) { return reinterpret_cast<std::uintptr_t>(call.name); },        \
      [](Recurrence& call, std::uintptr_t address) {                                                    \
        call.name = reinterpret_cast<decltype(call.name)>(address);                                     \
      })
// A field that holds the number of a choice; a flag is 0 or 1.
#define RECURRA_CHOICE(name)                                                       \
  def_prop_rw(                                                                     \
      #name, [](const Recurrence& call) { return static_cast<int>(call.name); },   \
      [](Recurrence& call, int choice) { call.name = static_cast<decltype(call.name)>(choice); })

void bind_recurrence(nb::module_& m) {
  nb::class_<Recurrence>(m, "Recurrence", "One layer in one direction; native/recurrence.h says what each field is.")
      .def(nb::init<>())
      .RECURRA_CHOICE(cell)
      .RECURRA_CHOICE(activation)
      .RECURRA_CHOICE(output_activation)
      .RECURRA_CHOICE(peepholes)
      .RECURRA_CHOICE(coupled_gates)
      .RECURRA_CHOICE(relevance_gate)
      .RECURRA_CHOICE(layer_norm)
      .RECURRA_CHOICE(reverse)
      .RECURRA_CHOICE(training)
      .def_rw("threads", &Recurrence::threads)
      .def_rw("T", &Recurrence::T)
      .def_rw("B", &Recurrence::B)
      .def_rw("N", &Recurrence::N)
      .def_rw("I", &Recurrence::I)
      .def_rw("H", &Recurrence::H)
      .def_rw("P", &Recurrence::P)
      .RECURRA_ADDRESS(batch_sizes)
      .RECURRA_ADDRESS(x)
      .RECURRA_ADDRESS(h0)
      .RECURRA_ADDRESS(c0)
      .RECURRA_ADDRESS(weight_ih)
      .RECURRA_ADDRESS(weight_hh)
      .RECURRA_ADDRESS(bias_ih)
      .RECURRA_ADDRESS(bias_hh)
      .RECURRA_ADDRESS(projection)
      .RECURRA_ADDRESS(projection_bias)
      .RECURRA_ADDRESS(peephole)
      .RECURRA_ADDRESS(gain_ih)
      .RECURRA_ADDRESS(gain_hh)
      .RECURRA_ADDRESS(gain_cell)
      .RECURRA_ADDRESS(shift_cell)
      .RECURRA_ADDRESS(keep_hidden)
      .RECURRA_ADDRESS(keep_cell)
      .RECURRA_ADDRESS(y)
      .RECURRA_ADDRESS(hT)
      .RECURRA_ADDRESS(cT)
      .RECURRA_ADDRESS(c_steps)
      .RECURRA_ADDRESS(saved)
      .RECURRA_ADDRESS(dy)
      .RECURRA_ADDRESS(dhT)
      .RECURRA_ADDRESS(dcT)
      .RECURRA_ADDRESS(dc_steps)
      .RECURRA_ADDRESS(dx)
      .RECURRA_ADDRESS(dh0)
      .RECURRA_ADDRESS(dc0)
      .RECURRA_ADDRESS(dweight_ih)
      .RECURRA_ADDRESS(dweight_hh)
      .RECURRA_ADDRESS(dbias_ih)
      .RECURRA_ADDRESS(dbias_hh)
      .RECURRA_ADDRESS(dprojection)
      .RECURRA_ADDRESS(dprojection_bias)
      .RECURRA_ADDRESS(dpeephole)
      .RECURRA_ADDRESS(dgain_ih)
      .RECURRA_ADDRESS(dgain_hh)
      .RECURRA_ADDRESS(dgain_cell)
      .RECURRA_ADDRESS(dshift_cell)
      .def("forward", [](const Recurrence& call) { kernels().forward(call); }, nb::call_guard<nb::gil_scoped_release>())
      .def("backward", [](const Recurrence& call) { kernels().backward(call); }, nb::call_guard<nb::gil_scoped_release>())
      .def("saved_floats_a_row", [](const Recurrence& call) { return kernels().saved_floats_a_row(call); })
      .def("pack", [](const Recurrence& call) { return kernels().pack(call); }, nb::rv_policy::take_ownership,
           nb::call_guard<nb::gil_scoped_release>(), "The weights packed for many calls of forward; they are copied.");
  nb::class_<PackedLayer>(m, "PackedLayer", "Packed weights of one layer; native/packed.h tells more.")
      .def("forward", [](const PackedLayer& layer, const Recurrence& call) {
        if (!layer.fits(call)) throw nb::value_error("call: is not of the layer that was packed");
        nb::gil_scoped_release release;
        layer.forward(call);
      });
}

void bind_output_layer(nb::module_& m) {
  nb::class_<OutputLayer>(m, "OutputLayer", "Linear layer and cross-entropy in one; native/output_layer.h says what each field is.")
      .def(nb::init<>())
      .def_rw("threads", &OutputLayer::threads)
      .def_rw("mean", &OutputLayer::mean)
      .def_rw("N", &OutputLayer::N)
      .def_rw("H", &OutputLayer::H)
      .def_rw("V", &OutputLayer::V)
      .def_rw("ignore_index", &OutputLayer::ignore_index)
      .RECURRA_FIELD(OutputLayer, hidden)
      .RECURRA_FIELD(OutputLayer, weight)
      .RECURRA_FIELD(OutputLayer, bias)
      .RECURRA_FIELD(OutputLayer, targets)
      .RECURRA_FIELD(OutputLayer, losses)
      .RECURRA_FIELD(OutputLayer, normalisers)
      .RECURRA_FIELD(OutputLayer, dlosses)
      .RECURRA_FIELD(OutputLayer, dhidden)
      .RECURRA_FIELD(OutputLayer, dweight)
      .RECURRA_FIELD(OutputLayer, dbias)
      .def_ro("counted", &OutputLayer::counted)
      .def_ro("bad_token", &OutputLayer::bad_token)
      .def_ro("workspace", &OutputLayer::workspace)
      .def("forward", [](OutputLayer& call) { kernels().output_layer_forward(call); }, nb::call_guard<nb::gil_scoped_release>())
      .def("backward", [](OutputLayer& call) { kernels().output_layer_backward(call); }, nb::call_guard<nb::gil_scoped_release>());
}

void bind_attentive(nb::module_& m) {
  nb::class_<Attentive>(m, "Attentive", "A layer with attention over all its steps; native/attentive.h says what each field is.")
      .def(nb::init<>())
      .def_prop_rw("cell", [](const Attentive& call) { return static_cast<int>(call.cell); },
                   [](Attentive& call, int cell) { call.cell = static_cast<CellKind>(cell); })
      .def_rw("additive", &Attentive::additive)
      .def_rw("training", &Attentive::training)
      .def_rw("threads", &Attentive::threads)
      .def_rw("R", &Attentive::R)
      .def_rw("B", &Attentive::B)
      .def_rw("T", &Attentive::T)
      .def_rw("S", &Attentive::S)
      .def_rw("H", &Attentive::H)
      .def_rw("F", &Attentive::F)
      .def_rw("K", &Attentive::K)
      .def_rw("V", &Attentive::V)
      .RECURRA_FIELD(Attentive, lengths)
      .RECURRA_FIELD(Attentive, weight_f)
      .RECURRA_FIELD(Attentive, weight_h)
      .RECURRA_FIELD(Attentive, bias_h)
      .RECURRA_FIELD(Attentive, combine)
      .RECURRA_FIELD(Attentive, combine_bias)
      .RECURRA_FIELD(Attentive, query)
      .RECURRA_FIELD(Attentive, score)
      .RECURRA_FIELD(Attentive, cover)
      .RECURRA_FIELD(Attentive, gx)
      .RECURRA_FIELD(Attentive, values)
      .RECURRA_FIELD(Attentive, keys)
      .RECURRA_FIELD(Attentive, h0)
      .RECURRA_FIELD(Attentive, c0)
      .RECURRA_FIELD(Attentive, f0)
      .RECURRA_FIELD(Attentive, covered0)
      .RECURRA_FIELD(Attentive, hc)
      .RECURRA_FIELD(Attentive, f)
      .RECURRA_FIELD(Attentive, weights)
      .RECURRA_FIELD(Attentive, covered)
      .RECURRA_FIELD(Attentive, cT)
      .RECURRA_FIELD(Attentive, gates)
      .RECURRA_FIELD(Attentive, df)
      .RECURRA_FIELD(Attentive, dweights)
      .RECURRA_FIELD(Attentive, dhT)
      .RECURRA_FIELD(Attentive, dcT)
      .RECURRA_FIELD(Attentive, dfT)
      .RECURRA_FIELD(Attentive, dcovered)
      .RECURRA_FIELD(Attentive, dz)
      .RECURRA_FIELD(Attentive, dhc)
      .RECURRA_FIELD(Attentive, ds)
      .RECURRA_FIELD(Attentive, da)
      .RECURRA_FIELD(Attentive, da_h)
      .RECURRA_FIELD(Attentive, dq)
      .RECURRA_FIELD(Attentive, dkeys)
      .RECURRA_FIELD(Attentive, dscore)
      .RECURRA_FIELD(Attentive, dcover)
      .RECURRA_FIELD(Attentive, dh0)
      .RECURRA_FIELD(Attentive, dc0)
      .RECURRA_FIELD(Attentive, df0)
      .RECURRA_FIELD(Attentive, dcovered0)
      .def("forward", [](const Attentive& call) { kernels().attentive_forward(call); }, nb::call_guard<nb::gil_scoped_release>())
      .def("backward", [](const Attentive& call) { kernels().attentive_backward(call); }, nb::call_guard<nb::gil_scoped_release>())
      .def("pack", [](const Attentive& call) { return kernels().attentive_pack(call); }, nb::rv_policy::take_ownership,
           nb::call_guard<nb::gil_scoped_release>(), "The weights packed for many calls of forward; they are copied.");
  nb::class_<PackedAttentive>(m, "PackedAttentive", "Packed weights of a layer with attention.")
      .def("forward", [](const PackedAttentive& layer, const Attentive& call) {
        if (!layer.fits(call)) throw nb::value_error("call: is not of the layer that was packed");
        nb::gil_scoped_release release;
        layer.forward(call);
      });
}

void bind_best_symbols(nb::module_& m) {
  nb::class_<BestSymbols>(m, "BestSymbols", "The best symbols of rows of scores; native/best_symbols.h says what each field is.")
      .def(nb::init<>())
      .def_rw("threads", &BestSymbols::threads)
      .def_rw("R", &BestSymbols::R)
      .def_rw("V", &BestSymbols::V)
      .def_rw("k", &BestSymbols::k)
      .def_rw("H", &BestSymbols::H)
      .RECURRA_FIELD(BestSymbols, scores)
      .RECURRA_FIELD(BestSymbols, hidden)
      .RECURRA_FIELD(BestSymbols, log_probs)
      .RECURRA_FIELD(BestSymbols, symbols)
      .def("run", [](const BestSymbols& call) { kernels().best_symbols(call); }, nb::call_guard<nb::gil_scoped_release>());
  nb::class_<PackedVocabulary>(m, "PackedVocabulary", "The packed weights of an output layer.")
      .def("best", [](const PackedVocabulary& packed, const BestSymbols& call) {
        if (call.V != packed.V || call.H != packed.H) throw nb::value_error("call: is not of the layer that was packed");
        nb::gil_scoped_release release;
        packed.best(call);
      });
  m.def("pack_vocabulary", [](std::uintptr_t weight, std::uintptr_t bias, std::int64_t V, std::int64_t H) {
    return kernels().pack_vocabulary(reinterpret_cast<const float*>(weight), reinterpret_cast<const float*>(bias), V, H);
  }, nb::rv_policy::take_ownership, nb::call_guard<nb::gil_scoped_release>(), nb::arg("weight"), nb::arg("bias"), nb::arg("V"),
        nb::arg("H"), "The weights [V,H] and biases [V] of an output layer packed, by their addresses; they are copied.");
}

using FloatsIn = nb::ndarray<const float, nb::numpy, nb::c_contig, nb::device::cpu>;
using FloatsOut = nb::ndarray<float, nb::numpy, nb::c_contig, nb::device::cpu>;

void check_size(const char* what, std::size_t got, long expected) {
  if (got != static_cast<std::size_t>(expected)) {
    throw nb::value_error((std::string(what) + ": got " + std::to_string(got) + " numbers, expected " +
                           std::to_string(expected)).c_str());
  }
}

// The bindings of a streaming stack. An object may be used by one thread at a time.
void bind_streaming(nb::module_& m) {
  nb::class_<StreamingStack>(m, "StreamingStack", "Recurrent layers, one step at a time; native/streaming.h tells more.")
      .def("__init__",
           [](StreamingStack* self, const std::vector<Recurrence>& layers, int skip, float keep_hidden, float keep_cell) {
             if (layers.empty()) throw nb::value_error("layers: got none, expected one at least");
             new (self) StreamingStack(layers, static_cast<Skip>(skip), keep_hidden, keep_cell);
           })
      .def_prop_ro("input_size", &StreamingStack::input_size)
      .def_prop_ro("output_size", &StreamingStack::output_size)
      .def_prop_ro("state_size", &StreamingStack::state_size)
      .def("run",
           [](StreamingStack& self, FloatsIn x, FloatsOut output) {
             const std::size_t inputs = static_cast<std::size_t>(self.input_size());
             const std::size_t steps = x.size() / inputs;
             check_size("x", x.size(), static_cast<long>(steps * inputs));
             check_size("output", output.size(), static_cast<long>(steps) * self.output_size());
             const float* from = x.data();
             float* to = output.data();
             if (steps == 1) return self.step(from, to);  // too short to release the interpreter lock
             nb::gil_scoped_release release;
             for (std::size_t t = 0; t < steps; ++t, from += inputs, to += self.output_size()) self.step(from, to);
           },
           nb::arg("x").noconvert(), nb::arg("output").noconvert(), "Steps [T, I] in, outputs [T, output_size] out.")
      .def("set_state", [](StreamingStack& self, FloatsIn state) {
        check_size("state", state.size(), self.state_size());
        self.set_state(state.data());
      }, nb::arg("state").noconvert())
      .def("get_state", [](const StreamingStack& self, FloatsOut state) {
        check_size("state", state.size(), self.state_size());
        self.get_state(state.data());
      }, nb::arg("state").noconvert());
}

// A torch tensor on borrowed memory, which returns to the pool when the tensor is freed.
nb::ndarray<nb::pytorch, float, nb::ndim<2>> borrow_matrix(std::size_t rows, std::size_t columns) {
  void* memory = borrow_block(rows * columns * sizeof(float));
  nb::capsule owner(memory, [](void* block) noexcept { give_back_block(block); });
  return nb::ndarray<nb::pytorch, float, nb::ndim<2>>(static_cast<float*>(memory), {rows, columns}, owner);
}

void bind_pool(nb::module_& m) {
  m.def("borrow_matrix", &borrow_matrix, nb::arg("rows"), nb::arg("columns"),
        "An uninitialised tensor whose memory comes from, and goes back to, a pool of large blocks.");
  m.def("kept_bytes", &kept_bytes, "Bytes that the pool keeps for later borrowers now.");
}

void bind_threads(nb::module_& m) {
  m.def(
      "use_openmp",
      [](std::uintptr_t parallel, std::uintptr_t thread_num) {
        OpenMP library;
        library.parallel = reinterpret_cast<decltype(library.parallel)>(parallel);
        library.thread_num = reinterpret_cast<decltype(library.thread_num)>(thread_num);
        use_openmp(library);
      },
      nb::arg("parallel"), nb::arg("thread_num"),
      "Work on the threads of an OpenMP library that is loaded already, by the addresses of two functions.");
  m.def("threads_now", &threads_now, nb::arg("ranks"),
        "How many threads work in so many shares would run on now: fewer for a while after threads waited long.");
  m.def("judge_run", [](int threads, std::int64_t all_us, std::int64_t work_us) { judge(threads, Taken{all_us, work_us}); },
        nb::arg("threads"), nb::arg("all_us"), nb::arg("work_us"),
        "Take a run on several threads into account for threads_now: its time, and the processors' time of all of them; for tests.");
  m.def("forget_runs", &forget_runs, "As if nothing had run yet; for tests.");
  m.def("watch", &watch, nb::arg("threads"), nb::arg("all_us"), nb::arg("own_us"),
        "Take a run of torch's own functions into account: its time, and the calling thread's time of a processor.");
  m.def("has_threads", &has_threads, "Whether more than one thread can be had; in a forked child none can.");
}

}  // namespace

NB_MODULE(_native, m) {
  // Objects that a daemon thread holds at the end of the process are not leaks: every threaded server has them.
  nb::set_leak_warnings(false);
  m.doc() = "Recurra's native part: kernels, and what this build and this processor are.";
  m.attr("__version__") = RECURRA_VERSION;
  m.def("processor_features", &processor_features, "Names of the vector extensions that the running processor offers.");
  m.def("instruction_sets", &instruction_sets, "Those that kernels are here for and that this processor runs, best first.");
  m.def("use_instruction_set", &use_instruction_set, nb::arg("name"),
        "Run the kernels of this instruction set from now on; False where they are not to be had.");
  m.def("instruction_set", [] { return kernels().name; }, "The one whose kernels run now.");
  m.def("peak_flops", [](double seconds) { return kernels().peak_flops(seconds); }, nb::arg("seconds"),
        nb::call_guard<nb::gil_scoped_release>(), "Multiply-adds from registers on one core, operations a second.");
  bind_recurrence(m);
  bind_output_layer(m);
  bind_attentive(m);
  bind_best_symbols(m);
  bind_word_vectors(m);
  bind_streaming(m);
  bind_pool(m);
  bind_threads(m);
}
