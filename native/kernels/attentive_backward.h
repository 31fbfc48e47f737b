// A layer with attention, back through time: each share of the work takes its own rows, as forwards.
#pragma once

#include "attentive_cells.h"
#include "attentive_weights.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

template <class Cell>
class AttentiveBackward {
 public:
  explicit AttentiveBackward(const Attentive& call)
      : call_(call),
        shares_(attentive_shares(call, 2)),
        rows_of_memory_(call.R / call.B),
        feed_(pack_as_it_lies(workspace_, call.weight_f, Cell::kGates * call.H, call.F)),
        hidden_(pack_as_it_lies(workspace_, call.weight_h, Cell::kGates * call.H, call.H)),
        combine_(pack_as_it_lies(workspace_, call.combine, call.F, call.H + call.V)) {
    if (call.additive) {
      query_ = pack_as_it_lies(workspace_, call.query, call.K, call.H);
      query_again_ = pack_transposed(workspace_, call.query, 1, call.K, call.H);
      score_ = pad_blocks(workspace_, call.score, 1, call.K);
      if (call.cover) cover_ = pad_blocks(workspace_, call.cover, 1, call.K);
    }
    Kp_ = round_up(call.K, kLanes);
    const long most = (call.B / shares_ + 1) * rows_of_memory_;
    own_floats_ = round_up(most * (5 * call.H + call.F + 2 * call.S + call.K) + call.S + 2 * Kp_, 16);
    own_ = workspace_.take(shares_ * own_floats_);
    sums_ = workspace_.take_zeros(shares_ * 2 * Kp_);
  }

  void run() {
    run_pass(*this, shares_, 1);
    if (call_.additive) add_up_sums();
  }

  void part(long, const Share& share) {
    const Range memories = part_of(call_.B, share.rank, share.size);
    if (memories.count() == 0) return;
    if (call_.additive) clear(call_.dkeys + memories.first * call_.S * call_.K, memories.count() * call_.S * call_.K);
    take_steps_back(memories.first * rows_of_memory_, memories.last * rows_of_memory_, own_ + share.rank * own_floats_,
                    sums_ + share.rank * 2 * Kp_);
  }

 private:
  void add_up_sums() const {
    for (int which = 0; which < 2; ++which) {
      float* to = which ? call_.dcover : call_.dscore;
      if (!to) continue;
      clear(to, call_.K);
      for (int rank = 0; rank < shares_; ++rank) add(to, sums_ + rank * 2 * Kp_ + which * Kp_, call_.K);
    }
  }

  static void begin(float* to, const float* from, long floats) {
    if (!from) return clear(to, floats);
    std::memcpy(to, from, static_cast<std::size_t>(floats) * sizeof(float));
  }

  void take_steps_back(long first, long last, float* own, float* sums) const {
    const long rows = last - first, H = call_.H, F = call_.F, HV = H + call_.V, S = call_.S, T = call_.T, GH = Cell::kGates * H;
    float* dh = own;                  // [rows,H] of h_t, all that reaches it
    float* carried = dh + rows * H;   // [rows,H] of h_t, from the step after
    float* product = carried + rows * H;
    float* direct = product + rows * H;
    float* dc = direct + rows * H;
    float* dfeed = dc + rows * H;     // [rows,F]
    float* dcovered = dfeed + rows * F;
    float* covered = dcovered + rows * S;
    float* queries = covered + rows * S;
    float* scratch = queries + rows * call_.K;
    begin(carried, call_.dhT ? call_.dhT + first * H : nullptr, rows * H);
    begin(dc, call_.dcT ? call_.dcT + first * H : nullptr, rows * H);
    begin(dfeed, call_.dfT ? call_.dfT + first * F : nullptr, rows * F);
    begin(dcovered, call_.dcovered ? call_.dcovered + first * S : nullptr, rows * S);
    begin(covered, call_.covered + first * S, rows * S);
    for (long t = T - 1; t >= 0; --t) {
      for (long r = 0; r < rows; ++r) {
        const long at = ((first + r) * T + t) * F;
        for (long u = 0; u < F; u += kLanes) {
          const Vector f = load_first(call_.f + at + u, F - u);
          Vector d = load_first(dfeed + r * F + u, F - u);
          if (call_.df) d += load_first(call_.df + at + u, F - u);
          store_first(call_.dz + at + u, d * (1.0f - f * f), F - u);
        }
      }
      float* dhc = call_.dhc + (first * T + t) * HV;
      multiply_into(call_.dz + (first * T + t) * F, T * F, rows, combine_, nullptr, dhc, T * HV, HV);
      if (call_.additive) {
        multiply_into(call_.hc + (first * T + t) * HV, T * HV, rows, query_again_, nullptr, queries, call_.K, call_.K);
      }
      for (long r = 0; r < rows; ++r) {
        float* all = dh + r * H;
        std::memcpy(all, dhc + r * T * HV, static_cast<std::size_t>(H) * sizeof(float));
        add(all, carried + r * H, H);
        attend_back(first + r, t, dhc + r * T * HV + H, all, dcovered + r * S, covered + r * S, queries + r * call_.K, scratch, sums);
      }
      if (call_.additive) {
        multiply_into(call_.dq + (first * T + t) * call_.K, T * call_.K, rows, query_, nullptr, product, H, H);
        add(dh, product, rows * H);
      }
      for (long r = 0; r < rows; ++r) {
        const long at = (first + r) * T + t;
        const float* gates = call_.gates + at * Cell::kSaved * H;
        StepBack step{gates, call_.hc + at * HV, t ? call_.hc + (at - 1) * HV : call_.h0 + (first + r) * H, nullptr,
                      dh + r * H, dc + r * H, call_.da + at * GH, Cell::kTwoGradients ? call_.da_h + at * GH : nullptr,
                      direct + r * H};
        if (Cell::kHasCell) step.c_before = t ? gates - H : call_.c0 + (first + r) * H;
        Cell::backward(step, H);
      }
      const float* da = call_.da + (first * T + t) * GH;
      const float* da_h = Cell::kTwoGradients ? call_.da_h + (first * T + t) * GH : da;
      multiply_into(da, T * GH, rows, feed_, nullptr, dfeed, F, F);
      multiply_into(da_h, T * GH, rows, hidden_, nullptr, carried, H, H);
      add(carried, direct, rows * H);
    }
    begin(call_.dh0 + first * H, carried, rows * H);
    if (Cell::kHasCell) begin(call_.dc0 + first * H, dc, rows * H);
    begin(call_.df0 + first * F, dfeed, rows * F);
    begin(call_.dcovered0 + first * S, dcovered, rows * S);
  }

