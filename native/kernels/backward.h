// Backward: back-propagation through time of one layer in one direction.
//
// Time is cut into stretches and worked on from the last step (of the recurrence) to the
// first. In a stretch each share of the work takes its own rows of the batch through the steps: the gradient of the
// sums before the gates (d, in slots) of one step, times U, gives that of the hidden state a step earlier, and
// the cell's derivative follows at once on each tile. Then, while d of the stretch is hot, the shares have parts of
// dx = d W and of the sums over rows dW = dᵀ x, dU = dᵀ h. Two buffers of d alternate, so threads meet once a
// stretch: phase i has the sums of stretch i - 1 and the steps of stretch i.
//
// Sums over rows are made stretch by stretch and then added up: one long running sum would lose accuracy.
#pragma once

#include "layout.h"
#include "rnn.h"
#include "row_sums.h"
#include "weights.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

template <class Cell>
class Backward {
 public:
  explicit Backward(const Recurrence& call)
      : plan_(call),
        call_(call),
        time_(call, workspace_),
        shares_(team_size(call, 2)),
        own_(time_, shares_, workspace_),
        stretches_(time_, !call.reverse, rows_of_a_stretch(), workspace_) {
    cell_ = CellContext{&call, plan_.Hp, nullptr, nullptr, nullptr, nullptr};
    chunk_rows_ = std::min(rows_of_a_stretch(), std::max<long>(call_.N, 1));
    pack();
    for (Chunk& chunk : chunks_) {
      chunk.d = workspace_.take(chunk_rows_ * plan_.d_row());
      chunk.take(plan_, workspace_, chunk_rows_);
      if (plan_.projected) chunk.dy = workspace_.take(chunk_rows_ * plan_.Pp);
    }
    const long tiles = Cell::kGates * Cut(call_.H, kSumRows).parts + (plan_.projected ? Cut(call_.P, kSumRows).parts : 0);
    left_ = workspace_.take(tiles * floats_of_tile(chunk_rows_));
    direct_ = workspace_.take_zeros(call_.B * plan_.direct_row());
    dc_ = Cell::kCell >= 0 ? workspace_.take_zeros(call_.B * plan_.Hp) : nullptr;
    if (Cell::kCell >= 0) {
      c0_ = workspace_.take(call_.B * plan_.Hp);
      pad_rows(c0_, call_.c0, call_.B, call_.H, plan_.Hp);
    }
  }

  void run() {
    if (call_.peepholes != Peepholes::kNone) {
      peephole_sums_ = workspace_.take_zeros(shares_ * 6 * plan_.Hp);
    }
    run_pass(*this, shares_, stretches_.count() + 1);
    if (peephole_sums_ && call_.dpeephole) write_peepholes();
  }

  void part(long phase, const Share& share) {
    if (phase > 0) sum_over_rows(chunk_of(phase - 1), phase == 1, share);
    const Range& own = own_.of(share);
    if (phase < stretches_.count()) return take_steps(phase, own, share);
    const long t = step_at(call_.T - 1);  // the rows that began at the very first step
    leave(own.first, std::min(own.last, time_.active(t)), t, chunk_of(phase - 1));
  }

 private:
  // Short stretches keep what a step and the sums share in the cache. Where the weights do not fit beside it anyway,
  // it costs more that every stretch reads and writes all their gradients.
  static constexpr long kRowsOfFew = 128, kRowsOfMany = 384, kManyWeights = 750'000;
  long rows_of_a_stretch() const {
    const long weights = Cell::kGates * call_.H * (call_.I + call_.P);
    return std::max<long>(weights > kManyWeights ? kRowsOfMany : kRowsOfFew, call_.B);
  }

  // What belongs to a stretch.
  struct Chunk : Operands {
    float* d = nullptr;   // [rows][kGates slots]
    float* dy = nullptr;  // [rows][Pp], with a projection: the gradient of what it gives
  };
  Chunk chunk_of(long number) const { return recurra::RECURRA_ISA_NAMESPACE::chunk_of(chunks_, stretches_, number); }

  void pack() {
    state_ = pack_gates_back(plan_, workspace_, call_.weight_hh, call_.P, Cell::kStateFirst, Cell::kStateGates);
    if (Cell::kSecond >= 0) second_ = pack_gates_back(plan_, workspace_, call_.weight_hh, call_.P, Cell::kSecond, 1);
    if (call_.dx) input_ = pack_gates_back(plan_, workspace_, call_.weight_ih, call_.I, 0, Cell::kInputGates);
    if (plan_.projected) projection_ = pack_projection_back(plan_, workspace_);
    pad_peepholes(cell_, call_, workspace_);
  }

