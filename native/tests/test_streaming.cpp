#include <algorithm>

#include "../dispatch.h"
#include "../streaming.h"
#include "cases.h"
#include "reference.h"
#include "suites.h"

namespace recurra::tests {
namespace {

constexpr double kAllowed = 1e-4;  // the layers are fed with what others gave, rounded
constexpr long kSteps = 5;

// A layer's description, its arrays and its reference over all steps.
struct Layer {
  Case chosen;
  std::unique_ptr<Arrays> arrays;
};

Case chosen_layer(Random& random, long I, bool keep_hidden, bool keep_cell) {
  const std::vector<Case> cells = all_cells();
  Case layer = cells[static_cast<std::size_t>(random.below(static_cast<long>(cells.size())))];
  // Zoneout is for states that the cell itself has; a Jordan network has none such.
  if (keep_hidden && layer.projected && layer.call.cell == CellKind::kRnn) layer.projected = false;
  layer.call.H = random.among<long>({1, 7, 16, 17, 33});
  layer.call.P = layer.projected ? 1 + random.below(layer.call.H) : layer.call.H;
  layer.call.I = I;
  layer.call.T = layer.call.N = kSteps;
  layer.call.B = 1;
  layer.projection_bias = layer.projected && layer.call.cell == CellKind::kRnn;
  layer.bias_ih = layer.bias_hh = !random.once_in(4);
  layer.keep_hidden = keep_hidden;
  layer.keep_cell = keep_cell && layer.call.cell == CellKind::kLstm;
  layer.dy = layer.dhT = layer.dcT = layer.dc_steps = false;
  layer.shift = random.below(4);
  layer.seed = random.next();
  return layer;
}

// What a row of steps gives, layer after layer, in double precision; `x` of a layer is what the one below gave.
struct Expected {
  std::vector<double> outputs, states;
};
Expected expected_of(const std::vector<Layer>& layers, const Floats& x, long I, Skip skip, const std::vector<Floats>& keeps,
                     const Floats& state) {
  Expected found;
  std::vector<double> entering;
  for (long i = 0; i < x.count(); ++i) entering.push_back(static_cast<double>(x[i]));
  std::vector<std::vector<double>> given;
  long place = 0, width = I;
  for (const Layer& layer : layers) {
    const Recurrence description = layer.arrays->inputs();
    Recurrence call = description;
    if (skip == Skip::kGraves && !given.empty()) {  // [the layer below; x]
      std::vector<double> both;
      for (long t = 0; t < kSteps; ++t) {
        both.insert(both.end(), entering.begin() + t * width, entering.begin() + (t + 1) * width);
        for (long i = 0; i < I; ++i) both.push_back(static_cast<double>(x[t * I + i]));
      }
      entering = both;
      width += I;
    }
    Floats rounded(static_cast<long>(entering.size()));
    for (long i = 0; i < rounded.count(); ++i) rounded[i] = static_cast<float>(entering[static_cast<std::size_t>(i)]);
    call.x = rounded.data();
    call.h0 = state.data() + place;
    place += call.P;
    if (call.cell == CellKind::kLstm) {
      call.c0 = state.data() + place;
      place += call.H;
    }
    call.keep_hidden = layer.chosen.keep_hidden ? keeps[0].data() : nullptr;
    call.keep_cell = layer.chosen.keep_cell ? keeps[1].data() : nullptr;
    const Reference reference = reference_of(call);
    found.states.insert(found.states.end(), reference.hT.begin(), reference.hT.end());
    found.states.insert(found.states.end(), reference.cT.begin(), reference.cT.end());
    std::vector<double> above = reference.y;
    if (skip == Skip::kResidual && width == call.P) {
      for (std::size_t i = 0; i < above.size(); ++i) above[i] += entering[i];
    }
    given.push_back(above);
    entering = above;
    width = call.P;
  }
  if (skip != Skip::kGraves) given = {given.back()};
  for (long t = 0; t < kSteps; ++t) {
    for (const std::vector<double>& each : given) {
      const long size = static_cast<long>(each.size()) / kSteps;
      found.outputs.insert(found.outputs.end(), each.begin() + t * size, each.begin() + (t + 1) * size);
    }
  }
  return found;
}

}  // namespace

void test_streaming_case(const Sets& sets, std::uint64_t seed) {
  Random random(seed);
  const Skip skip = random.among({Skip::kNone, Skip::kResidual, Skip::kGraves});
  const float keep_hidden = random.once_in(3) ? 0.3f : 0.0f, keep_cell = random.once_in(3) ? 0.6f : 0.0f;
  const long I = random.among<long>({1, 5, 17, 40}), count = 1 + random.below(3);
  std::string description = "streaming, --fuzz-case " + std::to_string(seed) + ", skip " + std::to_string(static_cast<int>(skip));
  std::vector<Layer> layers;
  long entering = I, widest = I;
  for (long number = 0; number < count; ++number) {
    if (skip == Skip::kGraves && number > 0) entering += I;
    Layer layer{chosen_layer(random, entering, keep_hidden > 0.0f, keep_cell > 0.0f), nullptr};
    layer.arrays = std::make_unique<Arrays>(layer.chosen);
    description += "; " + layer.chosen.described();
    entering = layer.chosen.call.P;
    widest = std::max({widest, layer.chosen.call.H, layer.chosen.call.P});
    layers.push_back(std::move(layer));
  }
  begin_case(description);
  const Floats x = Floats::random(random, kSteps * I, -1.0, 1.0, 1);
  std::vector<Floats> keeps;
  for (float share : {keep_hidden, keep_cell}) {
    keeps.emplace_back(kSteps * widest);
    keeps.back().fill(share);
  }
  for (const std::string& set : sets) {
    use_instruction_set(set);
    std::vector<Recurrence> descriptions;
    for (const Layer& layer : layers) descriptions.push_back(layer.arrays->inputs());
    StreamingStack stack(descriptions, skip, keep_hidden, keep_cell);
    const Floats state = Floats::random(random, stack.state_size(), -1.0, 1.0, 0);
    const Expected want = expected_of(layers, x, I, skip, keeps, state);
    // Twice, with the state set anew: nothing of the first run may be left over.
    for (int round = 0; round < 2; ++round) {
      const Floats output(kSteps * stack.output_size()), after(stack.state_size());
      stack.set_state(state.data());
      for (long t = 0; t < kSteps; ++t) {
        const Floats one(I), out(stack.output_size());
        for (long i = 0; i < I; ++i) one[i] = x[t * I + i];
        stack.step(one.data(), out.data());
        for (long i = 0; i < out.count(); ++i) output[t * out.count() + i] = out[i];
      }
      stack.get_state(after.data());
      compare(set + " outputs", output, want.outputs, kAllowed);
      compare(set + " state", after, want.states, kAllowed);
    }
  }
}

void test_streaming(const Sets& sets) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) test_streaming_case(sets, seed);
}

}  // namespace recurra::tests
