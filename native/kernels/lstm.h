// The long short-term memory cell: c' = f*c + i*g; h' = o*tanh c', with peepholes, coupled gates, a relevance
// gate, and without the tanh of the output where asked.
#pragma once

#include "rows.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// Slots: [i,] f, o [, r], g and the new c [, r*h]; without the relevance gate in the order of the weights, so
// that what both products add to stands side by side. `Output` is how c' comes out as h'.
template <bool kCoupled, bool kRelevance>
struct Lstm;

struct LstmOutput {
  RECURRA_INLINE static Vector squashed(const CellContext& cell, Vector c) {
    return cell.call->output_activation == Activation::kTanh ? tanh(c) : c;
  }

  // The sum of the output gate with what it sees of the memory.
  RECURRA_INLINE static Vector peeped(const CellContext& cell, Units units, Vector o_sum, Vector before, Vector c) {
    switch (cell.call->peepholes) {
      case Peepholes::kNone: break;
      case Peepholes::kCurrent: o_sum += load(cell.peephole_o + units.unit) * c; break;
      case Peepholes::kPrevious: o_sum += load(cell.peephole_o + units.unit) * before; break;
    }
    return o_sum;
  }

  // From the gates (i, f, g done; o still a sum) to c' and h'. Stores o, c' and h'.
  RECURRA_INLINE static void forward(const CellContext& cell, const Rows& all, long r, Units units, Vector i, Vector f,
                                     Vector g, Vector o_sum, float* o_slot, float* c_slot) {
    Vector before = load(all.c_prev + r * all.c_prev_row + units.unit);
    Vector c = f * before + i * g;
    Vector o = sigmoid(peeped(cell, units, o_sum, before, c));
    Vector h = o * squashed(cell, c);
    if (all.keep_cell) c = kept(load_first(all.keep_cell + r * cell.call->H + units.unit, units.count), before, c);
    if (all.keep_hidden) {
      h = kept(load_first(all.keep_hidden + r * all.h_row + units.unit, units.count),
               load_first(all.h_prev + r * all.h_row + units.unit, units.count), h);
    }
    store(o_slot, o);
    store(c_slot, c);
    if (all.c_steps) store_first(all.c_steps + r * cell.call->H + units.unit, c, units.count);
    store_hidden(all, r, units, h);
  }

  struct Gradients {
    Vector di, df, dg, do_;
  };
  // From dh' and dc' to the gradients of the gates' sums; the gradient of c goes to dc. `tied`: i = 1 - f,
  // and df holds the whole of both.
  RECURRA_INLINE static Gradients backward(const CellContext& cell, const Rows& all, long r, Units units,
                                           const float* sums, Vector i, Vector f, Vector g, Vector o, bool tied) {
    Vector dh = load(sums);
    if (all.dy) dh += load_first(all.dy + r * all.h_row + units.unit, units.count);
    float* direct = all.direct + r * cell.Hp + units.unit;
    float* memory = all.dc + r * cell.Hp + units.unit;
    Vector dc = load(memory);
    if (all.dc_steps) dc += load_first(all.dc_steps + r * cell.call->H + units.unit, units.count);
    if (all.keep_hidden || cell.call->relevance_gate) {
      dh += load(direct);
      Vector stays{};
      if (all.keep_hidden) stays = dh * load_first(all.keep_hidden + r * all.h_row + units.unit, units.count);
      store(direct, stays);
      dh -= stays;
    }
    Vector onwards = stays_in_memory(cell, all, r, units, dc);
    Vector before = load(all.c_prev + r * all.c_prev_row + units.unit);
    Vector c = f * before + i * g;
    Vector out = squashed(cell, c);
    Vector do_ = dh * out * o * (1.0f - o);
    Vector through = dh * o;
    dc += cell.call->output_activation == Activation::kTanh ? through - through * out * out : through;
    return through_memory(cell, all, r, units, i, f, g, do_, dc, onwards, before, c, tied);
  }

