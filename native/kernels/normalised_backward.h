// Backward with layer_norm. As Backward, stretch by stretch from the last step to the first; but the gradient of a
// row's sums needs all numbers of the row, so a step is passes over its rows: dh = d U, the cell's
// derivative, and then normalisation back, once for what the state's product gave and once for the input's.
//
// The gradients of biases, gains, shift and peepholes are sums over rows that each share makes of its own rows,
// stretch by stretch and then added up: one long running sum would lose accuracy.
#pragma once

#include "normalised.h"
#include "normalised_lstm.h"
#include "rnn.h"
#include "row_sums.h"
#include "weights.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

template <class Cell>
class NormalisedBackward {
 public:
  explicit NormalisedBackward(const Recurrence& call)
      : plan_(call),
        call_(call),
        time_(call, workspace_),
        shares_(team_size(call, 2)),
        own_(time_, shares_, workspace_),
        stretches_(time_, !call.reverse, std::max<long>(kStretchRows, call.B), workspace_) {
    cell_ = CellContext{&call, plan_.Hp, nullptr, nullptr, nullptr, nullptr};
    chunk_rows_ = std::min(std::max<long>(kStretchRows, call_.B), std::max<long>(call_.N, 1));
    pack();
    for (Chunk& chunk : chunks_) {
      chunk.d = workspace_.take(chunk_rows_ * plan_.d_row());
      chunk.d_state = workspace_.take(chunk_rows_ * plan_.d_row());
      chunk.take(plan_, workspace_, chunk_rows_);
      if (plan_.projected) chunk.dy = workspace_.take(chunk_rows_ * plan_.Pp);
    }
    left_ = workspace_.take((input_tiles() + state_tiles() + Cut(call_.P, kSumRows).parts) * floats_of_tile(chunk_rows_));
    direct_ = workspace_.take_zeros(call_.B * plan_.direct_row());
    dh_ = workspace_.take(call_.B * dh_row());
    if (Cell::kCell < 0) return;
    dc_ = workspace_.take_zeros(call_.B * plan_.Hp);
    c0_ = workspace_.take(call_.B * plan_.Hp);
    pad_rows(c0_, call_.c0, call_.B, call_.H, plan_.Hp);
  }

  void run() {
    sums_ = workspace_.take_zeros(shares_ * 2 * kSums * plan_.Hp);
    run_pass(*this, shares_, stretches_.count() + 1);
    write_sums();
  }

  void part(long phase, const Share& share) {
    if (phase > 0) sum_over_rows(chunk_of(phase - 1), phase == 1, share);
    if (phase < stretches_.count()) return take_steps(phase, share);
    const long t = step_at(call_.T - 1);  // the rows that began at the very first step
    const Range& own = own_.of(share);
    leave(own.first, std::min(own.last, time_.active(t)), t, chunk_of(phase - 1));
  }

 private:
  static constexpr long kStretchRows = 256;
  static constexpr int kRowsAtOnce = 4;  // their numbers stay near from one pass to the next
  static constexpr int kStateSlots = Cell::kGates - Cell::kStateFirst;

  // A share's sums over rows, in blocks of Hp: of a stretch, then of all stretches.
  enum : long {
    kBias = 0,  // d of the normalised sums: slots
    kInputGain = kBias + Cell::kGates,
    kStateGain = kInputGain + Cell::kInputGates,  // slots from kStateFirst on
    kCellGain = kStateGain + kStateSlots,
    kCellShift,
    kPeepholes,  // i, f, o
    kSums = kPeepholes + 3
  };

  // What belongs to a stretch.
  struct Chunk : Operands {
    float* d = nullptr;        // [rows][kGates slots] as the cell leaves it; then, of the input's slots, d of W x
    float* d_state = nullptr;  // the same slots, d of U h
    float* dy = nullptr;       // [rows][Pp], with a projection: the gradient of what it gives
  };
  Chunk chunk_of(long number) const { return recurra::RECURRA_ISA_NAMESPACE::chunk_of(chunks_, stretches_, number); }

  // What a share works with.
  struct Own {
    Range rows;
    CellContext cell;
    float* sums;
  };