  // Gradients of the scores and of the state by way of them. `covered` comes with what was attended to after the step,
  // and is left with what was before it.
  void attend_back(long row, long t, const float* dcontext, float* dh, float* dcovered, float* covered,
                   const float* query, float* dw, float* sums) const {
    const MemoryRow memory(call_, row / rows_of_memory_);
    const long S = call_.S, K = call_.K, length = memory.length, at = row * call_.T + t;
    const float* weights = call_.weights + at * S;
    float* ds = call_.ds + at * S;
    float mean = 0.0f;
    for (long s = 0; s < length; ++s) {
      dw[s] = dot(dcontext, memory.values + s * call_.V, call_.V) + dcovered[s];
      if (call_.dweights) dw[s] += call_.dweights[at * S + s];
      mean += weights[s] * dw[s];
      covered[s] -= weights[s];
    }
    for (long s = 0; s < S; ++s) ds[s] = s < length ? weights[s] * (dw[s] - mean) : 0.0f;
    if (!call_.additive) {
      for (long s = 0; s < length; ++s) add_scaled(dh, memory.keys + s * K, ds[s], K);
      return;
    }
    float* dscore = dw + S;  // of this row and step
    float* dcover = dscore + Kp_;
    float* dq = call_.dq + at * K;
    float* dkeys = call_.dkeys + row / rows_of_memory_ * S * K;
    clear(dq, K);
    clear(dscore, 2 * Kp_);
    for (long s = 0; s < length; ++s) {
      const float* key = memory.keys + s * K;
      Vector of_covered{};
      for (long j = 0; j < K; j += kLanes) {
        const long left = K - j;
        Vector inside = load_first(query + j, left) + load_first(key + j, left);
        if (cover_) inside += covered[s] * load(cover_ + j);
        const Vector e = tanh(inside), d = ds[s] * load(score_ + j) * (1.0f - e * e);
        store(dscore + j, load(dscore + j) + ds[s] * e);
        store_first(dq + j, load_first(dq + j, left) + d, left);
        float* dkey = dkeys + s * K + j;
        store_first(dkey, load_first(dkey, left) + d, left);
        if (!cover_) continue;
        store(dcover + j, load(dcover + j) + covered[s] * d);
        of_covered += d * load(cover_ + j);
      }
      dcovered[s] += sum(of_covered);
    }
    add(sums, dscore, 2 * Kp_);
  }

  Workspace workspace_;
  const Attentive& call_;
  const int shares_;
  const long rows_of_memory_;
  const Panels feed_, hidden_, combine_;
  Panels query_, query_again_;
  const float* score_ = nullptr;
  const float* cover_ = nullptr;
  long Kp_, own_floats_;
  float* own_;
  float* sums_;
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