  // What of dc' goes to the step before as zoneout kept it; dc is left with the rest.
  RECURRA_INLINE static Vector stays_in_memory(const CellContext& cell, const Rows& all, long r, Units units, Vector& dc) {
    if (!all.keep_cell) return Vector{};
    Vector stays = dc * load_first(all.keep_cell + r * cell.call->H + units.unit, units.count);
    dc -= stays;
    return stays;
  }

  // From the gradients of c' and of o's sum to those of the other gates' sums; `onwards` and what flows through the
  // gates to c goes to dc.
  RECURRA_INLINE static Gradients through_memory(const CellContext& cell, const Rows& all, long r, Units units, Vector i,
                                                 Vector f, Vector g, Vector do_, Vector dc, Vector onwards, Vector before,
                                                 Vector c, bool tied) {
    const bool peeps = cell.call->peepholes != Peepholes::kNone;
    if (cell.call->peepholes == Peepholes::kCurrent) dc += load(cell.peephole_o + units.unit) * do_;
    Vector di = dc * g * i * (1.0f - i);
    Vector df = tied ? dc * (before - g) * f * (1.0f - f) : dc * before * f * (1.0f - f);
    Vector dg = dc * i * (1.0f - g * g);
    onwards += dc * f;
    if (peeps) {
      if (!tied) {
        onwards += load(cell.peephole_i + units.unit) * di;
        float* sum_i = cell.dpeephole_i + units.unit;
        store(sum_i, load(sum_i) + di * before);
      }
      onwards += load(cell.peephole_f + units.unit) * df;
      float* sum_f = cell.dpeephole_f + units.unit;
      float* sum_o = cell.dpeephole_o + units.unit;
      store(sum_f, load(sum_f) + df * before);
      const bool current = cell.call->peepholes == Peepholes::kCurrent;
      if (!current) onwards += load(cell.peephole_o + units.unit) * do_;
      store(sum_o, load(sum_o) + do_ * (current ? c : before));
    }
    store(all.dc + r * cell.Hp + units.unit, onwards);
    return {di, df, dg, do_};
  }

  RECURRA_INLINE static Vector peep(const CellContext& cell, const Rows& all, long r, Units units, const float* peephole) {
    if (cell.call->peepholes == Peepholes::kNone) return Vector{};
    return load(peephole + units.unit) * load(all.c_prev + r * all.c_prev_row + units.unit);
  }
};

// i, f, g, o; coupled f, g, o.
template <bool kCoupled>
struct Lstm<kCoupled, false> {
  static constexpr int kF = kCoupled ? 0 : 1, kG = kF + 1, kO = kF + 2;
  static constexpr int kGates = kCoupled ? 3 : 4, kInputGates = kGates, kStateFirst = 0, kStateGates = kGates;
  static constexpr int kCell = kGates, kSlots = kGates + 1;
  static constexpr int kSecond = -1, kSecondOperand = -1;
  static constexpr Slot kSlotOf[] = {{0, true, 'h'}, {1, true, 'h'}, {2, true, 'h'}, {3, true, 'h'}};

  template <class Output = LstmOutput>
  static void forward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    for (long r = 0; r < count; ++r) {
      float* gates = all.gates + r * all.gates_row + units.unit;
      const float* own = sums + r * row;
      Vector f = sigmoid(load(gates + kF * Hp) + load(own + kF * kLanes) +
                         LstmOutput::peep(cell, all, r, units, cell.peephole_f));
      Vector g = tanh(load(gates + kG * Hp) + load(own + kG * kLanes));
      Vector i = 1.0f - f;
      if (!kCoupled) {
        i = sigmoid(load(gates) + load(own) + LstmOutput::peep(cell, all, r, units, cell.peephole_i));
        store(gates, i);
      }
      store(gates + kF * Hp, f);
      store(gates + kG * Hp, g);
      Output::forward(cell, all, r, units, i, f, g, load(gates + kO * Hp) + load(own + kO * kLanes),
                          gates + kO * Hp, gates + kCell * Hp);
    }
  }

  template <class Output = LstmOutput>
  static void backward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    for (long r = 0; r < count; ++r) {
      const float* gates = all.gates + r * all.gates_row + units.unit;
      Vector f = load(gates + kF * Hp);
      Vector i = kCoupled ? 1.0f - f : load(gates);
      auto [di, df, dg, do_] = Output::backward(cell, all, r, units, sums + r * row, i, f, load(gates + kG * Hp),
                                                    load(gates + kO * Hp), kCoupled);
      float* d = all.d + r * all.d_row + units.unit;
      if (!kCoupled) store(d, di);
      store(d + kF * Hp, df);
      store(d + kG * Hp, dg);
      store(d + kO * Hp, do_);
    }
  }
};

