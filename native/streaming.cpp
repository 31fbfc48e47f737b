#include "streaming.h"

#include <algorithm>

#include "dispatch.h"

namespace recurra {

StreamingStack::StreamingStack(const std::vector<Recurrence>& layers, Skip skip, float keep_hidden, float keep_cell)
    : skip_(skip) {
  long widest = 0;
  for (const Recurrence& each : layers) widest = std::max({widest, each.I, each.H, each.P});
  keep_hidden_.assign(static_cast<std::size_t>(widest), keep_hidden);
  keep_cell_.assign(static_cast<std::size_t>(widest), keep_cell);
  for (const Recurrence& each : layers) {
    Recurrence one = each;
    one.T = one.B = one.N = 1;
    one.threads = 1;
    one.batch_sizes = nullptr;
    one.reverse = one.training = false;
    one.c_steps = nullptr;
    one.keep_hidden = keep_hidden > 0.0f ? keep_hidden_.data() : nullptr;
    one.keep_cell = keep_cell > 0.0f && one.cell == CellKind::kLstm ? keep_cell_.data() : nullptr;
    Layer layer;
    layer.stepper.reset(kernels().make_stepper(one));
    layer.I = one.I;
    layer.H = one.H;
    layer.P = one.P;
    layer.has_cell = one.cell == CellKind::kLstm;
    for (int side = 0; side < 2; ++side) {
      layer.h[side].assign(static_cast<std::size_t>(one.P), 0.0f);
      if (layer.has_cell) layer.c[side].assign(static_cast<std::size_t>(one.H), 0.0f);
    }
    state_size_ += one.P + (layer.has_cell ? one.H : 0);
    output_size_ = skip == Skip::kGraves ? output_size_ + one.P : one.P;
    layers_.push_back(std::move(layer));
  }
  input_.resize(static_cast<std::size_t>(widest));
  above_.resize(static_cast<std::size_t>(widest));
}

void StreamingStack::step(const float* x, float* output) {
  const int next = 1 - now_;
  const float* entering = x;
  long entering_size = layers_.front().I;
  for (std::size_t number = 0; number < layers_.size(); ++number) {
    Layer& layer = layers_[number];
    if (skip_ == Skip::kGraves && number > 0) {  // [h of the layer below; x]
      std::copy_n(entering, entering_size, input_.begin());
      std::copy_n(x, layers_.front().I, input_.begin() + entering_size);
      entering = input_.data();
      entering_size += layers_.front().I;
    }
    layer.stepper->step(entering, layer.h[now_].data(), layer.c[now_].data(), layer.h[next].data(), layer.c[next].data());
    const float* out = layer.h[next].data();
    if (skip_ == Skip::kResidual && entering_size == layer.P) {
      for (long unit = 0; unit < layer.P; ++unit) above_[static_cast<std::size_t>(unit)] = entering[unit] + out[unit];
      out = above_.data();
    }
    if (skip_ == Skip::kGraves) {
      std::copy_n(out, layer.P, output);
      output += layer.P;
    }
    entering = out;
    entering_size = layer.P;
  }
  if (skip_ != Skip::kGraves) std::copy_n(entering, entering_size, output);
  now_ = next;
}

void StreamingStack::set_state(const float* state) {
  for (Layer& layer : layers_) {
    std::copy_n(state, layer.P, layer.h[now_].begin());
    state += layer.P;
    if (!layer.has_cell) continue;
    std::copy_n(state, layer.H, layer.c[now_].begin());
    state += layer.H;
  }
}

void StreamingStack::get_state(float* state) const {
  for (const Layer& layer : layers_) {
    state = std::copy(layer.h[now_].begin(), layer.h[now_].end(), state);
    if (layer.has_cell) state = std::copy(layer.c[now_].begin(), layer.c[now_].end(), state);
  }
}

}  // namespace recurra
