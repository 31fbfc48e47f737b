// Where the rows of a recurrence lie in time and memory, and which of them a share of the work has.
#pragma once

#include <algorithm>
#include <cstring>

#include "../parallel.h"
#include "rows.h"

#ifndef RECURRA_WORTH_A_THREAD
#define RECURRA_WORTH_A_THREAD 4e6  // operations; the tests set it lower
#endif

namespace recurra::RECURRA_ISA_NAMESPACE {

// Steps, rows and stretches of time. Memory for the offsets comes from the workspace.
class Timeline {
 public:
  Timeline(const Recurrence& call, Workspace& workspace) : T(call.T), B(call.B), sizes_(call.batch_sizes) {
    if (!sizes_) return;
    offsets_ = reinterpret_cast<std::int64_t*>(workspace.take(2 * (T + 1)));
    offsets_[0] = 0;
    for (long t = 0; t < T; ++t) offsets_[t + 1] = offsets_[t] + sizes_[t];
  }
  // The first row of step t among all rows; for t = T their number.
  long offset(long t) const { return offsets_ ? offsets_[t] : t * B; }
  // How many rows of the batch take step t; none outside 0..T-1.
  long active(long t) const { return t < 0 || t >= T ? 0 : (sizes_ ? sizes_[t] : B); }

  const long T, B;

 private:
  const std::int64_t* sizes_;
  std::int64_t* offsets_ = nullptr;
};

struct Range {
  long first, last;  // the last is not in it
  long count() const { return last > first ? last - first : 0; }
};

// Part `rank` of `size` equal parts of 0..count-1, cut at multiples of `grain`.
inline Range part_of(long count, int rank, int size, long grain = 1) {
  const long grains = (count + grain - 1) / grain;
  auto cut = [&](long at) { return std::min(count, grains * at / size * grain); };
  return {cut(rank), cut(rank + 1)};
}

// The rows of the batch that a share has, so that all shares take about as many steps.
inline Range own_rows(const Timeline& time, int rank, int size) {
  if (size == 1) return {0, time.B};
  const long all = time.offset(time.T);
  if (all == time.T * time.B) return part_of(time.B, rank, size);
  auto cut = [&](int at) {
    if (at == size) return time.B;
    long lasting = time.T, done = 0, row = 0;  // row `row` lasts `lasting` steps
    for (; row < time.B; ++row) {
      while (lasting > 0 && time.active(lasting - 1) <= row) --lasting;
      if (done + lasting > all * at / size) break;
      done += lasting;
    }
    return row;
  };
  return {cut(rank), cut(rank + 1)};
}

// Steps that are worked on together: [first, last) in the order of work, and which steps and rows those are.
struct Stretch {
  long first, last;
  long from, to;  // steps [from, to)
  long first_row, rows;
};

// All steps cut into stretches of about `rows` rows each, one step at least; from the last step on where `falling`.
class Stretches {
 public:
  Stretches(const Timeline& time, bool falling, long rows, Workspace& workspace) {
    for (long begin = 0; begin < time.T; ++count_) begin = end_of(time, falling, begin, rows);
    stretches_ = reinterpret_cast<Stretch*>(workspace.take(count_ * static_cast<long>(sizeof(Stretch) / sizeof(float))));
    long begin = 0;
    for (long i = 0; i < count_; ++i) {
      const long end = end_of(time, falling, begin, rows);
      const long from = falling ? time.T - end : begin, to = falling ? time.T - begin : end;
      stretches_[i] = Stretch{begin, end, from, to, time.offset(from), time.offset(to) - time.offset(from)};
      begin = end;
    }
  }
  long count() const { return count_; }
  const Stretch& operator[](long number) const { return stretches_[number]; }

 private:
  static long end_of(const Timeline& time, bool falling, long begin, long rows) {
    // `begin` counts steps worked on; step(s) is T-1-s where falling, else s.
    long s = begin, sum = 0;
    while (s < time.T) {
      const long more = time.active(falling ? time.T - 1 - s : s);
      if (s > begin && sum + more > rows) break;
      sum += more;
      ++s;
    }
    return s;
  }

  long count_ = 0;
  Stretch* stretches_ = nullptr;
};

// The rows of each of `shares` shares.
class OwnRows {
 public:
  OwnRows(const Timeline& time, int shares, Workspace& workspace)
      : ranges_(reinterpret_cast<Range*>(workspace.take(shares * static_cast<long>(sizeof(Range) / sizeof(float))))) {
    for (int rank = 0; rank < shares; ++rank) ranges_[rank] = own_rows(time, rank, shares);
  }
  const Range& of(const Share& share) const { return ranges_[share.rank]; }

