// Matrix products in tiles held in registers: what all kernels spend their time in.
//
// The right-hand matrix is packed in panels: of `vectors` vectors side by side, all its rows one after
// the other, so that a tile reads it front to back. The left-hand matrix is read where it lies, one
// number at a time, broadcast. A tile has R rows and V vectors of sums, R·V of them in registers.
#pragma once

#include "simd.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// The most rows of a tile of V vectors: R·V sums, one number of the left side or one vector of the panel, and
// as many registers as the other side has in the tile, whichever is less.
template <int V>
constexpr int rows_of_tile() {
  int rows = 1;
  while (rows < 14 && (rows + 1) * V + (V < rows + 1 ? V : rows + 1) + 1 <= kRegisters) ++rows;
  return rows;
}

// The most vectors of a tile, and so of a panel: with three or four a tile needs the fewest loads for its
// multiply-adds (6 x 4 and 9 x 3 with 32 registers, 3 x 4 and 4 x 3 with 16).
constexpr int kPanelVectors = kRegisters == 32 ? 4 : 3;
constexpr int kMostVectors = 4;

// What a tile multiplies and where its sums go. Float32; strides in floats.
//   left   R x depth: element (r, k) at left[r*row_stride + k*depth_stride]
//   panel  depth x V vectors, packed
//   start  V vectors the sums begin with, or null for zeros
//   ahead  what is read next after this tile's panel: fetched towards the second-level cache meanwhile, two lines
//          for each k; any address will do, it is never read
//   out    vector v of row r at out[r*out_row + v*out_vector]; never overlaps left or panel
struct Tile {
  const float* left;
  long row_stride, depth_stride;
  const float* panel;
  long depth;
  const float* start;
  float* out;
  long out_row, out_vector;
  const float* ahead = nullptr;
};

template <int R, int V>
void multiply_tile(const Tile& tile) {
  // With few sums the multiply-adds would wait for each other: keep several sets, one for each of the
  // next few k, and add them up at the end.
  constexpr int kSets = R * V >= 8 ? 1 : (R * V >= 4 ? 2 : 4);
  Vector sums[kSets][R][V];
  RECURRA_UNROLL
  for (int v = 0; v < V; ++v) {
    Vector first = tile.start ? load(tile.start + v * kLanes) : Vector{};
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) sums[0][r][v] = first;
  }
  RECURRA_UNROLL
  for (int s = 1; s < kSets; ++s) {
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      RECURRA_UNROLL
      for (int v = 0; v < V; ++v) sums[s][r][v] = Vector{};
    }
  }
  const float* left = tile.left;
  const float* panel = tile.panel;
  const long row_stride = tile.row_stride, depth_stride = tile.depth_stride;
  const char* ahead = reinterpret_cast<const char*>(tile.ahead);
  long k = 0;
  auto step = [&](Vector(&into)[R][V]) __attribute__((always_inline)) {
    __builtin_prefetch(ahead, 0, 2);
    __builtin_prefetch(ahead + 64, 0, 2);
    ahead += 128;
    if constexpr (R >= V) {
      Vector right[V];
      RECURRA_UNROLL
      for (int v = 0; v < V; ++v) right[v] = load(panel + v * kLanes);
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) {
        const float number = left[r * row_stride];
        RECURRA_UNROLL
        for (int v = 0; v < V; ++v) into[r][v] += number * right[v];
      }
    } else {
      Vector numbers[R];
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) numbers[r] = broadcast(left[r * row_stride]);
      RECURRA_UNROLL
      for (int v = 0; v < V; ++v) {
        const Vector right = load(panel + v * kLanes);
        RECURRA_UNROLL
        for (int r = 0; r < R; ++r) into[r][v] += numbers[r] * right;
      }
    }
    left += depth_stride;
    panel += V * kLanes;
  };
  for (; k + kSets <= tile.depth; k += kSets) {
    RECURRA_UNROLL
    for (int s = 0; s < kSets; ++s) step(sums[s]);
  }
  for (; k < tile.depth; ++k) step(sums[0]);
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < V; ++v) {
      Vector total = sums[0][r][v];
      RECURRA_UNROLL
      for (int s = 1; s < kSets; ++s) total += sums[s][r][v];
      store(tile.out + r * tile.out_row + v * tile.out_vector, total);
    }
  }
}

using TileFunction = void (*)(const Tile&);

template <int V, int... R>
struct TileTable {
  static constexpr TileFunction functions[] = {nullptr, multiply_tile<R, V>...};
};
template <int V, class Rows>
struct MakeTileTable;
template <int... R>
struct RowNumbers {};
template <int Count, int... R>
struct CountTo : CountTo<Count - 1, Count, R...> {};
template <int... R>
struct CountTo<0, R...> {
  using type = RowNumbers<R...>;
};
template <int V, int... R>
struct MakeTileTable<V, RowNumbers<R...>> : TileTable<V, R...> {};