  // The recurrence's steps from its last to its first.
  long step_at(long s) const { return call_.reverse ? s : call_.T - 1 - s; }

  void take_steps(long number, const Range& own, const Share& share) {
    CellContext cell = cell_;
    if (peephole_sums_) {
      float* sums = peephole_sums_ + share.rank * 6 * plan_.Hp;
      cell.dpeephole_i = sums;
      cell.dpeephole_f = sums + plan_.Hp;
      cell.dpeephole_o = sums + 2 * plan_.Hp;
    }
    const Stretch& stretch = stretches_[number];
    const Chunk before = chunk_of(number - 1), chunk = chunk_of(number);
    chunk.pack(plan_, time_, stretch.from, stretch.to, share);
    for (long s = stretch.first; s < stretch.last; ++s) {
      step(cell, own, s, chunk, s == stretch.first ? before : chunk);
    }
    if (peephole_sums_) add_up_peepholes(share.rank);
  }

  // One step: what flows back from the step after it (`before`, as worked on) meets the step's own gradients.
  void step(const CellContext& cell, const Range& own, long s, const Chunk& chunk, const Chunk& before) {
    const long t = step_at(s), past = call_.reverse ? t + 1 : t - 1;
    const long active = std::min(own.last, time_.active(t));
    long going = own.first;  // rows [own.first, going) come from the step worked on before
    if (s > 0) {
      const long after = step_at(s - 1), were = std::min(own.last, time_.active(after));
      going = std::max(own.first, std::min(were, active));
      leave(going, were, after, before);
    }
    // Rows with a step before this one, and rows that begin here, read different pasts.
    const long begun = std::max(own.first, std::min(active, time_.active(past)));
    for (const Range range : {Range{own.first, begun}, Range{begun, active}}) {
      if (range.count() == 0) continue;
      const bool starts = range.first >= begun;
      const Range go{range.first, std::min(range.last, going)}, enter{std::max(range.first, going), range.last};
      if (go.count()) flow_back(cell, go, t, past, starts, chunk, before, step_at(s - 1));
      if (enter.count()) begin_rows(cell, enter, t, past, starts, chunk);
      const Rows rows = rows_of(range.first, t, past, starts, chunk);
      if (plan_.projected) through_projection(cell, range, t, rows, chunk);
      if constexpr (Cell::kSecond >= 0) {
        multiply_then(rows.d + Cell::kSecond * plan_.Hp, rows.d_row, range.count(), second_,
                      [&](long row, long count, long vector, int width, const float* sums, long sums_row) {
                        const Rows here = rows.from(row, plan_.Hp, call_.H);
                        for (int v = 0; v < width; ++v) {
                          const Units units = units_of(vector + v, call_.H);
                          Cell::backward_second(cell, here, count, units, sums + v * kLanes, sums_row);
                          clear_padding(here, count, units, plan_.Hp, Cell::kGates);
                        }
                      });
      }
    }
  }

  Rows rows_of(long first, long t, long past, bool starts, const Chunk& chunk) const {
    Rows rows = plan_.rows_at(time_, call_.saved, 0, call_.saved, 0, c0_, t, first, starts, past);
    const long row = time_.offset(t) + first;
    rows.d = chunk.d + (row - chunk.first_row) * plan_.d_row();
    rows.d_row = plan_.d_row();
    rows.direct = direct_ + first * plan_.direct_row();
    if (Cell::kCell >= 0) rows.dc = dc_ + first * plan_.Hp;
    rows.h_own = plan_.saves() ? rows.gates : call_.y + row * call_.P;
    rows.h_own_row = plan_.saves() ? rows.gates_row : call_.P;
    if (call_.dy && !plan_.projected) rows.dy = call_.dy + row * call_.P;
    if (call_.dc_steps) rows.dc_steps = call_.dc_steps + row * call_.H;
    return rows;
  }

  const float* d_of(const Chunk& chunk, long first, long t) const {
    return chunk.d + (time_.offset(t) + first - chunk.first_row) * plan_.d_row() + Cell::kStateFirst * plan_.Hp;
  }

  // dh of these rows = d of the step `after` times U, and the cell's derivative on each tile of it.
  void flow_back(const CellContext& cell, const Range& range, long t, long past, bool starts, const Chunk& chunk,
                 const Chunk& before, long after) {
    const Rows rows = rows_of(range.first, t, past, starts, chunk);
    multiply_then(d_of(before, range.first, after), plan_.d_row(), range.count(), state_,
                  [&](long row, long count, long vector, int width, const float* sums, long sums_row) {
                    arrive(cell, rows, range.first + row, row, count, vector, width, sums, sums_row, t, chunk);
                  });
  }

