// The vanilla cell: h' = g(W x + b + U h).
#pragma once

#include "rows.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

constexpr float kLeakySlope = 0.01f;

RECURRA_INLINE Vector activate(Activation g, Vector a) {
  switch (g) {
    case Activation::kTanh: return tanh(a);
    case Activation::kRelu: return select(a <= 0.0f, Vector{}, a);
    case Activation::kLeakyRelu: return select(a <= 0.0f, a * kLeakySlope, a);
    case Activation::kSigmoid: return sigmoid(a);
    case Activation::kHardtanh: return at_least(at_most(a, 1.0f), -1.0f);
    default: return a;
  }
}

// g'(a) from y = g(a); at the kinks relu 0, leaky relu its slope, hard tanh 0.
RECURRA_INLINE Vector slope_at(Activation g, Vector y) {
  const Vector one = broadcast(1.0f);
  switch (g) {
    case Activation::kTanh: return 1.0f - y * y;
    case Activation::kRelu: return select(y > 0.0f, one, Vector{});
    case Activation::kLeakyRelu: return select(y > 0.0f, one, broadcast(kLeakySlope));
    case Activation::kSigmoid: return y * (1.0f - y);
    case Activation::kHardtanh: return select((y > -1.0f) & (y < 1.0f), one, Vector{});
    default: return one;
  }
}

struct Rnn {
  // Slot 0: W x + b, then h' where y is not the same (zoneout, a projection).
  static constexpr int kSlots = 1, kGates = 1, kInputGates = 1, kStateFirst = 0, kStateGates = 1;
  static constexpr int kSecond = -1, kSecondOperand = -1, kCell = -1;
  static constexpr Slot kSlotOf[] = {{0, true, 'h'}};

  static void forward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const Activation g = cell.call->activation;
    const bool keeps_own = all.keep_hidden && cell.call->training;
    for (long r = 0; r < count; ++r) {
      float* gates = all.gates + r * all.gates_row + units.unit;
      Vector h = activate(g, load(gates) + load(sums + r * row));
      if (keeps_own) store(gates, h);
      if (all.keep_hidden) {
        h = kept(load_first(all.keep_hidden + r * all.h_row + units.unit, units.count),
                 load_first(all.h_prev + r * all.h_row + units.unit, units.count), h);
      }
      store_hidden(all, r, units, h);
    }
  }

  static void backward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const Activation g = cell.call->activation;
    for (long r = 0; r < count; ++r) {
      Vector dh = load(sums + r * row);
      if (all.dy) dh += load_first(all.dy + r * all.h_row + units.unit, units.count);
      if (all.keep_hidden) {
        float* direct = all.direct + r * cell.Hp + units.unit;
        dh += load(direct);
        Vector m = load_first(all.keep_hidden + r * all.h_row + units.unit, units.count);
        store(direct, dh * m);
        dh -= dh * m;
      }
      Vector own = load_first(all.h_own + r * all.h_own_row + units.unit, units.count);
      store(all.d + r * all.d_row + units.unit, dh * slope_at(g, own));
    }
  }
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
