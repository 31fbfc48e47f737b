#include "cases.h"

#include <algorithm>

namespace recurra::tests {
namespace {

Case cell_of(CellKind kind, Activation activation = Activation::kTanh, Activation output = Activation::kTanh) {
  Case made;
  made.call.cell = kind;
  made.call.activation = activation;
  made.call.output_activation = output;
  return made;
}

const char* name_of(Activation activation) {
  static const char* const names[] = {"identity", "tanh", "relu", "leaky_relu", "sigmoid", "hardtanh", "softmax"};
  return names[static_cast<int>(activation)];
}

// Falling numbers of rows, all B at the first step, one at the last at least.
std::vector<std::int64_t> falling_sizes(Random& random, long T, long B) {
  std::vector<std::int64_t> sizes;
  for (long t = 0; t < T; ++t) sizes.push_back(t == 0 ? B : 1 + random.below(B));
  std::sort(sizes.rbegin(), sizes.rend());
  return sizes;
}

}  // namespace

std::string Case::described() const {
  static const char* const cells[] = {"rnn", "gru after", "gru before", "gru none", "lstm"};
  std::string text = cells[static_cast<int>(call.cell)];
  if (call.cell == CellKind::kRnn) text += std::string(" ") + name_of(call.activation);
  if (call.cell == CellKind::kLstm || projected) text += std::string(" output ") + name_of(call.output_activation);
  auto say = [&](bool holds, const char* what) {
    if (holds) text += std::string(", ") + what;
  };
  say(call.peepholes == Peepholes::kCurrent, "peepholes");
  say(call.peepholes == Peepholes::kPrevious, "peepholes previous");
  say(call.coupled_gates, "coupled");
  say(call.relevance_gate, "relevance");
  say(call.layer_norm, "layer_norm");
  say(projected, projection_bias ? "projection and bias" : "projection");
  say(!bias_ih, "no bias_ih");
  say(!bias_hh, "no bias_hh");
  say(keep_hidden, "keep_hidden");
  say(keep_cell, "keep_cell");
  say(call.reverse, "reverse");
  say(c_steps, "c_steps");
  say(!hT, "no hT");
  say(!dy, "no dy");
  say(!dhT, "no dhT");
  say(!dcT, "no dcT");
  say(!dc_steps, "no dc_steps");
  for (auto [name, size] : {std::pair{"T", call.T}, {"B", call.B}, {"I", call.I}, {"H", call.H}, {"P", call.P}}) {
    text += std::string(", ") + name + "=" + std::to_string(size);
  }
  if (!batch_sizes.empty()) {
    text += ", rows";
    for (std::int64_t size : batch_sizes) text += " " + std::to_string(size);
  }
  return text + ", wanted " + std::to_string(wanted) + ", seed " + std::to_string(seed);
}

std::vector<Case> all_cells() {
  std::vector<Case> cells;
  const auto activations = {Activation::kTanh, Activation::kRelu, Activation::kLeakyRelu, Activation::kSigmoid, Activation::kHardtanh};
  for (Activation g : activations) cells.push_back(cell_of(CellKind::kRnn, g));
  for (CellKind kind : {CellKind::kGruAfter, CellKind::kGruBefore, CellKind::kGruNone}) cells.push_back(cell_of(kind));
  for (Activation g : activations) {
    for (Activation output : {Activation::kIdentity, Activation::kTanh, Activation::kSigmoid, Activation::kSoftmax}) {
      cells.push_back(cell_of(CellKind::kRnn, g, output));
      cells.back().projected = true;
    }
  }
  for (Peepholes peepholes : {Peepholes::kNone, Peepholes::kCurrent, Peepholes::kPrevious}) {
    for (Activation output : {Activation::kTanh, Activation::kIdentity}) {
      Case lstm = cell_of(CellKind::kLstm, Activation::kTanh, output);
      lstm.call.peepholes = peepholes;
      for (bool projected : {false, true}) {
        lstm.projected = projected;
        for (bool coupled : {false, true}) {
          lstm.call.coupled_gates = coupled;
          cells.push_back(lstm);
        }
      }
      lstm.projected = lstm.call.coupled_gates = false;
      lstm.call.relevance_gate = true;
      cells.push_back(lstm);
    }
  }
  // All but Jordan networks can be normalised.
  const std::vector<Case> plain = cells;
  for (Case each : plain) {
    if (each.projected && each.call.cell == CellKind::kRnn) continue;
    each.call.layer_norm = true;
    cells.push_back(each);
  }
  return cells;
}

Case drawn_case(const Case& cell, Random& random, long H, long B) {
  Case made = cell;
  Recurrence& call = made.call;
  const bool is_lstm = call.cell == CellKind::kLstm;
  const bool any = H == 0;
  call.H = H ? H : (random.once_in(3) ? random.among<long>({1, 7, 8, 16, 17, 32, 33, 48, 64, 70}) : 1 + random.below(75));
  call.B = B ? B : (random.once_in(3) ? random.among<long>({1, 2, 3, 16, 20}) : 1 + random.below(24));
  call.T = any ? random.below(random.once_in(8) ? 60 : 12) : random.among<long>({0, 1, 2, 2, 9, 9});
  if (!any && call.H == 17 && call.B == 20) call.T = 31;  // more rows than a chunk of time has
  call.I = any ? 1 + random.below(random.once_in(4) ? 90 : 40) : random.among<long>({1, 5, 40});
  call.P = call.H;
  if (made.projected && is_lstm) call.P = 1 + random.below(random.once_in(4) ? 2 * call.H : call.H);
  if (made.projected && !is_lstm) call.P = random.among<long>({1, 3, 5, 16, 33, 1 + random.below(75)});
  call.N = call.T * call.B;
  call.reverse = random.once_in(2);
  if (call.T > 0 && random.once_in(3)) {
    made.batch_sizes = falling_sizes(random, call.T, call.B);
    call.N = 0;
    for (std::int64_t size : made.batch_sizes) call.N += size;
  }
  made.bias_ih = !random.once_in(4);
  made.bias_hh = random.once_in(8) ? !made.bias_ih : made.bias_ih;
  made.projection_bias = made.projected && !is_lstm && made.bias_ih;
  made.keep_hidden = (is_lstm || !made.projected) && random.once_in(3);
  made.keep_cell = is_lstm && random.once_in(3);
  made.c_steps = is_lstm && random.once_in(2);
  made.hT = !random.once_in(4);
  made.dy = !random.once_in(5);
  made.dhT = !random.once_in(3);
  made.dcT = is_lstm && !random.once_in(3);
  made.dc_steps = is_lstm && random.once_in(3);
  made.wanted = random.once_in(2) ? ~0u : static_cast<unsigned>(random.next());
  made.shift = random.below(4);
  made.input_scale = random.among({1.0, 1.0, 6.0});
  return made;
}

Arrays::Arrays(const Case& given, bool shaken) : case_(given) {
  Random random(given.seed);
  const Recurrence& call = given.call;
  const bool is_lstm = call.cell == CellKind::kLstm;
  const long G = call.cell == CellKind::kRnn ? 1
                 : call.cell == CellKind::kGruNone ? 2
                 : !is_lstm ? 3
                            : 4 - (call.coupled_gates ? 1 : 0) + (call.relevance_gate ? 1 : 0);
  auto add = [&](const float* Recurrence::*field, bool present, long count, double most, double least_share = -1.0) {
    if (!present) return;
    floats_.emplace_back(field, Floats::random(random, count, least_share * most, most, given.shift));
  };
  const double of_state = 1.0 / std::sqrt(static_cast<double>(call.P)), of_input = 1.0 / std::sqrt(static_cast<double>(call.I));
  add(&Recurrence::x, true, call.N * call.I, given.input_scale);
  add(&Recurrence::h0, true, call.B * call.P, 1.0);
  add(&Recurrence::c0, is_lstm, call.B * call.H, 1.0);
  add(&Recurrence::weight_ih, true, G * call.H * call.I, of_input);
  add(&Recurrence::weight_hh, true, G * call.H * call.P, of_state);
  add(&Recurrence::bias_ih, given.bias_ih, G * call.H, 0.5);
  add(&Recurrence::bias_hh, given.bias_hh, G * call.H, 0.5);
  add(&Recurrence::projection, given.projected, call.P * call.H, 1.0 / std::sqrt(static_cast<double>(call.H)));
  add(&Recurrence::projection_bias, given.projection_bias, call.P, 0.5);
  add(&Recurrence::peephole, call.peepholes != Peepholes::kNone, (call.coupled_gates ? 2 : 3) * call.H, 0.7);
  add(&Recurrence::gain_ih, call.layer_norm, G * call.H, 1.5);
  add(&Recurrence::gain_hh, call.layer_norm, G * call.H, 1.5);
  add(&Recurrence::gain_cell, call.layer_norm && is_lstm, call.H, 1.5);
  add(&Recurrence::shift_cell, call.layer_norm && is_lstm, call.H, 0.5);
  add(&Recurrence::keep_hidden, given.keep_hidden, call.N * call.P, 1.0, 0.0);
  add(&Recurrence::keep_cell, given.keep_cell, call.N * call.H, 1.0, 0.0);
  add(&Recurrence::dy, given.dy, call.N * call.P, 1.0);
  add(&Recurrence::dhT, given.dhT, call.B * call.P, 1.0);
  add(&Recurrence::dcT, given.dcT, call.B * call.H, 1.0);
  add(&Recurrence::dc_steps, given.dc_steps, call.N * call.H, 1.0);
  for (auto& [field, floats] : floats_) {
    // Zoneout in training keeps whole numbers.
    const bool keeps = field == &Recurrence::keep_hidden || field == &Recurrence::keep_cell;
    for (long i = 0; keeps && given.seed % 2 && i < floats.count(); ++i) floats[i] = floats[i] < 0.5f ? 0.0f : 1.0f;
    for (long i = 0; shaken && i < floats.count(); ++i) floats[i] = std::nextafter(floats[i], random.once_in(2) ? 9.0f : -9.0f);
    originals_.emplace_back(field, floats.copy());
  }
  if (given.batch_sizes.empty()) return;
  batch_sizes_.reset(new std::int64_t[given.batch_sizes.size()]);
  std::copy(given.batch_sizes.begin(), given.batch_sizes.end(), batch_sizes_.get());
}

Recurrence Arrays::inputs() const {
  Recurrence call = case_.call;
  for (const auto& [field, floats] : floats_) call.*field = floats.data();
  call.batch_sizes = batch_sizes_.get();
  return call;
}

bool Arrays::inputs_unchanged() const {
  for (std::size_t i = 0; i < floats_.size(); ++i) {
    if (!floats_[i].second.same_bits(originals_[i].second)) return false;
  }
  return std::equal(case_.batch_sizes.begin(), case_.batch_sizes.end(), batch_sizes_.get());
}

}  // namespace recurra::tests