  // dh' of a row: [Pp], then [Hp]; the LSTM needs another Hp.
  long dh_row() const { return std::max(plan_.Pp, (Cell::kCell >= 0 ? 2 : 1) * plan_.Hp); }
  float* dh_of(long b) const { return dh_ + b * dh_row(); }

  void pack() {
    gains_ = Gains::of(plan_, workspace_);
    state_ = pack_gates_back(plan_, workspace_, call_.weight_hh, call_.P, Cell::kStateFirst, Cell::kStateGates);
    if (Cell::kSecond >= 0) second_ = pack_gates_back(plan_, workspace_, call_.weight_hh, call_.P, Cell::kSecond, 1);
    if (call_.dx) input_ = pack_gates_back(plan_, workspace_, call_.weight_ih, call_.I, 0, Cell::kInputGates);
    if (plan_.projected) projection_ = pack_projection_back(plan_, workspace_);
    pad_peepholes(cell_, call_, workspace_);
  }

  // The recurrence's steps from its last to its first.
  long step_at(long s) const { return call_.reverse ? s : call_.T - 1 - s; }

  void take_steps(long number, const Share& share) {
    Own own{own_.of(share), cell_, sums_ + share.rank * 2 * kSums * plan_.Hp};
    own.cell.dpeephole_i = own.sums + kPeepholes * plan_.Hp;
    own.cell.dpeephole_f = own.cell.dpeephole_i + plan_.Hp;
    own.cell.dpeephole_o = own.cell.dpeephole_f + plan_.Hp;
    const Stretch& stretch = stretches_[number];
    const Chunk before = chunk_of(number - 1), chunk = chunk_of(number);
    chunk.pack(plan_, time_, stretch.from, stretch.to, share);
    for (long s = stretch.first; s < stretch.last; ++s) step(own, s, chunk, s == stretch.first ? before : chunk);
    add_up(own.sums);
  }

  // One step: what flows back from the step after it (`before`, as worked on) meets the step's own gradients.
  void step(const Own& own, long s, const Chunk& chunk, const Chunk& before) {
    const long t = step_at(s), past = call_.reverse ? t + 1 : t - 1;
    const long active = std::min(own.rows.last, time_.active(t));
    long going = own.rows.first;  // rows up to here come from the step worked on before
    if (s > 0) {
      const long after = step_at(s - 1), were = std::min(own.rows.last, time_.active(after));
      going = std::max(own.rows.first, std::min(were, active));
      leave(going, were, after, before);
      if (going > own.rows.first) {
        multiply_into(d_of(before, own.rows.first, after), plan_.d_row(), going - own.rows.first, state_, nullptr,
                      dh_of(own.rows.first), dh_row(), plan_.Pp);
      }
    }
    begin_rows(going, active);
    // Rows with a step before this one, and rows that begin here, read different pasts.
    const long begun = std::max(own.rows.first, std::min(active, time_.active(past)));
    run_rows(own, Range{own.rows.first, begun}, t, past, false, chunk);
    run_rows(own, Range{begun, active}, t, past, true, chunk);
  }

  const float* d_of(const Chunk& chunk, long first, long t) const {
    return chunk.d_state + (time_.offset(t) + first - chunk.first_row) * plan_.d_row() + Cell::kStateFirst * plan_.Hp;
  }

  // dh of rows whose last step this is: the gradient of their final state.
  void begin_rows(long first, long last) {
    const long H = call_.H, P = call_.P;
    for (long b = first; b < last; ++b) {
      for (long p = 0; p < P; p += kLanes) store(dh_of(b) + p, call_.dhT ? load_first(call_.dhT + b * P + p, P - p) : Vector{});
      if (Cell::kCell >= 0 && call_.dcT) pad_rows(dc_ + b * plan_.Hp, call_.dcT + b * H, 1, H, plan_.Hp);
    }
  }

