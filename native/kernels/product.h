// Matrix products in tiles held in registers: what all kernels spend their time in.
//
// The right-hand matrix is packed in panels: of `vectors` vectors side by side, all its rows one after
// the other, so that a tile reads it front to back. The left-hand matrix is read where it lies, one
// number at a time, broadcast. A tile has R rows and V vectors of sums, R·V of them in registers.
#pragma once

#include <algorithm>

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

// Memory that is brought towards the second-level cache while a tile is computed: a line for each k, `step` bytes
// after the one before. Only ever a hint: nothing is read there.
struct Fetch {
  const char* at = nullptr;
  long step = 0;
};

// A stretch of memory that will be read soon, fetched in equal shares by the tiles before. Spread evenly, because
// the processor can wait for few lines at a time: a burst would hold up the tile's own.
class ReadAhead {
 public:
  ReadAhead(const float* first, long floats, long tiles)
      : at_(reinterpret_cast<const char*>(first)), share_(floats * static_cast<long>(sizeof(float)) / (tiles > 0 ? tiles : 1)) {}
  Fetch next(long depth) {
    const Fetch share{at_, share_ / (depth > 0 ? depth : 1)};
    at_ += share_;
    return share;
  }

 private:
  const char* at_;
  long share_;
};

// What a tile multiplies and where its sums go. Float32; strides in floats.
//   left   R x depth: element (r, k) at left[r*row_stride + k*depth_stride]
//   panel  depth x V vectors, packed
//   start  what the sums begin with: V vectors side by side, those of row r at start[r*start_row]; null for zeros
//   out    vector v of row r at out[r*out_row + v*out_vector]; never overlaps left or panel
//   ahead  a share of what will be read in the panel's and in the left side's place later; they come nearer meanwhile
struct Tile {
  const float* left;
  long row_stride, depth_stride;
  const float* panel;
  long depth;
  const float* start;
  float* out;
  long out_row, out_vector;
  Fetch ahead_of_panel{}, ahead_of_left{};
  long start_row = 0;
};

