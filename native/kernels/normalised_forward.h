// Forward with layer_norm. As in Forward the shares of the work have parts of the input product of a stretch of time
// and then take their own rows of the batch through its steps; but a row's sums must all be there before the first
// of them is normalised, so a step is two passes: the product for all rows, then the gates.
#pragma once

#include "normalised.h"
#include "normalised_lstm.h"
#include "rnn.h"
#include "weights.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// The weights of one layer and direction as it reads them.
template <class Cell>
struct NormalisedForwardWeights {
  // Packed into the workspace; the weights themselves may go.
  NormalisedForwardWeights(const Plan<Cell>& plan, Workspace& workspace) {
    const Recurrence& call = plan.call;
    gains = Gains::of(plan, workspace);
    bias = input_bias(plan, workspace);
    input = pack_gates(plan, workspace, call.weight_ih, call.I, 0, Cell::kInputGates);
    state = pack_gates(plan, workspace, call.weight_hh, call.P, Cell::kStateFirst, Cell::kStateGates, true);
    if (Cell::kSecond >= 0) second = pack_gates(plan, workspace, call.weight_hh, call.P, Cell::kSecond, 1);
    if (plan.projected) projection = pack_projection(plan, workspace);
    cell = cell_weights(plan, workspace);
  }

  Gains gains{};
  Panels input{}, state{}, second{}, projection{};
  const float* bias;
  CellContext cell{};  // without a call
};

template <class Cell>
class NormalisedForward {
 public:
  using Weights = NormalisedForwardWeights<Cell>;

  // All of them must outlive it.
  NormalisedForward(const Recurrence& call, const Weights& weights, Workspace& workspace)
      : weights_(weights),
        plan_(call),
        call_(call),
        time_(call, workspace),
        shares_(team_size(call, 1)),
        own_(time_, shares_, workspace),
        stretches_(time_, call.reverse, std::max<long>(kStretchRows, call.B), workspace),
        gates_(plan_, stretches_, std::max<long>(kStretchRows, call.B), workspace),
        cell_(weights.cell) {
    cell_.call = &call;
    sums_ = workspace.take(call_.B * sums_row());
    if (Cell::kCell >= 0) c0_ = workspace.take(call_.B * plan_.Hp);
  }

  // May be called again: x, the states and the outputs may be others then, the sizes not.
  void run() {
    if (Cell::kCell >= 0) pad_rows(c0_, call_.c0, call_.B, call_.H, plan_.Hp);
    run_pass(*this, shares_, stretches_.count() + 1);
  }

  void part(long phase, const Share& share) {
    gates_.part(phase, share, [&, own = own_.of(share)](auto... at) { step(own, at...); },
                [&](long first, long rows, float* gates) { multiply_input(call_.x + first * call_.I, rows, gates); });
  }

 private:
  static constexpr long kStretchRows = 256;
  static constexpr int kRowsAtOnce = 4;  // normalised, and then handed to the cell while they are near

  long sums_row() const { return Cell::kStateGates * plan_.Hp; }

  // LN(W x)*gain + b of some rows, into the slots of their gates.
  void multiply_input(const float* x, long count, float* gates) {
    const long Hp = plan_.Hp, row = plan_.gates_row();
    multiply_into(x, call_.I, count, weights_.input, nullptr, gates, row, Cell::kInputGates * Hp);
    for (long r = 0; r < count; ++r, gates += row) {
      const Normals<Cell> normals(plan_, gates);
      normals.set_scale(kInputScale, normalise<Cell::kInputGates, true>(gates, in_blocks(Hp), weights_.gains.input, weights_.bias,
                                                                        normals.input(), call_.H, Hp));
    }
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
    const long count = last - first, H = call_.H, P = call_.P, Hp = plan_.Hp, all = time_.offset(t) + first;
    Rows rows = plan_.rows_at(time_, gates, gates_first, previous, previous_first, c0_, t, first, starts, before);
    float* y = call_.y + all * P;
    rows.h = plan_.projected ? rows.gates + plan_.own_slot * Hp : y;
    rows.out_row = plan_.projected ? rows.gates_row : P;
    rows.h_is_padded = plan_.projected;
    if (call_.c_steps) rows.c_steps = call_.c_steps + all * H;
    float* sums = sums_ + first * sums_row();

    multiply_into(rows.h_prev, P, count, weights_.state, nullptr, sums, sums_row(), sums_row());
    for_tiles(count, kRowsAtOnce, [&](long row, int some) {
      normalise_rows<Cell::kStateGates>(rows, row, some, weights_.gains.state, sums, kStateScale);
      const Rows here = rows.from(row, Hp, H);
      for (long v = 0; v < plan_.unit_vectors(); ++v) {
        const float* own = sums + row * sums_row() + v * Cell::kStateGates * kLanes;
        if constexpr (Cell::kCell < 0) {
          Cell::forward(cell_, here, some, units_of(v, H), own, sums_row());
        } else {
          Cell::template forward<NormalisedLstmOutput>(cell_, here, some, units_of(v, H), own, sums_row());
        }
      }
      if constexpr (Cell::kCell >= 0 && Cell::kSecond < 0) show(here, some);
    });
    if constexpr (Cell::kSecond >= 0) multiply_second(rows, count, sums);
    if (!plan_.projected) return;
    multiply_into(rows.h, rows.out_row, count, weights_.projection, nullptr, y, P, P);
    if (call_.keep_hidden) keep_rows(call_.keep_hidden + all * P, rows.h_prev, y, count * P);
  }

  // sums of rows [row, row + count) become LN(sums)*gain.
  template <int kBlocks>
  void normalise_rows(const Rows& rows, long row, long count, const float* gain, float* sums, int scale) {
    for (long r = row; r < row + count; ++r) {
      const Normals<Cell> normals(plan_, rows.gates + r * rows.gates_row);
      float* normal = scale == kStateScale ? normals.state() : normals.second();
      normals.set_scale(scale, normalise<kBlocks, false>(sums + r * sums_row(), by_units(kBlocks), gain, nullptr, normal,
                                                         call_.H, plan_.Hp));
    }
  }

  void multiply_second(const Rows& rows, long count, float* sums) {
    const long H = call_.H, Hp = plan_.Hp;
    multiply_into(rows.gates + Cell::kSecondOperand * Hp, rows.gates_row, count, weights_.second, nullptr, sums, sums_row(), Hp);
    for_tiles(count, kRowsAtOnce, [&](long row, int some) {
      normalise_rows<1>(rows, row, some, weights_.gains.state + Cell::kSecond * Hp, sums, kSecondScale);
      const Rows here = rows.from(row, Hp, H);
      for (long v = 0; v < plan_.unit_vectors(); ++v) {
        const float* own = sums + row * sums_row() + v * kLanes;
        if constexpr (Cell::kCell < 0) {
          Cell::forward_second(cell_, here, some, units_of(v, H), own, sums_row());
        } else {
          Cell::template forward_second<NormalisedLstmOutput>(cell_, here, some, units_of(v, H), own, sums_row());
        }
      }
      if constexpr (Cell::kCell >= 0) show(here, some);
    });
  }

  void show(const Rows& rows, long count) {
    for (long r = 0; r < count; ++r) {
      const Rows row = rows.from(r, plan_.Hp, call_.H);
      show_cell<Cell>(cell_, weights_.gains, Normals<Cell>(plan_, row.gates), row);
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
  float* sums_ = nullptr;  // of each row of the batch, the products of one step: [B][kStateGates blocks]
  float* c0_ = nullptr;
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