  // dh of rows whose last step this is: the gradient of their final state.
  void begin_rows(const CellContext& cell, const Range& range, long t, long past, bool starts, const Chunk& chunk) {
    const Rows rows = rows_of(range.first, t, past, starts, chunk);
    if (Cell::kCell >= 0 && call_.dcT) {
      pad_rows(dc_ + range.first * plan_.Hp, call_.dcT + range.first * call_.H, range.count(), call_.H, plan_.Hp);
    }
    alignas(64) float sums[kLanes];
    for (long b = range.first; b < range.last; ++b) {
      for (long v = 0; v < plan_.state_vectors(); ++v) {
        store(sums, call_.dhT ? load_first(call_.dhT + b * call_.P + v * kLanes, call_.P - v * kLanes) : Vector{});
        arrive(cell, rows, b, b - range.first, 1, v, 1, sums, kLanes, t, chunk);
      }
    }
  }

  // The gradient of the hidden state has arrived for some rows and units.
  void arrive(const CellContext& cell, const Rows& rows, long b, long row, long count, long vector, int width,
              const float* sums, long sums_row, long t, const Chunk& chunk) {
    if (plan_.projected) {
      for (long r = 0; r < count; ++r) {
        const long all = time_.offset(t) + b + r;
        float* dy = chunk.dy + (all - chunk.first_row) * plan_.Pp;
        for (int v = 0; v < width; ++v) {
          const long p = (vector + v) * kLanes;
          Vector sum = load(sums + r * sums_row + v * kLanes);
          if (call_.dy) sum += load_first(call_.dy + all * call_.P + p, call_.P - p);
          store(dy + p, sum);
        }
      }
      return;
    }
    const Rows here = rows.from(row, plan_.Hp, call_.H);
    for (int v = 0; v < width; ++v) {
      const Units units = units_of(vector + v, call_.H);
      Cell::backward(cell, here, count, units, sums + v * kLanes, sums_row);
      clear_padding(here, count, units, plan_.Hp, Cell::kGates);
    }
  }

  void through_projection(const CellContext& cell, const Range& range, long t, const Rows& rows, const Chunk& chunk) {
    const long all = time_.offset(t) + range.first;
    float* dy = chunk.dy + (all - chunk.first_row) * plan_.Pp;
    if (call_.keep_hidden) {
      for (long r = 0; r < range.count(); ++r) {
        for (long p = 0; p < call_.P; p += kLanes) {
          float* direct = direct_ + (range.first + r) * plan_.direct_row() + p;
          Vector dh = load(dy + r * plan_.Pp + p) + load(direct);
          Vector stays = dh * load_first(call_.keep_hidden + (all + r) * call_.P + p, call_.P - p);
          store(direct, stays);
          store(dy + r * plan_.Pp + p, dh - stays);
        }
      }
    }
    if (Cell::kCell < 0) slope_of_output(call_.y + all * call_.P, dy, range.count());
    multiply_then(dy, plan_.Pp, range.count(), projection_,
                  [&](long row, long count, long vector, int width, const float* sums, long sums_row) {
                    const Rows here = rows.from(row, plan_.Hp, call_.H);
                    for (int v = 0; v < width; ++v) {
                      const Units units = units_of(vector + v, call_.H);
                      Cell::backward(cell, here, count, units, sums + v * kLanes, sums_row);
                      clear_padding(here, count, units, plan_.Hp, Cell::kGates);
                    }
                  });
  }

  void slope_of_output(const float* y, float* dy, long count) {
    const long P = call_.P;
    for (long r = 0; r < count; ++r, y += P, dy += plan_.Pp) {
      if (call_.output_activation == Activation::kSoftmax) {
        float mean = 0.0f;
        for (long p = 0; p < P; ++p) mean += y[p] * dy[p];
        for (long p = 0; p < P; ++p) dy[p] = y[p] * (dy[p] - mean);
      } else if (call_.output_activation != Activation::kIdentity) {
        for (long p = 0; p < P; p += kLanes) {
          store(dy + p, load(dy + p) * slope_at(call_.output_activation, load_first(y + p, P - p)));
        }
      }
    }
  }

  // Rows [first, last) of the batch began at step t: what flows on is the gradient of their initial state.
  void leave(long first, long last, long t, const Chunk& chunk) {
    if (first >= last) return;
    if (call_.dh0) {
      multiply_then(d_of(chunk, first, t), plan_.d_row(), last - first, state_,
                    [&](long row, long count, long vector, int width, const float* sums, long sums_row) {
                      for (long r = 0; r < count; ++r) {
                        for (int v = 0; v < width; ++v) {
                          const long p = (vector + v) * kLanes, b = first + row + r;
                          Vector dh = load(sums + r * sums_row + v * kLanes);
                          if (!plan_.projected || call_.keep_hidden) dh += load(direct_ + b * plan_.direct_row() + p);
                          store_first(call_.dh0 + b * call_.P + p, dh, call_.P - p);
                        }
                      }
                    });
    }
    plan_.write_initial_cell_gradient(first, last, dc_);
  }

