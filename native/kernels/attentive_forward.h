// A layer with attention, forwards: each share of the work takes all steps of its own rows.
#pragma once

#include <limits>

#include "attentive_cells.h"
#include "attentive_weights.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

template <class Cell>
class AttentiveForward {
 public:
  AttentiveForward(const Attentive& call, const ForwardWeights& weights, Workspace& workspace)
      : call_(call), weights_(weights), shares_(attentive_shares(call, 1)), Hp_(round_up(call.H, kLanes)), rows_of_memory_(call.R / call.B) {
    const long most = (call.B / shares_ + 1) * rows_of_memory_;
    own_floats_ = round_up(most * (2 * Cell::kGates * Hp_ + call.K + 2 * call.H) + call.S, 16);
    own_ = workspace.take(shares_ * own_floats_);
  }

  void run() { run_pass(*this, shares_, 1); }

  void part(long, const Share& share) {
    const Range memories = part_of(call_.B, share.rank, share.size);
    if (memories.count() == 0) return;
    take_steps(memories.first * rows_of_memory_, memories.last * rows_of_memory_, own_ + share.rank * own_floats_);
  }

 private:
  void take_steps(long first, long last, float* own) const {
    const long rows = last - first, H = call_.H, F = call_.F, HV = H + call_.V, S = call_.S, T = call_.T, GHp = Cell::kGates * Hp_;
    float* sums_f = own;
    float* sums_h = sums_f + rows * GHp;
    float* queries = sums_h + rows * GHp;
    float* cells = queries + rows * call_.K;  // two generations where nothing is saved
    std::memcpy(call_.covered + first * S, call_.covered0 + first * S, static_cast<std::size_t>(rows * S) * sizeof(float));
    for (long t = 0; t < T; ++t) {
      const float* f = t ? call_.f + (first * T + t - 1) * F : call_.f0 + first * F;
      const float* h = t ? call_.hc + (first * T + t - 1) * HV : call_.h0 + first * H;
      const long f_row = t ? T * F : F, h_row = t ? T * HV : H;
      multiply_into(f, f_row, rows, weights_.feed, nullptr, sums_f, GHp, GHp);
      multiply_into(h, h_row, rows, weights_.hidden, weights_.hidden_bias, sums_h, GHp, GHp);
      float* hc = call_.hc + (first * T + t) * HV;
      for (long r = 0; r < rows; ++r) {
        const long at = (first + r) * T + t;
        StepIn in{call_.gx + at * Cell::kGates * H, sums_f + r * GHp, sums_h + r * GHp, h + r * h_row, nullptr};
        StepOut out{hc + r * T * HV, nullptr, call_.training ? call_.gates + at * Cell::kSaved * H : nullptr};
        if (Cell::kHasCell) {
          float* room = cells + r * 2 * H;
          in.c = t ? room + (t - 1) % 2 * H : call_.c0 + (first + r) * H;
          out.c = t + 1 == T ? call_.cT + (first + r) * H : room + t % 2 * H;
        }
        Cell::forward(in, out, H, Hp_);
      }
      if (call_.additive) multiply_into(hc, T * HV, rows, weights_.query, nullptr, queries, call_.K, call_.K);
      for (long r = 0; r < rows; ++r) attend(first + r, t, hc + r * T * HV, queries + r * call_.K);
      float* fed = call_.f + (first * T + t) * F;
      multiply_into(hc, T * HV, rows, weights_.combine, weights_.combine_bias, fed, T * F, F);
      for (long r = 0; r < rows; ++r) {
        float* row = fed + r * T * F;
        for (long u = 0; u < F; u += kLanes) store_first(row + u, tanh(load_first(row + u, F - u)), F - u);
      }
    }
  }

  // The weights and the context of a row, whose state lies at hc, the context's place behind it.
  void attend(long row, long t, float* hc, const float* query) const {
    const MemoryRow memory(call_, row / rows_of_memory_);
    const long S = call_.S, K = call_.K, length = memory.length;
    float* weights = call_.weights + (row * call_.T + t) * S;
    float* covered = call_.covered + row * S;
    float largest = -std::numeric_limits<float>::infinity();
    for (long s = 0; s < length; ++s) {
      weights[s] = call_.additive ? additive_score(query, memory.keys + s * K, covered[s]) : dot(hc, memory.keys + s * K, K);
      largest = std::max(largest, weights[s]);
    }
    float total = 0.0f;
    for (long s = 0; s < length; s += kLanes) {
      const Vector value = exp(load_first(weights + s, length - s) - largest);
      store_first(weights + s, value, length - s);
    }
    for (long s = 0; s < length; ++s) total += weights[s];
    float* context = hc + call_.H;
    clear(context, call_.V);
    const float scale = length > 0 ? 1.0f / total : 0.0f;
    for (long s = 0; s < length; ++s) {
      weights[s] *= scale;
      covered[s] += weights[s];
      add_scaled(context, memory.values + s * call_.V, weights[s], call_.V);
    }
    for (long s = length; s < S; ++s) weights[s] = 0.0f;
  }

  RECURRA_INLINE float additive_score(const float* query, const float* key, float covered) const {
    Vector total{};
    for (long j = 0; j < call_.K; j += kLanes) {
      const long left = call_.K - j;
      Vector inside = load_first(query + j, left) + load_first(key + j, left);
      if (weights_.cover) inside += covered * load(weights_.cover + j);
      total += tanh(inside) * load(weights_.score + j);
    }
    return sum(total);
  }

  const Attentive& call_;
  const ForwardWeights& weights_;
  const int shares_;
  const long Hp_, rows_of_memory_;
  long own_floats_;
  float* own_;
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
