// Forward: all steps of one layer in one direction.
//
// Time is cut into stretches. The input product of a stretch, W x + b for all its rows, goes straight into the
// slots of the gates; the shares of the work have parts of its rows. Then each share takes its own rows of the batch
// through the stretch's steps: U h in tiles, and the gates of a tile at once while its sums are hot. So threads meet
// once a stretch, never at a step: phase i has the steps of stretch i - 1 and the input product of stretch i.
#pragma once

#include <cmath>

#include "layout.h"
#include "rnn.h"
#include "weights.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// The weights of one layer and direction as forward reads them.
template <class Cell>
struct ForwardWeights {
  // So many vectors of units make a tile, with all their gates.
  static constexpr long kUnitVectors = kPanelVectors > Cell::kStateGates ? kPanelVectors / Cell::kStateGates : 1;

  // Packed into the workspace; the weights themselves may go.
  ForwardWeights(const Plan<Cell>& plan, Workspace& workspace) {
    const Recurrence& call = plan.call;
    const long H = call.H, P = call.P, vectors = plan.unit_vectors();
    bias = input_bias(plan, workspace);
    input = pack_gates(plan, workspace, call.weight_ih, call.I, 0, Cell::kInputGates);
    float* tiles = workspace.take(Cell::kStateGates * plan.Hp * P);
    const Cut cut(vectors, kUnitVectors);
    for (int gate = 0; gate < Cell::kStateGates; ++gate) {
      const float* block = call.weight_hh + Cell::kSlotOf[Cell::kStateFirst + gate].block * H * P;
      for (long v = 0; v < vectors; ++v) {
        const long part = cut.of(v), first = cut.first(part);
        float* to = tiles + (first * P + v - first) * Cell::kStateGates * kLanes + gate * kLanes;
        pack_rows_as_vector(to, cut.width(part) * Cell::kStateGates * kLanes, block + v * kLanes * P, P, H - v * kLanes, P);
      }
    }
    state = tiles;
    if (Cell::kSecond >= 0) second = pack_gates(plan, workspace, call.weight_hh, P, Cell::kSecond, 1);
    if (plan.projected) {
      projection = pack_projection(plan, workspace);
      float* padded = workspace.take(plan.Pp);
      pad_bias(padded, call.projection_bias, P, plan.Pp);
      projection_bias = padded;
    }
    cell = cell_weights(plan, workspace);
  }

  Panels input{};      // columns: kInputGates slots of Hp
  const float* bias;   // as the columns of input
  const float* state;  // by tile of units: [P][units of the tile][kStateGates vectors]
  Panels second{};
  Panels projection{};                     // columns: Pp
  const float* projection_bias = nullptr;  // [Pp]
  CellContext cell{};                      // without a call
};

template <class Cell>
class Forward {
 public:
  using Weights = ForwardWeights<Cell>;

  // All of them must outlive it.
  Forward(const Recurrence& call, const Weights& weights, Workspace& workspace)
      : weights_(weights),
        plan_(call),
        call_(call),
        time_(call, workspace),
        shares_(team_size(call, 1)),
        own_(time_, shares_, workspace),
        stretches_(time_, call.reverse, rows_of_a_stretch(), workspace),
        gates_(plan_, stretches_, rows_of_a_stretch(), workspace),
        cell_(weights.cell) {
    cell_.call = &call;
    if (Cell::kCell >= 0) c0_ = workspace.take(call_.B * plan_.Hp);
  }

  // May be called again: x, the states and the outputs may be others then, the sizes not.
  void run() {
    if (Cell::kCell >= 0) pad_rows(c0_, call_.c0, call_.B, call_.H, plan_.Hp);
    run_pass(*this, shares_, stretches_.count() + 1);
  }

  void part(long phase, const Share& share) {
    gates_.part(phase, share, [&, own = own_.of(share)](auto... at) { step(own, at...); },
                [&](long first, long rows, float* gates) { multiply_input(first, rows, gates); });
  }

 private:
  static constexpr long kStretchRows = 256;

  long rows_of_a_stretch() const { return std::max<long>(plan_.saves() ? kStretchRows : kStretchRows / 2, call_.B); }

  void multiply_input(long first, long rows, float* gates) const {
    multiply_into(call_.x + first * call_.I, call_.I, rows, weights_.input, weights_.bias, gates, plan_.gates_row(),
                  Cell::kInputGates * plan_.Hp);
  }