  // dx = d W, dW += dᵀ x, dU += dᵀ h, and the biases, for the rows of a stretch.
  void sum_over_rows(const Chunk& chunk, bool first, const Share& share) {
    if (call_.dx) {
      write_input_gradient(chunk.d, plan_.d_row(), input_, call_.dx + chunk.first_row * call_.I, call_.I, chunk.rows, share);
    }
    // The rows of dW are cut into tiles of a few units of one slot; each share has its part of them. A tile's
    // numbers of d are laid out in the order of the product first, then panel after panel meets all tiles.
    const Cut units(call_.H, kSumRows);
    const Range mine = part_of(Cell::kGates * units.parts, share.rank, share.size);
    for (long task = mine.first; task < mine.last; ++task) {
      const int slot = static_cast<int>(task / units.parts);
      const long tile = task % units.parts;
      const Slot kind = Cell::kSlotOf[slot];
      pack_tile(chunk.d + slot * plan_.Hp + units.first(tile), plan_.d_row(), chunk.rows, units.width(tile), left_of(task),
                kind.block * call_.H + units.first(tile), first, kind.from_input ? call_.dbias_ih : nullptr,
                kind.from_state != '-' ? call_.dbias_hh : nullptr);
    }
    auto tiles_of_slots = [&](auto&& wanted) {
      return [&, wanted](auto&& then) {
        for (long task = mine.first; task < mine.last; ++task) {
          const Slot kind = Cell::kSlotOf[task / units.parts];
          const long tile = task % units.parts;
          if (wanted(kind)) then(left_of(task), kind.block * call_.H + units.first(tile), units.width(tile));
        }
      };
    };
    const auto of_x = tiles_of_slots([](const Slot& kind) { return kind.from_input; });
    const auto of_h = tiles_of_slots([](const Slot& kind) { return kind.from_state == 'h'; });
    const auto of_second = tiles_of_slots([](const Slot& kind) { return kind.from_state == 's'; });
    add_products(chunk.x, call_.I, call_.dweight_ih, chunk.rows, first, of_x);
    add_products(chunk.h, call_.P, call_.dweight_hh, chunk.rows, first, of_h);
    add_products(chunk.second, call_.H, call_.dweight_hh, chunk.rows, first, of_second);
    if (!plan_.projected || (!call_.dprojection && !call_.dprojection_bias)) return;
    const Cut outputs(call_.P, kSumRows);
    const long before = Cell::kGates * units.parts;  // the tiles of dW come first in the buffer
    const Range projected = part_of(outputs.parts, share.rank, share.size);
    for (long tile = projected.first; tile < projected.last; ++tile) {
      pack_tile(chunk.dy + outputs.first(tile), plan_.Pp, chunk.rows, outputs.width(tile), left_of(before + tile),
                outputs.first(tile), first, call_.dprojection_bias, nullptr);
    }
    add_products(chunk.own, call_.H, call_.dprojection, chunk.rows, first, [&](auto&& then) {
      for (long tile = projected.first; tile < projected.last; ++tile) {
        then(left_of(before + tile), outputs.first(tile), outputs.width(tile));
      }
    });
  }

  float* left_of(long tile) const { return left_ + tile * floats_of_tile(chunk_rows_); }

  // A share's sums of this stretch join its sums of all stretches.
  void add_up_peepholes(int rank) {
    float* chunk = peephole_sums_ + rank * 6 * plan_.Hp;
    float* total = chunk + 3 * plan_.Hp;
    for (long u = 0; u < 3 * plan_.Hp; u += kLanes) {
      store(total + u, load(total + u) + load(chunk + u));
      store(chunk + u, Vector{});
    }
  }

  void write_peepholes() {
    long block = 0;
    for (int which = call_.coupled_gates ? 1 : 0; which < 3; ++which, ++block) {
      for (long u = 0; u < call_.H; ++u) {
        float total = 0.0f;
        for (int rank = 0; rank < shares_; ++rank) total += peephole_sums_[((rank * 2 + 1) * 3 + which) * plan_.Hp + u];
        call_.dpeephole[block * call_.H + u] = total;
      }
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
  Panels state_, second_, input_, projection_;
  Chunk chunks_[2];
  float* left_ = nullptr;  // d of a stretch in the order of the tiles of dW
  float* direct_ = nullptr;
  float* dc_ = nullptr;
  float* c0_ = nullptr;
  float* peephole_sums_ = nullptr;
  long chunk_rows_ = 0;
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
