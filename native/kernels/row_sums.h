// Sums over the rows of a stretch, dW += dᵀ x: what both ways of backward share.
//
// The rows of dW are cut into tiles of a few units. A tile's numbers of d are laid out in the order of the
// product first; then panel after panel of what the weights multiplied meets all tiles of a share.
#pragma once

#include "layout.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// A tile's numbers of one row are copied as one vector.
constexpr int kSumRows = kRowsOfTile[kPanelVectors] < kLanes ? kRowsOfTile[kPanelVectors] : kLanes;

// Floats that a tile takes whose rows are `depth` deep.
constexpr long floats_of_tile(long depth) { return depth * kSumRows + kLanes; }

// left[k*count + r] = d[k*d_row + r]; the sums over k are added to the biases at `row`.
inline void pack_tile(const float* d, long d_row, long depth, long count, float* left, long row, bool first, float* bias,
                      float* other_bias) {
  Vector total{};
  for (long begin = 0; begin < depth; begin += 64) {  // sums of sums: one long sum would lose accuracy
    Vector part{};
    for (long k = begin; k < std::min(begin + 64, depth); ++k) {
      const Vector numbers = load(d + k * d_row);  // some more than count; the next row's overwrite them
      store(left + k * count, numbers);
      part += numbers;
    }
    total += part;
  }
  for (float* to : {bias, other_bias}) {
    if (to) store_first(to + row, first ? total : total + load_first(to + row, count), count);
  }
}

// dx = d W for a share's part of a stretch's rows.
inline void write_input_gradient(const float* d, long d_row, const Panels& weights, float* dx, long I, long rows,
                                 const Share& share) {
  const Range mine = part_of(rows, share.rank, share.size, kRowsOfTile[kPanelVectors]);
  multiply_into(d + mine.first * d_row, d_row, mine.count(), weights, nullptr, dx + mine.first * I, I, I);
}

// gradient[row + r] (+)= Σ_k left[k*count + r] panels[k] for every tile that `each` names; rows of `columns`.
template <class Each>
void add_products(const float* panels, long columns, float* gradient, long depth, bool first, const Each& each) {
  if (!panels || !gradient) return;
  TileSums sums;
  const Cut cut(vectors_for(columns), kPanelVectors);
  for (long part = 0; part < cut.parts; ++part) {
    const long vector = cut.first(part);
    const int width = static_cast<int>(cut.width(part));
    const float* panel = panels + vector * kLanes * depth;
    each([&](const float* left, long row, long count) {
      float* const place = gradient + row * columns + vector * kLanes;
      fetch_place(place, columns, count, width);
      multiply(width, static_cast<int>(count), Tile{left, 1, count, panel, depth, nullptr, sums.floats, width * kLanes, kLanes});
      for (long r = 0; r < count; ++r) {
        for (int v = 0; v < width; ++v) {
          const long column = (vector + v) * kLanes, valid = columns - column;
          float* to = place + r * columns + v * kLanes;
          Vector sum = load(sums.floats + (r * width + v) * kLanes);
          store_first(to, first ? sum : sum + load_first(to, valid), valid);
        }
      }
    });
  }
}

// What the weights multiplied in the rows of a stretch, packed in panels, a row a k: x, the hidden states before each
// step, the second product's operand, the hidden values that were projected. Null where no gradient needs it.
struct Operands {
  long first_row = 0, rows = 0;  // of the stretch
  float* x = nullptr;
  float* h = nullptr;
  float* second = nullptr;
  float* own = nullptr;

  // Room for `rows` rows.
  template <class Cell>
  void take(const Plan<Cell>& plan, Workspace& workspace, long rows) {
    const Recurrence& call = plan.call;
    auto panels = [&](long columns) { return workspace.take(Panels::floats(rows, vectors_for(columns))); };
    if (call.dweight_ih) x = panels(call.I);
    if (call.dweight_hh) h = panels(call.P);
    if (call.dweight_hh && Cell::kSecond >= 0) second = panels(call.H);
    if (plan.projected && call.dprojection) own = panels(call.H);
  }

  // Packs a share's part of the columns for the rows of steps [from, to).
  template <class Cell>
  void pack(const Plan<Cell>& plan, const Timeline& time, long from, long to, const Share& share) const {
    const Recurrence& call = plan.call;
    const long first_row = time.offset(from), rows = time.offset(to) - first_row, P = call.P;
    auto pack = [&](float* panels, long columns, auto&& source) {
      if (!panels) return;
      const Cut cut(vectors_for(columns), kPanelVectors);
      const Range mine = part_of(cut.parts, share.rank, share.size);
      for (long t = from; t < to; ++t) {
        for (long b = 0; b < time.active(t); ++b) {
          const long row = time.offset(t) + b;
          pack_row_of_panels(panels, rows, cut, row - first_row, source(t, b, row), columns, mine.first, mine.last);
        }
      }
    };
    pack(x, call.I, [&](long, long, long row) { return call.x + row * call.I; });
    pack(h, P, [&](long t, long b, long) {
      const long past = call.reverse ? t + 1 : t - 1;
      return b < time.active(past) ? call.y + (time.offset(past) + b) * P : call.h0 + b * P;
    });
    pack(second, call.H,
         [&](long, long, long row) { return call.saved + row * plan.gates_row() + Cell::kSecondOperand * plan.Hp; });
    pack(own, call.H, [&](long, long, long row) { return call.saved + row * plan.gates_row() + plan.own_slot * plan.Hp; });
  }
};

// What belongs to a stretch, of two that alternate; of the one before the first, nothing.
template <class Chunk>
Chunk chunk_of(const Chunk (&both)[2], const Stretches& stretches, long number) {
  if (number < 0) return Chunk{};
  Chunk chunk = both[number % 2];
  chunk.first_row = stretches[number].first_row;
  chunk.rows = stretches[number].rows;
  return chunk;
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
