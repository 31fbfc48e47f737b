// Weights and biases of one layer as forward and backward read them: packed, padded, added up.
#pragma once

#include "layout.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// For forward: panels whose columns are `gates` slots from `first_slot` on, from the rows of `weight` [G*H, depth].
// The slots lie one after the other, or `by_units` all gates of some units side by side.
template <class Cell>
Panels pack_gates(const Plan<Cell>& plan, Workspace& workspace, const float* weight, long depth, int first_slot, int gates,
                  bool by_units = false) {
  const long H = plan.call.H, vectors = plan.unit_vectors(), all = gates * vectors;
  float* data = workspace.take(Panels::floats(depth, all));
  for (int gate = 0; gate < gates; ++gate) {
    const float* block = weight + Cell::kSlotOf[first_slot + gate].block * H * depth;
    for (long v = 0; v < vectors; ++v) {
      PanelPlace place = place_in_panels(data, depth, all, by_units ? v * gates + gate : gate * vectors + v);
      pack_rows_as_vector(place.first, place.stride, block + v * kLanes * depth, depth, H - v * kLanes, depth);
    }
  }
  return Panels{data, depth, all};
}

// For forward: panels with the columns of the projection, padded to Pp.
template <class Cell>
Panels pack_projection(const Plan<Cell>& plan, Workspace& workspace) {
  const long H = plan.call.H, P = plan.call.P, vectors = plan.state_vectors();
  float* data = workspace.take(Panels::floats(H, vectors));
  for (long v = 0; v < vectors; ++v) {
    PanelPlace place = place_in_panels(data, H, vectors, v);
    pack_rows_as_vector(place.first, place.stride, plan.call.projection + v * kLanes * H, H, P - v * kLanes, H);
  }
  return Panels{data, H, vectors};
}

// What is added to the input's product, in kInputGates slots: bias_ih, and bias_hh where it is not inside a product.
template <class Cell>
const float* input_bias(const Plan<Cell>& plan, Workspace& workspace) {
  const Recurrence& call = plan.call;
  const long H = call.H, Hp = plan.Hp;
  float* bias = workspace.take(Cell::kInputGates * Hp);
  for (int slot = 0; slot < Cell::kInputGates; ++slot) {
    const Slot kind = Cell::kSlotOf[slot];
    pad_bias(bias + slot * Hp, call.bias_ih ? call.bias_ih + kind.block * H : nullptr, H, Hp);
    if (kind.from_state == '-' || !call.bias_hh) continue;
    for (long u = 0; u < H; ++u) bias[slot * Hp + u] += call.bias_hh[kind.block * H + u];
  }
  return bias;
}

// The state's own bias of the candidate, inside the reset product; null for cells without one.
template <class Cell>
const float* state_bias(const Plan<Cell>& plan, Workspace& workspace) {
  if (Cell::kGates == Cell::kInputGates) return nullptr;
  const Recurrence& call = plan.call;
  float* own = workspace.take(plan.Hp);
  pad_bias(own, call.bias_hh ? call.bias_hh + Cell::kSlotOf[Cell::kGates - 1].block * call.H : nullptr, call.H, plan.Hp);
  return own;
}

// What a cell adds beside the products; the call is still to be set.
template <class Cell>
CellContext cell_weights(const Plan<Cell>& plan, Workspace& workspace) {
  CellContext cell{nullptr, plan.Hp, state_bias(plan, workspace), nullptr, nullptr, nullptr};
  pad_peepholes(cell, plan.call, workspace);
  return cell;
}

// For backward: panels [rows of `slots`, columns] of blocks of a weight as it lies: k runs over slots and units.
template <class Cell>
Panels pack_gates_back(const Plan<Cell>& plan, Workspace& workspace, const float* weight, long columns, int first_slot,
                       int slots) {
  const long vectors = vectors_for(columns), depth = slots * plan.Hp, H = plan.call.H;
  const Cut cut(vectors, kPanelVectors);
  float* data = workspace.take(Panels::floats(depth, vectors));
  for (int slot = 0; slot < slots; ++slot) {
    const float* block = weight + Cell::kSlotOf[first_slot + slot].block * H * columns;
    for (long u = 0; u < plan.Hp; ++u) {
      pack_row_of_panels(data, depth, cut, slot * plan.Hp + u, block + u * columns, u < H ? columns : 0, 0, cut.parts);
    }
  }
  return Panels{data, depth, vectors};
}

// For backward: the projection [P, H] as it lies.
template <class Cell>
Panels pack_projection_back(const Plan<Cell>& plan, Workspace& workspace) {
  const long H = plan.call.H, P = plan.call.P, vectors = plan.unit_vectors();
  float* data = workspace.take(Panels::floats(P, vectors));
  const Cut cut(vectors, kPanelVectors);
  for (long p = 0; p < P; ++p) pack_row_of_panels(data, P, cut, p, plan.call.projection + p * H, H, 0, cut.parts);
  return Panels{data, P, vectors};
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