  void run_rows(const Own& own, const Range& range, long t, long past, bool starts, const Chunk& chunk) {
    const long count = range.count(), H = call_.H, Hp = plan_.Hp;
    if (count == 0) return;
    const Rows rows = rows_of(range.first, t, past, starts, chunk);
    float* d_state = chunk.d_state + (rows.d - chunk.d);
    float* dh = dh_of(range.first);
    if (plan_.projected) through_projection(range, t, chunk);
    for_tiles(count, kRowsAtOnce, [&](long row, int some) {
      const Rows here = rows.from(row, Hp, H);
      derive(own, here, some, dh + row * dh_row());
      if constexpr (Cell::kSecond < 0) normalise_back_rows(own, here, some, d_state + row * rows.d_row);
    });
    if constexpr (Cell::kSecond >= 0) {
      for (long r = 0; r < count; ++r) {
        const Normals<Cell> normals(plan_, rows.gates + r * rows.gates_row);
        const long place = r * rows.d_row + Cell::kSecond * Hp;
        normalise_back(rows.d + place, normals.second(), normals.scale(kSecondScale), gains_.state + Cell::kSecond * Hp,
                       d_state + place, own.sums + (kStateGain + Cell::kSecond) * Hp, Hp, H);
      }
      multiply_then(d_state + Cell::kSecond * Hp, rows.d_row, count, second_,
                    [&](long row, long some, long vector, int width, const float* sums, long sums_row) {
                      const Rows here = rows.from(row, Hp, H);
                      for (int v = 0; v < width; ++v) {
                        Cell::backward_second(own.cell, here, some, units_of(vector + v, H), sums + v * kLanes, sums_row);
                      }
                    });
      normalise_back_rows(own, rows, count, d_state);
    }
  }

  // The cell's derivative: from dh' of some rows to d of the normalised sums.
  void derive(const Own& own, const Rows& rows, long count, float* dh) {
    if constexpr (Cell::kCell >= 0) {
      for (long r = 0; r < count; ++r) {
        const Rows row = rows.from(r, plan_.Hp, call_.H);
        show_cell_back<Cell>(cell_, gains_, Normals<Cell>(plan_, row.gates), row, dh + r * dh_row(),
                             own.sums + kCellGain * plan_.Hp, own.sums + kCellShift * plan_.Hp);
      }
    }
    for (long v = 0; v < plan_.unit_vectors(); ++v) {
      if constexpr (Cell::kCell < 0) {
        Cell::backward(own.cell, rows, count, units_of(v, call_.H), dh + v * kLanes, dh_row());
      } else {
        Cell::template backward<NormalisedLstmOutput>(own.cell, rows, count, units_of(v, call_.H), dh + v * kLanes,
                                                      dh_row());
      }
    }
  }

  // From d of the normalised sums of some rows to d of both products.
  void normalise_back_rows(const Own& own, const Rows& rows, long count, float* d_state) {
    const long H = call_.H, Hp = plan_.Hp, first = Cell::kStateFirst * Hp;
    float* bias = own.sums + kBias * Hp;
    for (long r = 0; r < count; ++r) {
      const Normals<Cell> normals(plan_, rows.gates + r * rows.gates_row);
      float* d = rows.d + r * rows.d_row;
      for (long u = 0; u < plan_.d_row(); u += kLanes) store(bias + u, load(bias + u) + load(d + u));
      normalise_back(d + first, normals.state(), normals.scale(kStateScale), gains_.state, d_state + r * rows.d_row + first,
                     own.sums + kStateGain * Hp, Cell::kStateGates * Hp, Cell::kStateGates * H);
      normalise_back(d, normals.input(), normals.scale(kInputScale), gains_.input, d, own.sums + kInputGain * Hp,
                     Cell::kInputGates * Hp, Cell::kInputGates * H);
    }
  }

  Rows rows_of(long first, long t, long past, bool starts, const Chunk& chunk) const {
    Rows rows = plan_.rows_at(time_, call_.saved, 0, call_.saved, 0, c0_, t, first, starts, past);
    const long row = time_.offset(t) + first;
    rows.d = chunk.d + (row - chunk.first_row) * plan_.d_row();
    rows.d_row = plan_.d_row();
    rows.direct = direct_ + first * plan_.direct_row();
    if (Cell::kCell >= 0) rows.dc = dc_ + first * plan_.Hp;
    rows.h_own = call_.keep_hidden ? rows.gates : call_.y + row * call_.P;  // the RNN's
    rows.h_own_row = call_.keep_hidden ? rows.gates_row : call_.P;
    if (call_.dy && !plan_.projected) rows.dy = call_.dy + row * call_.P;
    if (call_.dc_steps) rows.dc_steps = call_.dc_steps + row * call_.H;
    return rows;
  }