template <int R, int V>
void multiply_tile(const Tile& tile) {
  // With few sums the multiply-adds would wait for each other: keep several sets, one for each of the
  // next few k, and add them up at the end.
  constexpr int kSets = R * V >= 8 ? 1 : (R * V >= 4 ? 2 : 4);
  Vector sums[kSets][R][V];
  RECURRA_UNROLL
  for (int v = 0; v < V; ++v) {
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) sums[0][r][v] = tile.start ? load(tile.start + r * tile.start_row + v * kLanes) : Vector{};
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
  const char* const here = reinterpret_cast<const char*>(panel);
  const char* ahead_of_panel = tile.ahead_of_panel.at ? tile.ahead_of_panel.at : here;
  const char* ahead_of_left = tile.ahead_of_left.at ? tile.ahead_of_left.at : here;
  const long panel_step = tile.ahead_of_panel.step, left_step = tile.ahead_of_left.step;
  // Read now: the compiler cannot know that the sums are not stored over the tile's own fields.
  float* const out = tile.out;
  const long depth = tile.depth, out_row = tile.out_row, out_vector = tile.out_vector;
  long k = 0;
  auto step = [&](Vector(&into)[R][V]) __attribute__((always_inline)) {
    if constexpr (R > 2) {  // with fewer rows the panel itself takes all that the caches can give
      __builtin_prefetch(ahead_of_panel, 0, 2);
      __builtin_prefetch(ahead_of_left, 0, 2);
      ahead_of_panel += panel_step;
      ahead_of_left += left_step;
    }
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
  for (; k + kSets <= depth; k += kSets) {
    RECURRA_UNROLL
    for (int s = 0; s < kSets; ++s) step(sums[s]);
  }
  for (; k < depth; ++k) step(sums[0]);
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < V; ++v) {
      Vector total = sums[0][r][v];
      RECURRA_UNROLL
      for (int s = 1; s < kSets; ++s) total += sums[s][r][v];
      store(out + r * out_row + v * out_vector, total);
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
constexpr long tiles_of(long rows, int most) { return (rows + most - 1) / most; }
template <class Then>
RECURRA_INLINE void for_tiles(long rows, int most, Then&& then) {
  const long tiles = tiles_of(rows, most);
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

// Meanwhile what follows rows [first, first + count) of a panel comes nearer: its next rows, or the panel after it.
inline ReadAhead after_rows_of_panel(const Panels& panels, const Cut& cut, const Cut& depths, long part, long block, long tiles) {
  const bool ends = block + 1 == depths.parts;
  const long next = !ends ? part : (part + 1 < cut.parts ? part + 1 : 0), width = cut.width(next) * kLanes;
  const long next_block = ends ? 0 : block + 1;
  return ReadAhead(panels.panel(cut.first(next)) + depths.first(next_block) * width, depths.width(next_block) * width, tiles);
}

// Meanwhile the rows after those of a tile come nearer, where they lie close together.
inline Fetch after_rows(const float* left, long row_stride, long count, long depth) {
  if (row_stride > depth + depth / 2) return {};
  return {reinterpret_cast<const char*>(left + count * row_stride), count * row_stride * static_cast<long>(sizeof(float)) / depth};
}

// What a tile's sums will meet, `rows` rows of `vectors` vectors, comes nearer while the tile is computed: it would
// have to wait for memory at its end, and so would the next tile behind it.
RECURRA_INLINE void fetch_place(const float* at, long row_stride, long rows, long vectors, long vector_stride = kLanes) {
  for (long r = 0; r < rows; ++r) {
    for (long v = 0; v < vectors; ++v) __builtin_prefetch(at + r * row_stride + v * vector_stride, 0, 2);
  }
}

// A panel of more rows is met in blocks, so that block after block stays in the second-level cache while all tiles
// of the left side meet it.
constexpr long kMostDepth = 1024;

// Room for the sums of the largest tile.
struct alignas(64) TileSums {
  float floats[32 * kLanes];
};
constexpr long kTilesAtOnce = 8;
struct alignas(64) SumsOfTiles {
  float floats[kTilesAtOnce * 32 * kLanes];
};

// left [rows, depth] times panels. For every tile calls
// then(first row, rows, first vector, vectors, sums, floats a row of sums).
template <class Then>
RECURRA_INLINE void multiply_then(const float* left, long row_stride, long rows, const Panels& panels, Then&& then) {
  SumsOfTiles sums;
  const Cut cut = panels.cut(), depths(panels.depth, kMostDepth);
  for (long part = 0; part < cut.parts; ++part) {
    const long vector = cut.first(part);
    const int width = static_cast<int>(cut.width(part)), sums_row = width * kLanes;
    const Cut groups(rows, kRowsOfTile[width] * kTilesAtOnce);
    for (long group = 0; group < groups.parts; ++group) {
      const long first = groups.first(group), count = groups.width(group);
      for (long block = 0; block < depths.parts; ++block) {
        const long k = depths.first(block), depth = depths.width(block);
        const float* panel = panels.panel(vector) + k * sums_row;
        ReadAhead ahead = after_rows_of_panel(panels, cut, depths, part, block, tiles_of(count, kRowsOfTile[width]));
        for_tiles(count, kRowsOfTile[width], [&](long row, int tile_rows) {
          const float* from = left + (first + row) * row_stride + k;
          float* to = sums.floats + (depths.parts > 1 ? row * sums_row : 0);
          multiply(width, tile_rows, Tile{from, row_stride, 1, panel, depth, block > 0 ? to : nullptr, to, sums_row, kLanes,
                                          ahead.next(depth), after_rows(from, row_stride, tile_rows, depth), sums_row});
          if (block + 1 == depths.parts) {
            then(first + row, static_cast<long>(tile_rows), vector, width, static_cast<const float*>(to), static_cast<long>(sums_row));
          }
        });
      }
    }
  }
}

// out [rows, columns] = left [rows, depth] times panels, plus `start` (padded to vectors, or null) in every row.
inline void multiply_into(const float* left, long row_stride, long rows, const Panels& panels, const float* start,
                          float* out, long out_row, long columns) {
  const Cut cut = panels.cut();
  for (long part = 0; part < cut.parts; ++part) {
    const long vector = cut.first(part);
    const int width = static_cast<int>(cut.width(part)), panel_row = width * kLanes;
    // Where the last vector is cut off, sums cannot wait at their place for the next block.
    const bool whole = (vector + width) * kLanes <= columns;
    const Cut depths(panels.depth, whole ? kMostDepth : std::max(panels.depth, 1L));
    for (long block = 0; block < depths.parts; ++block) {
      const long k = depths.first(block), depth = depths.width(block);
      ReadAhead ahead = after_rows_of_panel(panels, cut, depths, part, block, tiles_of(rows, kRowsOfTile[width]));
      for_tiles(rows, kRowsOfTile[width], [&](long row, int count) {
        const float* from = left + row * row_stride + k;
        float* to = out + row * out_row + vector * kLanes;
        Tile tile{from, row_stride, 1, panels.panel(vector) + k * panel_row, depth, start ? start + vector * kLanes : nullptr,
                  to, out_row, kLanes, ahead.next(depth), after_rows(from, row_stride, count, depth)};
        if (block > 0) tile.start = to, tile.start_row = out_row;
        fetch_place(to, out_row, count, width);
        if (whole) return multiply(width, count, tile);
        TileSums sums;
        tile.out = sums.floats;
        tile.out_row = panel_row;
        multiply(width, count, tile);
        for (int r = 0; r < count; ++r) {
          for (int v = 0; v < width; ++v) {
            store_first(to + r * out_row + v * kLanes, load(sums.floats + r * panel_row + v * kLanes),
                        columns - (vector + v) * kLanes);
          }
        }
      });
    }
  }
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
