// What a cell sees of a recurrence: some rows of the batch at one step, and the numbers around them.
//
// H padded to whole vectors is Hp. The gates of a row are saved in slots of Hp floats, one after the
// other; each cell says what its slots hold. Where H is no multiple of the vector the padding of every
// slot is computed along: its weights are zero, and nothing reads it into a result.
#pragma once

#include "../recurrence.h"
#include "packing.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// One slot of a row, as a product sees it.
struct Slot {
  int block;        // the row block of the weights
  bool from_input;  // weight_ih times x is in it
  char from_state;  // 'h': weight_hh times h; 's': weight_hh times the second product's operand; '-': neither
};

// What all rows share.
struct CellContext {
  const Recurrence* call;
  long Hp;
  const float* state_bias;  // GRU, reset after: bias_hh of n, [Hp]
  const float* peephole_i;  // LSTM, [Hp] each, null without peepholes
  const float* peephole_f;
  const float* peephole_o;
  float* dpeephole_i = nullptr;  // backward: one thread's sums, [Hp] each
  float* dpeephole_f = nullptr;
  float* dpeephole_o = nullptr;
};

struct Rows {
  long h_row = 0;      // distance between the rows of h_prev, h and dy: P
  long gates_row = 0;  // of gates
  float* gates = nullptr;
  const float* h_prev = nullptr;
  const float* c_prev = nullptr;  // LSTM
  long c_prev_row = 0;
  const float* keep_hidden = nullptr;  // rows P apart; null without zoneout
  const float* keep_cell = nullptr;    // rows H apart
  // forward
  float* h = nullptr;  // where the cell's hidden value goes: y, or a slot that is projected yet
  long out_row = 0;
  bool h_is_padded = false;  // a slot is, y is not
  float* c_steps = nullptr;  // rows H apart
  // backward
  const float* h_own = nullptr;  // the cell's hidden value, for the RNN's derivative
  long h_own_row = 0;
  float* d = nullptr;  // gradients of the sums before the gates: slots, as the cell orders them
  long d_row = 0;
  float* direct = nullptr;  // what of dh goes to the step before unmultiplied: rows Hp apart
  float* dc = nullptr;      // rows Hp apart; dc' in, dc out
  const float* dy = nullptr;        // rows P apart
  const float* dc_steps = nullptr;  // rows H apart

  // The same from row `r` on.
  Rows from(long r, long Hp, long H) const {
    Rows rows = *this;
    rows.gates += r * gates_row;
    rows.h_prev += r * h_row;
    if (c_prev) rows.c_prev += r * c_prev_row;
    if (keep_hidden) rows.keep_hidden += r * h_row;
    if (keep_cell) rows.keep_cell += r * H;
    if (h) rows.h += r * out_row;
    if (c_steps) rows.c_steps += r * H;
    if (h_own) rows.h_own += r * h_own_row;
    if (d) rows.d += r * d_row;
    if (direct) rows.direct += r * Hp;
    if (dc) rows.dc += r * Hp;
    if (dy) rows.dy += r * h_row;
    if (dc_steps) rows.dc_steps += r * H;
    return rows;
  }
};

// Units [unit, unit + kLanes) of the hidden layer, the first `count` of them real.
struct Units {
  long unit;
  long count;
};
RECURRA_INLINE Units units_of(long vector, long H) { return {vector * kLanes, H - vector * kLanes}; }

// Zeros in the padding of d, slots of Hp floats, for some rows. An infinite input leaves NaN there (the padding's
// weights are zero, and 0·inf is NaN), which d W and d U would spread.
inline void clear_padding(const Rows& all, long count, Units units, long Hp, int slots) {
  if (units.count >= kLanes) return;
  for (long r = 0; r < count; ++r) {
    for (int slot = 0; slot < slots; ++slot) {
      float* d = all.d + r * all.d_row + slot * Hp + units.unit;
      store(d, load_first(d, units.count));
    }
  }
}

RECURRA_INLINE void store_hidden(const Rows& all, long r, Units units, Vector h) {
  store_first(all.h + r * all.out_row + units.unit, h, all.h_is_padded ? kLanes : units.count);
}

// What a row keeps of its old state (zoneout): m·old + (1 - m)·new.
// Exactly the one or the other where m is 1 or 0, however far apart the two are.
RECURRA_INLINE Vector kept(Vector m, Vector before, Vector now) { return m * before + (1.0f - m) * now; }

// The same for `count` numbers in a row: `now` keeps of `before` what `keep` says.
inline void keep_rows(const float* keep, const float* before, float* now, long count) {
  for (long p = 0; p < count; p += kLanes) {
    const long valid = count - p;
    store_first(now + p, kept(load_first(keep + p, valid), load_first(before + p, valid), load_first(now + p, valid)), valid);
  }
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
