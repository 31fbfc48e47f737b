// The Python bindings of word vectors and GloVe.
#include "bindings.h"
#include "dispatch.h"

namespace nb = nanobind;
using namespace recurra;

void bind_word_vectors(nb::module_& m) {
  using Call = WordVectorsCall;
#define RECURRA_OPTION(name)                                                       \
  def_prop_rw(                                                                     \
      #name, [](const Call& call) { return static_cast<int>(call.name); },         \
      [](Call& call, int choice) { call.name = static_cast<decltype(call.name)>(choice); })
  nb::class_<Call>(m, "WordVectorsCall", "A stretch of training of word vectors; native/word_vectors.h says what each field is.")
      .def(nb::init<>())
      .RECURRA_OPTION(reproducible)
      .RECURRA_OPTION(has_copies)
      .RECURRA_OPTION(update)
      .RECURRA_OPTION(hidden)
      .RECURRA_OPTION(reach)
      .RECURRA_OPTION(objective)
      .RECURRA_OPTION(shrink)
      .RECURRA_OPTION(whole_error)
      .def_rw("threads", &Call::threads)
      .def_rw("window", &Call::window)
      .def_rw("negatives", &Call::negatives)
      .def_rw("round", &Call::round)
      .def_rw("V", &Call::V)
      .def_rw("row", &Call::row)
      .def_rw("input_rows", &Call::input_rows)
      .def_rw("output_rows", &Call::output_rows)
      .def_rw("output_row", &Call::output_row)
      .def_rw("first_sentence", &Call::first_sentence)
      .def_rw("last_sentence", &Call::last_sentence)
      .def_rw("seed", &Call::seed)
      .def_rw("epoch", &Call::epoch)
      .def_rw("first_rate", &Call::first_rate)
      .def_rw("last_rate", &Call::last_rate)
      .RECURRA_FIELD(Call, tokens)
      .RECURRA_FIELD(Call, starts)
      .RECURRA_FIELD(Call, keep)
      .RECURRA_FIELD(Call, alias_share)
      .RECURRA_FIELD(Call, alias)
      .RECURRA_FIELD(Call, path_starts)
      .RECURRA_FIELD(Call, path_nodes)
      .RECURRA_FIELD(Call, path_labels)
      .RECURRA_FIELD(Call, part_starts)
      .RECURRA_FIELD(Call, parts)
      .RECURRA_FIELD(Call, input)
      .RECURRA_FIELD(Call, output)
      .RECURRA_FIELD(Call, copies)
      .def_ro("loss", &Call::loss)
      .def_ro("predictions", &Call::predictions)
      .def("run", [](Call& call) { kernels().train_word_vectors(call); }, nb::call_guard<nb::gil_scoped_release>());
#undef RECURRA_OPTION
  nb::class_<GloveCall>(m, "GloveCall", "A stretch of training of GloVe vectors; native/glove.h says what each field is.")
      .def(nb::init<>())
      .def_rw("threads", &GloveCall::threads)
      .def_rw("update", &GloveCall::update)
      .def_rw("grid", &GloveCall::grid)
      .def_rw("first_stratum", &GloveCall::first_stratum)
      .def_rw("last_stratum", &GloveCall::last_stratum)
      .def_rw("row", &GloveCall::row)
      .def_rw("rate", &GloveCall::rate)
      .def_rw("V", &GloveCall::V)
      .RECURRA_FIELD(GloveCall, blocks)
      .RECURRA_FIELD(GloveCall, words)
      .RECURRA_FIELD(GloveCall, contexts)
      .RECURRA_FIELD(GloveCall, logs)
      .RECURRA_FIELD(GloveCall, weights)
      .RECURRA_FIELD(GloveCall, input)
      .RECURRA_FIELD(GloveCall, output)
      .RECURRA_FIELD(GloveCall, input_squares)
      .RECURRA_FIELD(GloveCall, output_squares)
      .RECURRA_FIELD(GloveCall, input_bias)
      .RECURRA_FIELD(GloveCall, output_bias)
      .def_ro("cost", &GloveCall::cost)
      .def_ro("entries", &GloveCall::entries)
      .def("run", [](GloveCall& call) { kernels().train_glove(call); }, nb::call_guard<nb::gil_scoped_release>());
}