// A tile of `rows` rows, 1..rows_of_tile<V>(), and V vectors.
template <int V>
inline void multiply(int rows, const Tile& tile) {
  using Table = MakeTileTable<V, typename CountTo<rows_of_tile<V>()>::type>;
  Table::functions[rows](tile);
}
inline void multiply(int vectors, int rows, const Tile& tile) {
  static constexpr void (*functions[])(int, const Tile&) = {nullptr, multiply<1>, multiply<2>, multiply<3>, multiply<4>};
  functions[vectors](rows, tile);
}
constexpr int kRowsOfTile[] = {0, rows_of_tile<1>(), rows_of_tile<2>(), rows_of_tile<3>(), rows_of_tile<4>()};

constexpr long round_up(long count, long step) { return (count + step - 1) / step * step; }
constexpr long vectors_for(long floats) { return (floats + kLanes - 1) / kLanes; }

// Cuts `rows` into as few tiles as can be, all as equal as can be; calls then(first row, rows).
template <class Then>
RECURRA_INLINE void for_tiles(long rows, int most, Then&& then) {
  const long tiles = (rows + most - 1) / most;
  for (long tile = 0, first = 0; tile < tiles; ++tile) {
    const long count = rows / tiles + (tile < rows % tiles ? 1 : 0);
    then(first, static_cast<int>(count));
    first += count;
  }
}

// A number of things cut into as few parts of at most `most` as can be, all as equal as can be; the larger
// ones come first.
struct Cut {
  long parts, least, larger;
  Cut(long count, long most) : parts((count + most - 1) / most), least(parts ? count / parts : 0), larger(parts ? count % parts : 0) {}
  long first(long part) const { return part * least + (part < larger ? part : larger); }
  long width(long part) const { return least + (part < larger ? 1 : 0); }
  long of(long thing) const {
    const long in_larger = larger * (least + 1);
    return thing < in_larger ? thing / (least + 1) : larger + (thing - in_larger) / least;
  }
};

// A matrix packed for the right-hand side, a few vectors a panel.
struct Panels {
  const float* data = nullptr;
  long depth = 0;
  long vectors = 0;
  Cut cut() const { return Cut(vectors, kPanelVectors); }
  const float* panel(long first_vector) const { return data + first_vector * kLanes * depth; }
  static long floats(long depth, long vectors) { return depth * vectors * kLanes; }
};

// While the tiles of one panel are computed the next panel is fetched, a part with each tile; then nothing more.
struct Ahead {
  Ahead(const float* panel, long depth, int width)
      : at(panel + depth * width * kLanes), panel_(panel), end_(panel + 2 * depth * width * kLanes), step_(depth * 32) {}
  void tile_done() {
    at += step_;
    if (at >= end_) at = panel_, step_ = 0;
  }
  const float* at;

 private:
  const float *panel_, *end_;
  long step_;
};

// Room for the sums of the largest tile.
struct alignas(64) TileSums {
  float floats[32 * kLanes];
};

// left [rows, depth] times panels. For every tile calls
// then(first row, rows, first vector, vectors, sums, floats a row of sums).
template <class Then>
RECURRA_INLINE void multiply_then(const float* left, long row_stride, long rows, const Panels& panels, Then&& then) {
  TileSums sums;
  const Cut cut = panels.cut();
  for (long part = 0; part < cut.parts; ++part) {
    const long vector = cut.first(part);
    const int width = static_cast<int>(cut.width(part));
    Ahead next(panels.panel(vector), panels.depth, width);
    for_tiles(rows, kRowsOfTile[width], [&](long row, int count) {
      multiply(width, count, Tile{left + row * row_stride, row_stride, 1, panels.panel(vector), panels.depth, nullptr,
                                  sums.floats, width * kLanes, kLanes, next.at});
      next.tile_done();
      then(row, static_cast<long>(count), vector, width, static_cast<const float*>(sums.floats), width * kLanes);
    });
  }
}

// out [rows, columns] = left [rows, depth] times panels, plus `start` (padded to vectors, or null) in every row.
inline void multiply_into(const float* left, long row_stride, long rows, const Panels& panels, const float* start,
                          float* out, long out_row, long columns) {
  TileSums sums;
  const Cut cut = panels.cut();
  for (long part = 0; part < cut.parts; ++part) {
    const long vector = cut.first(part);
    const int width = static_cast<int>(cut.width(part));
    const bool whole = (vector + width) * kLanes <= columns;
    Ahead next(panels.panel(vector), panels.depth, width);
    for_tiles(rows, kRowsOfTile[width], [&](long row, int count) {
      Tile tile{left + row * row_stride, row_stride, 1, panels.panel(vector), panels.depth,
                start ? start + vector * kLanes : nullptr, out + row * out_row + vector * kLanes, out_row, kLanes, next.at};
      next.tile_done();
      if (whole) return multiply(width, count, tile);
      tile.out = sums.floats;
      tile.out_row = width * kLanes;
      multiply(width, count, tile);
      for (int r = 0; r < count; ++r) {
        for (int v = 0; v < width; ++v) {
          store_first(out + (row + r) * out_row + (vector + v) * kLanes,
                      load(sums.floats + (r * width + v) * kLanes), columns - (vector + v) * kLanes);
        }
      }
    });
  }
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
