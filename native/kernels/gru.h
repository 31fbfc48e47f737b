// The gated recurrent unit: h' = (1 - z)*n + z*h, its reset gate after the product, before it, or none.
#pragma once

#include "rows.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// What the three forms share: the gradients of z and n from that of h', and what flows on to h unmultiplied.
struct GruOutput {
  RECURRA_INLINE static void forward(const Rows& all, long r, Units units, Vector z, Vector n) {
    Vector before = load_first(all.h_prev + r * all.h_row + units.unit, units.count);
    Vector h = n + z * (before - n);
    if (all.keep_hidden) {
      h = kept(load_first(all.keep_hidden + r * all.h_row + units.unit, units.count), before, h);
    }
    store_hidden(all, r, units, h);
  }

  struct Gradients {
    Vector dz, dn;
  };
  RECURRA_INLINE static Gradients backward(const CellContext& cell, const Rows& all, long r, Units units,
                                           const float* sums, Vector z, Vector n) {
    float* direct = all.direct + r * cell.Hp + units.unit;
    Vector dh = load(sums) + load(direct);
    if (all.dy) dh += load_first(all.dy + r * all.h_row + units.unit, units.count);
    Vector onwards{};
    if (all.keep_hidden) {
      onwards = dh * load_first(all.keep_hidden + r * all.h_row + units.unit, units.count);
      dh -= onwards;
    }
    Vector before = load_first(all.h_prev + r * all.h_row + units.unit, units.count);
    store(direct, onwards + dh * z);
    return {dh * (before - n) * z * (1.0f - z), dh * (1.0f - z) * (1.0f - n * n)};
  }
};

// n = tanh(W_n x + b_n + r*(U_n h + b_hn)). Slots n, r, z and hn = U_n h + b_hn; gradients likewise.
struct GruAfter {
  static constexpr int kSlots = 4, kGates = 4, kInputGates = 3, kStateFirst = 1, kStateGates = 3;
  static constexpr int kSecond = -1, kSecondOperand = -1, kCell = -1;
  static constexpr Slot kSlotOf[] = {{2, true, '-'}, {0, true, 'h'}, {1, true, 'h'}, {2, false, 'h'}};

  static void forward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    const Vector bias = load(cell.state_bias + units.unit);
    const bool keeps = cell.call->training;
    for (long i = 0; i < count; ++i) {
      float* gates = all.gates + i * all.gates_row + units.unit;
      const float* own = sums + i * row;
      Vector r = sigmoid(load(gates + Hp) + load(own));
      Vector z = sigmoid(load(gates + 2 * Hp) + load(own + kLanes));
      Vector hn = load(own + 2 * kLanes) + bias;
      Vector n = tanh(load(gates) + r * hn);
      if (keeps) {
        store(gates, n);
        store(gates + Hp, r);
        store(gates + 2 * Hp, z);
        store(gates + 3 * Hp, hn);
      }
      GruOutput::forward(all, i, units, z, n);
    }
  }

  static void backward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      const float* gates = all.gates + i * all.gates_row + units.unit;
      Vector n = load(gates), r = load(gates + Hp), z = load(gates + 2 * Hp), hn = load(gates + 3 * Hp);
      auto [dz, dn] = GruOutput::backward(cell, all, i, units, sums + i * row, z, n);
      float* d = all.d + i * all.d_row + units.unit;
      store(d, dn);
      store(d + Hp, dn * hn * r * (1.0f - r));
      store(d + 2 * Hp, dz);
      store(d + 3 * Hp, dn * r);
    }
  }
};

// n = tanh(W_n x + b_n + U_n (r*h)). Slots r, z, n and rh = r*h.
struct GruBefore {
  static constexpr int kSlots = 4, kGates = 3, kInputGates = 3, kStateFirst = 0, kStateGates = 2;
  static constexpr int kSecond = 2, kSecondOperand = 3, kCell = -1;
  static constexpr Slot kSlotOf[] = {{0, true, 'h'}, {1, true, 'h'}, {2, true, 's'}};

  static void forward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      float* gates = all.gates + i * all.gates_row + units.unit;
      Vector r = sigmoid(load(gates) + load(sums + i * row));
      Vector z = sigmoid(load(gates + Hp) + load(sums + i * row + kLanes));
      store(gates, r);
      store(gates + Hp, z);
      store(gates + 3 * Hp, r * load_first(all.h_prev + i * all.h_row + units.unit, units.count));
    }
  }
  static void forward_second(const CellContext& cell, const Rows& all, long count, Units units, const float* sums,
                             long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      float* gates = all.gates + i * all.gates_row + units.unit;
      Vector n = tanh(load(gates + 2 * Hp) + load(sums + i * row));
      store(gates + 2 * Hp, n);
      GruOutput::forward(all, i, units, load(gates + Hp), n);
    }
  }

  static void backward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      const float* gates = all.gates + i * all.gates_row + units.unit;
      auto [dz, dn] =
          GruOutput::backward(cell, all, i, units, sums + i * row, load(gates + Hp), load(gates + 2 * Hp));
      float* d = all.d + i * all.d_row + units.unit;
      store(d + Hp, dz);
      store(d + 2 * Hp, dn);
    }
  }
  // sums: the gradient of r*h.
  static void backward_second(const CellContext& cell, const Rows& all, long count, Units units, const float* sums,
                              long row) {
    for (long i = 0; i < count; ++i) {
      Vector r = load(all.gates + i * all.gates_row + units.unit);
      Vector before = load_first(all.h_prev + i * all.h_row + units.unit, units.count);
      Vector drh = load(sums + i * row);
      store(all.d + i * all.d_row + units.unit, drh * before * r * (1.0f - r));
      float* direct = all.direct + i * cell.Hp + units.unit;
      store(direct, load(direct) + drh * r);
    }
  }
};

// n = tanh(W_n x + b_n + U_n h). Slots z, n.
struct GruNone {
  static constexpr int kSlots = 2, kGates = 2, kInputGates = 2, kStateFirst = 0, kStateGates = 2;
  static constexpr int kSecond = -1, kSecondOperand = -1, kCell = -1;
  static constexpr Slot kSlotOf[] = {{0, true, 'h'}, {1, true, 'h'}};

  static void forward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      float* gates = all.gates + i * all.gates_row + units.unit;
      Vector z = sigmoid(load(gates) + load(sums + i * row));
      Vector n = tanh(load(gates + Hp) + load(sums + i * row + kLanes));
      store(gates, z);
      store(gates + Hp, n);
      GruOutput::forward(all, i, units, z, n);
    }
  }
  static void backward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      const float* gates = all.gates + i * all.gates_row + units.unit;
      auto [dz, dn] = GruOutput::backward(cell, all, i, units, sums + i * row, load(gates), load(gates + Hp));
      float* d = all.d + i * all.d_row + units.unit;
      store(d, dz);
      store(d + Hp, dn);
    }
  }
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
