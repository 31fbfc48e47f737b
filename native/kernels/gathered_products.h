// Products of few gathered rows: the inner loops of word vectors. A side is a list of addresses of rows.
#pragma once

#include <utility>

#include "simd.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

template <int Distance, std::size_t... Lane>
RECURRA_INLINE Vector exchanged(Vector x, std::index_sequence<Lane...>) {
  return __builtin_shufflevector(x, x, static_cast<int>(Lane ^ Distance)...);
}
// The lanes of `a` where the bit `Distance` of the lane's number is 0, those of `b` elsewhere.
template <int Distance, std::size_t... Lane>
RECURRA_INLINE Vector woven(Vector a, Vector b, std::index_sequence<Lane...>) {
  return __builtin_shufflevector(a, b, static_cast<int>((Lane & Distance) ? Lane + kLanes : Lane)...);
}

// The sums of kLanes vectors: lane i of the result is the sum of sums[i]. Overwrites sums.
template <int Distance = kLanes / 2>
RECURRA_INLINE Vector add_up(Vector* sums) {
  constexpr auto lanes = std::make_index_sequence<kLanes>();
  RECURRA_UNROLL
  for (int i = 0; i < Distance; ++i) {
    const Vector a = sums[i], b = sums[i + Distance];
    sums[i] = woven<Distance>(a, b, lanes) + exchanged<Distance>(woven<Distance>(b, a, lanes), lanes);
  }
  if constexpr (Distance > 1) return add_up<Distance / 2>(sums);
  return sums[0];
}

// sums[r * O + o]: a vector whose sum is left_r · right_o, over `vectors` whole vectors.
template <int R, int O>
RECURRA_INLINE void dot_tile(const float* const* left, const float* const* right, long vectors, Vector* sums) {
  Vector own[R * O];
  RECURRA_UNROLL
  for (int i = 0; i < R * O; ++i) own[i] = Vector{};
  for (long v = 0; v < vectors; ++v) {
    Vector rights[O];
    RECURRA_UNROLL
    for (int o = 0; o < O; ++o) rights[o] = load(right[o] + v * kLanes);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vector one = load(left[r] + v * kLanes);
      RECURRA_UNROLL
      for (int o = 0; o < O; ++o) own[r * O + o] += one * rights[o];
    }
  }
  RECURRA_UNROLL
  for (int i = 0; i < R * O; ++i) sums[i] = own[i];
}

constexpr int kTile = 4;

// The products of R rows on the left with O rows on the right: left_r · right_o is at scores[r * row + o], row a multiple
// of 4 that is at least O. What lies between O and row has no meaning.
inline void dot_products(const float* const* left, long R, const float* const* right, long O, long vectors,
                         float* scores, long row) {
  // Tiles of 4 x 4, or 2 x 4 with few registers; the rows that a tile lacks repeat its last one, and their sums
  // are not used.
  constexpr int kRows = kRegisters == 32 ? 4 : 2;
  constexpr int kSums = kRows * kTile;
  for (long r = 0; r < R; r += kRows) {
    const float* rows[kRows];
    for (int i = 0; i < kRows; ++i) rows[i] = left[r + i < R ? r + i : R - 1];
    const bool single = R - r == 1;
    for (long o = 0; o < O; o += kTile) {
      const float* columns[kTile];
      for (int i = 0; i < kTile; ++i) columns[i] = right[o + i < O ? o + i : O - 1];
      constexpr int kRoom = kSums > kLanes ? kSums : kLanes;
      Vector sums[kRoom];
      int count = kSums;
      if (single) {
        dot_tile<1, kTile>(rows, columns, vectors, sums);
        count = kTile;
      } else {
        dot_tile<kRows, kTile>(rows, columns, vectors, sums);
      }
      float found[kRoom];
      for (int i = 0; i < count; i += kLanes) {
        for (int k = count - i; k < kLanes; ++k) sums[i + k] = Vector{};
        store(found + i, add_up(sums + i));
      }
      const long last = R - r < kRows ? R - r : kRows;
      for (long i = 0; i < last; ++i) {
        for (int k = 0; k < kTile; ++k) scores[(r + i) * row + o + k] = found[i * kTile + k];
      }
    }
  }
}

// out_i += Σ_j factors[i * by_row + j * by_column] · in_j  for `count` rows out, or = where not `add`.
template <int Rows>
RECURRA_INLINE void combine_tile(float* const* out, const float* const* in, long J, const float* factors, long by_row,
                                 long by_column, long vectors, bool add) {
  for (long v = 0; v < vectors; ++v) {
    Vector sums[Rows];
    RECURRA_UNROLL
    for (int i = 0; i < Rows; ++i) sums[i] = add ? load(out[i] + v * kLanes) : Vector{};
    for (long j = 0; j < J; ++j) {
      const Vector row = load(in[j] + v * kLanes);
      const float* own = factors + j * by_column;
      RECURRA_UNROLL
      for (int i = 0; i < Rows; ++i) sums[i] += own[i * by_row] * row;
    }
    RECURRA_UNROLL
    for (int i = 0; i < Rows; ++i) store(out[i] + v * kLanes, sums[i]);
  }
}

// Rows of `out` that stand twice are added to twice: tiles of several rows then go one by one.
inline void combine(float* const* out, long I, const float* const* in, long J, const float* factors, long by_row,
                    long by_column, long vectors, bool add, bool distinct) {
  long i = 0;
  if (distinct) {
    for (; I - i >= 6; i += 6) combine_tile<6>(out + i, in, J, factors + i * by_row, by_row, by_column, vectors, add);
    if (I - i >= 4) {
      combine_tile<4>(out + i, in, J, factors + i * by_row, by_row, by_column, vectors, add);
      i += 4;
    }
    if (I - i >= 2) {
      combine_tile<2>(out + i, in, J, factors + i * by_row, by_row, by_column, vectors, add);
      i += 2;
    }
  }
  for (; i < I; ++i) combine_tile<1>(out + i, in, J, factors + i * by_row, by_row, by_column, vectors, add);
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