// A relevance gate r on h inside the candidate: g = tanh(W_g x + b_g + U_g (r*h)). i, f, o, r, g.
template <>
struct Lstm<false, true> {
  static constexpr int kGates = 5, kInputGates = 5, kStateFirst = 0, kStateGates = 4, kO = 2;
  static constexpr int kSecond = 4, kCell = 5, kSecondOperand = 6, kSlots = 7;
  static constexpr Slot kSlotOf[] = {{0, true, 'h'}, {1, true, 'h'}, {3, true, 'h'}, {4, true, 'h'}, {2, true, 's'}};

  template <class = LstmOutput>
  static void forward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      float* gates = all.gates + i * all.gates_row + units.unit;
      const float* own = sums + i * row;
      store(gates, sigmoid(load(gates) + load(own) + LstmOutput::peep(cell, all, i, units, cell.peephole_i)));
      store(gates + Hp, sigmoid(load(gates + Hp) + load(own + kLanes) +
                                LstmOutput::peep(cell, all, i, units, cell.peephole_f)));
      store(gates + 2 * Hp, load(gates + 2 * Hp) + load(own + 2 * kLanes));
      Vector r = sigmoid(load(gates + 3 * Hp) + load(own + 3 * kLanes));
      store(gates + 3 * Hp, r);
      store(gates + 6 * Hp, r * load_first(all.h_prev + i * all.h_row + units.unit, units.count));
    }
  }
  template <class Output = LstmOutput>
  static void forward_second(const CellContext& cell, const Rows& all, long count, Units units, const float* sums,
                             long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      float* gates = all.gates + i * all.gates_row + units.unit;
      Vector g = tanh(load(gates + 4 * Hp) + load(sums + i * row));
      store(gates + 4 * Hp, g);
      Output::forward(cell, all, i, units, load(gates), load(gates + Hp), g, load(gates + 2 * Hp), gates + 2 * Hp,
                          gates + 5 * Hp);
    }
  }

  template <class Output = LstmOutput>
  static void backward(const CellContext& cell, const Rows& all, long count, Units units, const float* sums, long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      const float* gates = all.gates + i * all.gates_row + units.unit;
      auto [di, df, dg, do_] = Output::backward(cell, all, i, units, sums + i * row, load(gates), load(gates + Hp),
                                                    load(gates + 4 * Hp), load(gates + 2 * Hp), false);
      float* d = all.d + i * all.d_row + units.unit;
      store(d, di);
      store(d + Hp, df);
      store(d + 2 * Hp, do_);
      store(d + 4 * Hp, dg);
    }
  }
  // sums: the gradient of r*h.
  static void backward_second(const CellContext& cell, const Rows& all, long count, Units units, const float* sums,
                              long row) {
    const long Hp = cell.Hp;
    for (long i = 0; i < count; ++i) {
      Vector r = load(all.gates + i * all.gates_row + 3 * Hp + units.unit);
      Vector before = load_first(all.h_prev + i * all.h_row + units.unit, units.count);
      Vector drh = load(sums + i * row);
      store(all.d + i * all.d_row + 3 * Hp + units.unit, drh * before * r * (1.0f - r));
      float* direct = all.direct + i * Hp + units.unit;
      store(direct, load(direct) + drh * r);
    }
  }
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