  // dh' of these rows, P wide, becomes that of what was projected, H wide.
  void through_projection(const Range& range, long t, const Chunk& chunk) {
    const long all = time_.offset(t) + range.first, P = call_.P;
    float* first = chunk.dy + (all - chunk.first_row) * plan_.Pp;
    for (long r = 0; r < range.count(); ++r) {
      const float* dh = dh_of(range.first + r);
      float* dy = first + r * plan_.Pp;
      for (long p = 0; p < P; p += kLanes) {
        Vector sum = load(dh + p);
        if (call_.dy) sum += load_first(call_.dy + (all + r) * P + p, P - p);
        if (call_.keep_hidden) {
          float* direct = direct_ + (range.first + r) * plan_.direct_row() + p;
          sum += load(direct);
          const Vector stays = sum * load_first(call_.keep_hidden + (all + r) * P + p, P - p);
          store(direct, stays);
          sum -= stays;
        }
        store(dy + p, sum);
      }
    }
    multiply_into(first, plan_.Pp, range.count(), projection_, nullptr, dh_of(range.first), dh_row(), plan_.Hp);
  }

  // Rows [first, last) of the batch began at step t: what flows on is the gradient of their initial state.
  void leave(long first, long last, long t, const Chunk& chunk) {
    if (first >= last) return;
    const long P = call_.P;
    if (call_.dh0) {
      const bool has_direct = !plan_.projected || call_.keep_hidden;
      multiply_into(d_of(chunk, first, t), plan_.d_row(), last - first, state_, nullptr, call_.dh0 + first * P, P, P);
      for (long b = first; has_direct && b < last; ++b) {
        float* dh0 = call_.dh0 + b * P;
        const float* direct = direct_ + b * plan_.direct_row();
        for (long p = 0; p < P; p += kLanes) store_first(dh0 + p, load_first(dh0 + p, P - p) + load(direct + p), P - p);
      }
    }
    plan_.write_initial_cell_gradient(first, last, dc_);
  }

  // dx = d W, dW += dᵀ x, dU += dᵀ h, for the rows of a stretch.
  void sum_over_rows(const Chunk& chunk, bool first, const Share& share) {
    if (call_.dx) {
      write_input_gradient(chunk.d, plan_.d_row(), input_, call_.dx + chunk.first_row * call_.I, call_.I, chunk.rows, share);
    }
    const auto always = [](const Slot&) { return true; };
    const auto of_h = [](const Slot& kind) { return kind.from_state == 'h'; };
    const auto of_second = [](const Slot& kind) { return kind.from_state == 's'; };
    if (chunk.x) {
      const Tiles tiles = lay_out(chunk.d, chunk.rows, 0, Cell::kInputGates, 0, share);
      add_products(chunk.x, call_.I, call_.dweight_ih, chunk.rows, first, each_of(tiles, always));
    }
    if (chunk.h) {
      const Tiles tiles = lay_out(chunk.d_state, chunk.rows, Cell::kStateFirst, kStateSlots, input_tiles(), share);
      add_products(chunk.h, call_.P, call_.dweight_hh, chunk.rows, first, each_of(tiles, of_h));
      add_products(chunk.second, call_.H, call_.dweight_hh, chunk.rows, first, each_of(tiles, of_second));
    }
    if (!chunk.own) return;
    const Cut outputs(call_.P, kSumRows);
    const Range mine = part_of(outputs.parts, share.rank, share.size);
    const long before = input_tiles() + state_tiles();
    for (long tile = mine.first; tile < mine.last; ++tile) {
      pack_tile(chunk.dy + outputs.first(tile), plan_.Pp, chunk.rows, outputs.width(tile), left_of(before + tile), 0, first,
                nullptr, nullptr);
    }
    add_products(chunk.own, call_.H, call_.dprojection, chunk.rows, first, [&](auto&& then) {
      for (long tile = mine.first; tile < mine.last; ++tile) {
        then(left_of(before + tile), outputs.first(tile), outputs.width(tile));
      }
    });
  }

