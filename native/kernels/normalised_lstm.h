// How the cell of a normalised LSTM comes out: h' = o*tanh(LN(c')*gain + shift). LN needs the whole of c' before
// the first number of h', so what is one functor in the plain LSTM is two here: gates and c', then h'.
#pragma once

#include "lstm.h"
#include "normalised.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// The gates' part, in the place of LstmOutput.
struct NormalisedLstmOutput {
  RECURRA_INLINE static void forward(const CellContext& cell, const Rows& all, long r, Units units, Vector i, Vector f,
                                     Vector g, Vector o_sum, float* o_slot, float* c_slot) {
    const Vector before = load(all.c_prev + r * all.c_prev_row + units.unit);
    const Vector c = f * before + i * g;
    store(o_slot, sigmoid(LstmOutput::peeped(cell, units, o_sum, before, c)));
    store(c_slot, c);
  }

  // sums: the gradient of c' through h', and a distance Hp further that of o's sum.
  RECURRA_INLINE static LstmOutput::Gradients backward(const CellContext& cell, const Rows& all, long r, Units units,
                                                       const float* sums, Vector i, Vector f, Vector g, Vector,
                                                       bool tied) {
    Vector dc = load(all.dc + r * cell.Hp + units.unit);
    if (all.dc_steps) dc += load_first(all.dc_steps + r * cell.call->H + units.unit, units.count);
    const Vector onwards = LstmOutput::stays_in_memory(cell, all, r, units, dc);
    const Vector before = load(all.c_prev + r * all.c_prev_row + units.unit);
    return LstmOutput::through_memory(cell, all, r, units, i, f, g, load(sums + cell.Hp), dc + load(sums), onwards, before,
                                      f * before + i * g, tied);
  }
};

// h' of one row from its o and c', and zoneout of both. c' in its slot becomes the state's.
template <class Cell>
inline void show_cell(const CellContext& cell, const Gains& gains, const Normals<Cell>& normals, const Rows& row) {
  const long H = cell.call->H, Hp = cell.Hp;
  float* slot = row.gates + Cell::kCell * Hp;
  const Moments moments = moments_of<1>(slot, in_blocks(Hp), H);
  normals.set_scale(kCellScale, moments.scale);
  float* normal = normals.cell();
  for (long u = 0; u < Hp; u += kLanes) {
    const long count = H - u;
    Vector c = load(slot + u);
    const Vector value = (c - moments.mean) * moments.scale;
    if (normal) store(normal + u, value);
    Vector h = load(row.gates + Cell::kO * Hp + u) *
               LstmOutput::squashed(cell, value * load(gains.cell + u) + load(gains.shift + u));
    if (row.keep_cell) c = kept(load_first(row.keep_cell + u, count), load(row.c_prev + u), c);
    if (row.keep_hidden) h = kept(load_first(row.keep_hidden + u, count), load_first(row.h_prev + u, count), h);
    if (row.keep_cell) store(slot + u, c);
    if (row.c_steps) store_first(row.c_steps + u, c, count);
    store_hidden(row, 0, Units{u, count}, h);
  }
}

// dh' of one row, [Hp], becomes the gradient of c' through h'; that of o's sum goes to the next Hp floats.
template <class Cell>
inline void show_cell_back(const CellContext& cell, const Gains& gains, const Normals<Cell>& normals, const Rows& row,
                           float* sums, float* dgain, float* dshift) {
  const long H = cell.call->H, Hp = cell.Hp;
  const float* normal = normals.cell();
  const bool squashed = cell.call->output_activation == Activation::kTanh;
  for (long u = 0; u < Hp; u += kLanes) {
    const long count = H - u;
    Vector dh = load(sums + u);
    if (row.dy) dh += load_first(row.dy + u, count);
    if (row.keep_hidden || cell.call->relevance_gate) {
      dh += load(row.direct + u);
      Vector stays{};
      if (row.keep_hidden) stays = dh * load_first(row.keep_hidden + u, count);
      store(row.direct + u, stays);
      dh -= stays;
    }
    const Vector o = load(row.gates + Cell::kO * Hp + u);
    const Vector out = LstmOutput::squashed(cell, load(normal + u) * load(gains.cell + u) + load(gains.shift + u));
    Vector through = dh * o;
    if (squashed) through -= through * out * out;
    store(sums + u, through);
    store(sums + Hp + u, dh * out * o * (1.0f - o));
    store(dshift + u, load(dshift + u) + through);
  }
  normalise_back(sums, normal, normals.scale(kCellScale), gains.cell, sums, dgain, Hp, H);
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