  void step(const Range& own, long t, float* gates, long gates_first, const float* previous, long previous_first) {
    const long before = call_.reverse ? t + 1 : t - 1;
    const long last = std::min(own.last, time_.active(t));
    // Rows that have a past come first; backwards in time shorter rows begin later.
    const long begun = std::max(own.first, std::min(last, time_.active(before)));
    run_rows(gates, gates_first, previous, previous_first, t, own.first, begun, false, before);
    run_rows(gates, gates_first, previous, previous_first, t, begun, last, true, before);
    const long next = call_.reverse ? t - 1 : t + 1;
    plan_.write_final_states(time_, std::max(own.first, time_.active(next)), last, t, gates, gates_first);
  }

  void run_rows(float* gates, long gates_first, const float* previous, long previous_first, long t, long first,
                long last, bool starts, long before) {
    if (first >= last) return;
    const long count = last - first, H = call_.H, P = call_.P, Hp = plan_.Hp;
    Rows rows = plan_.rows_at(time_, gates, gates_first, previous, previous_first, c0_, t, first, starts, before);
    float* y = call_.y + (time_.offset(t) + first) * P;
    rows.h = plan_.projected ? rows.gates + plan_.own_slot * Hp : y;
    rows.out_row = plan_.projected ? rows.gates_row : P;
    rows.h_is_padded = plan_.projected;
    if (call_.c_steps) rows.c_steps = call_.c_steps + (time_.offset(t) + first) * H;

    TileSums sums;
    const Cut cut(plan_.unit_vectors(), Weights::kUnitVectors);
    for (long part = 0; part < cut.parts; ++part) {
      const long vector = cut.first(part), blocks = cut.width(part);
      const int width = static_cast<int>(blocks) * Cell::kStateGates;
      const float* panel = weights_.state + vector * P * Cell::kStateGates * kLanes;
      const long next = part + 1 < cut.parts ? part + 1 : 0;
      ReadAhead ahead(weights_.state + cut.first(next) * P * Cell::kStateGates * kLanes,
                      P * cut.width(next) * Cell::kStateGates * kLanes, tiles_of(count, kRowsOfTile[width]));
      for_tiles(count, kRowsOfTile[width], [&](long row, int tile_rows) {
        // The input's part of the sums.
        for (long v = 0; v < blocks; ++v) {
          fetch_place(rows.gates + row * rows.gates_row + (vector + v) * kLanes, rows.gates_row, tile_rows, Cell::kInputGates, Hp);
        }
        multiply(width, tile_rows, Tile{rows.h_prev + row * P, P, 1, panel, P, nullptr, sums.floats, width * kLanes, kLanes,
                                        ahead.next(P)});
        const Rows here = rows.from(row, Hp, H);
        for (long block = 0; block < blocks; ++block) {
          Cell::forward(cell_, here, tile_rows, units_of(vector + block, H),
                        sums.floats + block * Cell::kStateGates * kLanes, width * kLanes);
        }
      });
    }
    if constexpr (Cell::kSecond >= 0) {
      multiply_then(rows.gates + Cell::kSecondOperand * Hp, rows.gates_row, count, weights_.second,
                    [&](long row, long tile_rows, long vector, int width, const float* sums, long sums_row) {
                      const Rows here = rows.from(row, Hp, H);
                      for (int v = 0; v < width; ++v) {
                        Cell::forward_second(cell_, here, tile_rows, units_of(vector + v, H), sums + v * kLanes, sums_row);
                      }
                    });
    }
    if (plan_.projected) {
      multiply_into(rows.h, rows.out_row, count, weights_.projection, weights_.projection_bias, y, P, P);
      if (Cell::kCell < 0) activate_output(y, count);
      if (call_.keep_hidden) keep_rows(call_.keep_hidden + (time_.offset(t) + first) * P, rows.h_prev, y, count * P);
    }
  }

  void activate_output(float* y, long count) {
    const long P = call_.P;
    for (long r = 0; r < count; ++r, y += P) {
      if (call_.output_activation == Activation::kSoftmax) {
        float largest = y[0], total = 0.0f;
        for (long p = 1; p < P; ++p) largest = std::max(largest, y[p]);
        for (long p = 0; p < P; ++p) total += (y[p] = std::exp(y[p] - largest));
        for (long p = 0; p < P; ++p) y[p] /= total;
      } else if (call_.output_activation != Activation::kIdentity) {
        for (long p = 0; p < P; p += kLanes) {
          store_first(y + p, activate(call_.output_activation, load_first(y + p, P - p)), P - p);
        }
      }
    }
  }

  const Weights& weights_;
  Plan<Cell> plan_;
  const Recurrence& call_;
  Timeline time_;
  const int shares_;
  const OwnRows own_;
  const Stretches stretches_;
  const GatesInTime<Cell> gates_;
  CellContext cell_;
  float* c0_ = nullptr;
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