  long input_tiles() const { return Cell::kInputGates * Cut(call_.H, kSumRows).parts; }
  long state_tiles() const { return kStateSlots * Cut(call_.H, kSumRows).parts; }
  float* left_of(long tile) const { return left_ + tile * floats_of_tile(chunk_rows_); }

  // A share's tiles of some slots of a d; tile `at` is the first of all shares'.
  struct Tiles {
    Range mine;
    int first_slot;
    long at;
  };

  Tiles lay_out(const float* d, long rows, int first_slot, int slots, long at, const Share& share) {
    const Cut units(call_.H, kSumRows);
    const Range mine = part_of(slots * units.parts, share.rank, share.size);
    for (long task = mine.first; task < mine.last; ++task) {
      const long slot = first_slot + task / units.parts, tile = task % units.parts;
      pack_tile(d + slot * plan_.Hp + units.first(tile), plan_.d_row(), rows, units.width(tile), left_of(at + task), 0, true,
                nullptr, nullptr);
    }
    return {mine, first_slot, at};
  }

  template <class Wanted>
  auto each_of(const Tiles& tiles, Wanted wanted) const {
    return [this, tiles, wanted](auto&& then) {
      const Cut units(call_.H, kSumRows);
      for (long task = tiles.mine.first; task < tiles.mine.last; ++task) {
        const Slot kind = Cell::kSlotOf[tiles.first_slot + task / units.parts];
        const long tile = task % units.parts;
        if (wanted(kind)) then(left_of(tiles.at + task), kind.block * call_.H + units.first(tile), units.width(tile));
      }
    };
  }

  // A share's sums of this stretch join its sums of all stretches.
  void add_up(float* chunk) const {
    float* total = chunk + kSums * plan_.Hp;
    for (long u = 0; u < kSums * plan_.Hp; u += kLanes) {
      store(total + u, load(total + u) + load(chunk + u));
      store(chunk + u, Vector{});
    }
  }

  // The shares' sums of one block, together.
  void write_sum(float* to, long sum) const {
    for (long u = 0; u < call_.H; ++u) {
      float total = 0.0f;
      for (int rank = 0; rank < shares_; ++rank) total += sums_[((rank * 2 + 1) * kSums + sum) * plan_.Hp + u];
      to[u] = total;
    }
  }

  void write_sums() const {
    const long H = call_.H;
    for (int slot = 0; slot < Cell::kGates; ++slot) {
      const Slot kind = Cell::kSlotOf[slot];
      const long place = kind.block * H;
      if (call_.dbias_ih && kind.from_input) write_sum(call_.dbias_ih + place, kBias + slot);
      if (call_.dbias_hh && kind.from_state != '-') write_sum(call_.dbias_hh + place, kBias + slot);
      if (call_.dgain_ih && kind.from_input) write_sum(call_.dgain_ih + place, kInputGain + slot);
      if (call_.dgain_hh && kind.from_state != '-') {
        write_sum(call_.dgain_hh + place, kStateGain + slot - Cell::kStateFirst);
      }
    }
    if (Cell::kCell < 0) return;
    if (call_.dgain_cell) write_sum(call_.dgain_cell, kCellGain);
    if (call_.dshift_cell) write_sum(call_.dshift_cell, kCellShift);
    if (call_.peepholes == Peepholes::kNone || !call_.dpeephole) return;
    long block = 0;
    for (int which = call_.coupled_gates ? 1 : 0; which < 3; ++which, ++block) {
      write_sum(call_.dpeephole + block * H, kPeepholes + which);
    }
  }

  Workspace workspace_;
  Plan<Cell> plan_;
  const Recurrence& call_;
  Timeline time_;
  const int shares_;
  const OwnRows own_;
  const Stretches stretches_;
  CellContext cell_{};
  Gains gains_{};
  Panels state_, second_, input_, projection_;
  Chunk chunks_[2];
  float* left_ = nullptr;    // d of a chunk in the order of the tiles of dW and dU
  float* direct_ = nullptr;  // of each row of the batch, what of dh goes to the step before unmultiplied
  float* dh_ = nullptr;
  float* dc_ = nullptr;
  float* c0_ = nullptr;
  float* sums_ = nullptr;
  long chunk_rows_ = 0;
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