 private:
  Range* ranges_;
};

// How many shares a call is cut into: each must be enough to do to make up for waking and awaiting a thread.
// `times`: backward does about twice as much as forward. Rows of the batch are shared out; a batch of one
// row leaves only the products over all steps to share, of backward: two threads were as fast as one at
// (T, I, H) = (100, 256, 256) and (400, 128, 128), slower by a tenth at (100, 128, 128).
inline int team_size(const Recurrence& call, int times) {
  constexpr double kWorthAThread = RECURRA_WORTH_A_THREAD;
  const double work = 8.0 * times * static_cast<double>(call.N) * static_cast<double>(call.H) *
                      static_cast<double>(call.I + call.P);
  const long most = call.B == 1 && times == 1 ? 1 : call.threads;
  const long worth = static_cast<long>(work / (call.B == 1 ? 32 * kWorthAThread : kWorthAThread));
  return static_cast<int>(std::max(1L, std::min(most, worth)));
}

// Rows of `count` numbers, one after the other, from rows `apart` floats apart.
inline void copy_rows(float* to, const float* from, long rows, long count, long apart) {
  for (long row = 0; row < rows; ++row) {
    std::memcpy(to + row * count, from + row * apart, static_cast<std::size_t>(count) * sizeof(float));
  }
}

// The slots and packed gates that a cell and its options come to.
template <class Cell>
struct Plan {
  explicit Plan(const Recurrence& call)
      : call(call),
        Hp(round_up(call.H, kLanes)),
        Pp(round_up(call.P, kLanes)),
        projected(call.projection != nullptr),
        // A projection needs the hidden value itself; the RNN has its slot, the LSTM gets one more.
        own_slot(projected ? (Cell::kCell < 0 ? 0 : Cell::kSlots) : -1),
        slots(Cell::kSlots + (projected && Cell::kCell >= 0 ? 1 : 0)) {}

  const Recurrence& call;
  const long Hp, Pp;
  const bool projected;
  const int own_slot;
  const long slots;

  // What layer_norm saves after a row's slots: the normalised sums, in blocks of Hp, and 1/σ of each normalisation.
  static constexpr int kInputNormal = 0, kStateNormal = Cell::kInputGates;
  static constexpr int kCellNormal = kStateNormal + Cell::kGates - Cell::kStateFirst;
  static constexpr int kNormals = kCellNormal + (Cell::kCell >= 0 ? 1 : 0);
  static constexpr long kScales = kLanes;  // input, state, second product, cell
  long normals_row() const { return call.layer_norm && call.training ? kNormals * Hp + kScales : 0; }

  long gates_row() const { return slots * Hp + normals_row(); }
  long d_row() const { return Cell::kGates * Hp; }
  // Of the gradients that go to the step before unmultiplied: those of the state, which may be wider than H.
  long direct_row() const { return std::max(Hp, Pp); }
  long unit_vectors() const { return Hp / kLanes; }
  long state_vectors() const { return Pp / kLanes; }
  // The RNN's slot is of use afterwards only where y is not the cell's own value.
  bool saves() const {
    return call.training && (Cell::kSlots > 1 || projected || call.layer_norm || call.keep_hidden != nullptr);
  }
  long saved_floats_a_row() const { return saves() ? gates_row() : 0; }

  // Rows [first, …) of the batch at step t, with what comes before them at `before` (a step), or at the start
  // where `starts`. `c0` is the initial memory cell, rows Hp apart.
  Rows rows_at(const Timeline& time, float* gates, long gates_first_row, const float* previous_gates,
               long previous_first_row, const float* c0, long t, long first, bool starts, long before) const {
    Rows rows;
    const long row = time.offset(t) + first;
    rows.h_row = call.P;
    rows.gates_row = gates_row();
    rows.gates = gates + (row - gates_first_row) * rows.gates_row;
    const long previous = starts ? 0 : time.offset(before) + first;
    rows.h_prev = starts ? call.h0 + first * call.P : call.y + previous * call.P;
    if (Cell::kCell >= 0) {
      rows.c_prev = starts ? c0 + first * Hp : previous_gates + (previous - previous_first_row) * rows.gates_row + Cell::kCell * Hp;
      rows.c_prev_row = starts ? Hp : rows.gates_row;
    }
    if (call.keep_hidden && !projected) rows.keep_hidden = call.keep_hidden + row * call.P;
    if (call.keep_cell) rows.keep_cell = call.keep_cell + row * call.H;
    return rows;
  }

  // The final states of rows [first, last) of the batch, whose last step is t.
  void write_final_states(const Timeline& time, long first, long last, long t, const float* gates, long gates_first_row) const {
    if (first >= last) return;
    const long row = time.offset(t) + first;
    if (call.hT) copy_rows(call.hT + first * call.P, call.y + row * call.P, last - first, call.P, call.P);
    if (Cell::kCell < 0) return;
    const float* c = gates + (row - gates_first_row) * gates_row() + Cell::kCell * Hp;
    copy_rows(call.cT + first * call.H, c, last - first, call.H, gates_row());
  }

  // The gradient of the initial memory cells of rows [first, last), which has arrived in `dc`, rows Hp apart.
  void write_initial_cell_gradient(long first, long last, const float* dc) const {
    if (Cell::kCell >= 0 && call.dc0) copy_rows(call.dc0 + first * call.H, dc + first * Hp, last - first, call.H, Hp);
  }
};

// Where the gates of each stretch lie, forwards: in what is saved for backward; or else in three buffers in turn, as
// while one thread fills the next, another may still be reading the memory cell of the last step of the one before.
template <class Cell>
class GatesInTime {
 public:
  // `rows`: the most of a stretch. Plan and stretches must outlive it.
  GatesInTime(const Plan<Cell>& plan, const Stretches& stretches, long rows, Workspace& workspace)
      : plan_(plan), stretches_(stretches) {
    if (plan.saves()) return;
    for (float*& buffer : buffers_) buffer = workspace.take(std::min(rows, plan.call.N) * plan.gates_row());
  }
  GatesInTime(const GatesInTime&) = delete;

  // Phase i of a share: step(t, gates, their first row, gates of the step before, their first row) for the steps of
  // stretch i - 1, then multiply(first row, rows, gates) for its part of the input product of stretch i.
  template <class Step, class Multiply>
  void part(long phase, const Share& share, const Step& step, const Multiply& multiply) const {
    if (phase > 0) for_steps(phase - 1, step);
    if (phase == stretches_.count()) return;
    const Stretch& stretch = stretches_[phase];
    const Range mine = part_of(stretch.rows, share.rank, share.size, kRowsOfTile[kPanelVectors]);
    const long first = stretch.first_row + mine.first;
    multiply(first, mine.count(), of(phase) + (first - first_row(phase)) * plan_.gates_row());
  }

 private:
  float* of(long number) const { return plan_.saves() ? plan_.call.saved : buffers_[number % 3]; }
  // The row that lies first there.
  long first_row(long number) const { return plan_.saves() ? 0 : stretches_[number].first_row; }

  template <class Step>
  void for_steps(long number, const Step& step) const {
    const Stretch& stretch = stretches_[number];
    for (long s = stretch.first; s < stretch.last; ++s) {
      const long before = number > 0 && s == stretch.first ? number - 1 : number;
      step(plan_.call.reverse ? plan_.call.T - 1 - s : s, of(number), first_row(number), of(before), first_row(before));
    }
  }

  const Plan<Cell>& plan_;
  const Stretches& stretches_;
  float* buffers_[3] = {};
};

// Rows of `count` numbers, padded with zeros to `padded`.
inline void pad_rows(float* to, const float* from, long rows, long count, long padded) {
  for (long row = 0; row < rows; ++row) {
    for (long u = 0; u < padded; u += kLanes) store(to + row * padded + u, load_first(from + row * count + u, count - u));
  }
}

// A bias of one block, padded with zeros to vectors; null counts as zero.
inline void pad_bias(float* to, const float* from, long H, long Hp) {
  for (long u = 0; u < Hp; u += kLanes) store(to + u, from ? load_first(from + u, H - u) : Vector{});
}

// The peepholes' three vectors, padded. Their order is i, f, o; with coupled gates f, o.
inline void pad_peepholes(CellContext& cell, const Recurrence& call, Workspace& workspace) {
  if (call.peepholes == Peepholes::kNone) return;
  const float* from = call.peephole;
  float* padded = workspace.take(3 * cell.Hp);
  cell.peephole_i = padded;
  cell.peephole_f = padded + cell.Hp;
  cell.peephole_o = padded + 2 * cell.Hp;
  long block = 0;
  for (int which = call.coupled_gates ? 1 : 0; which < 3; ++which, ++block) {
    pad_bias(padded + which * cell.Hp, from + block * call.H, call.H, cell.Hp);
  }
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
