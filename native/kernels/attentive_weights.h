// What both passes of a layer with attention need: packed weights, the memory, sums over a row.
#pragma once

#include "attentive.h"
#include "layout.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

RECURRA_INLINE float dot(const float* a, const float* b, long count) {
  Vector total{}, other{};
  long i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    total += load(a + i) * load(b + i);
    other += load(a + i + kLanes) * load(b + i + kLanes);
  }
  for (; i < count; i += kLanes) total += load_first(a + i, count - i) * load_first(b + i, count - i);
  return sum(total + other);
}

RECURRA_INLINE void add_scaled(float* to, const float* from, float scale, long count) {
  for (long i = 0; i < count; i += kLanes) {
    store_first(to + i, load_first(to + i, count - i) + scale * load_first(from + i, count - i), count - i);
  }
}

RECURRA_INLINE void add(float* to, const float* from, long count) { add_scaled(to, from, 1.0f, count); }

inline void clear(float* to, long floats) {
  if (to) std::memset(to, 0, static_cast<std::size_t>(floats) * sizeof(float));
}

// Panels whose columns are the rows of a matrix [blocks*rows, depth], each block padded to vectors.
inline Panels pack_transposed(Workspace& workspace, const float* matrix, long blocks, long rows, long depth) {
  const long each = vectors_for(rows), vectors = blocks * each;
  float* data = workspace.take(Panels::floats(depth, vectors));
  for (long block = 0; block < blocks; ++block) {
    for (long v = 0; v < each; ++v) {
      const PanelPlace place = place_in_panels(data, depth, vectors, block * each + v);
      pack_rows_as_vector(place.first, place.stride, matrix + (block * rows + v * kLanes) * depth, depth, rows - v * kLanes, depth);
    }
  }
  return Panels{data, depth, vectors};
}

// Panels of a matrix [depth, columns] as it lies.
inline Panels pack_as_it_lies(Workspace& workspace, const float* matrix, long depth, long columns) {
  const long vectors = vectors_for(columns);
  const Cut cut(vectors, kPanelVectors);
  float* data = workspace.take(Panels::floats(depth, vectors));
  for (long k = 0; k < depth; ++k) pack_row_of_panels(data, depth, cut, k, matrix + k * columns, columns, 0, cut.parts);
  return Panels{data, depth, vectors};
}

// Of each block of a vector the padding is zero; null is all zeros.
inline const float* pad_blocks(Workspace& workspace, const float* from, long blocks, long rows) {
  const long padded = round_up(rows, kLanes);
  float* to = workspace.take(blocks * padded);
  for (long block = 0; block < blocks; ++block) pad_bias(to + block * padded, from ? from + block * rows : nullptr, rows, padded);
  return to;
}

// What forward reads of the weights.
struct ForwardWeights {
  ForwardWeights(const Attentive& call, long gates, Workspace& workspace)
      : feed(pack_transposed(workspace, call.weight_f, gates, call.H, call.F)),
        hidden(pack_transposed(workspace, call.weight_h, gates, call.H, call.H)),
        combine(pack_transposed(workspace, call.combine, 1, call.F, call.H + call.V)),
        hidden_bias(pad_blocks(workspace, call.bias_h, gates, call.H)),
        combine_bias(pad_blocks(workspace, call.combine_bias, 1, call.F)) {
    if (!call.additive) return;
    query = pack_transposed(workspace, call.query, 1, call.K, call.H);
    score = pad_blocks(workspace, call.score, 1, call.K);
    if (call.cover) cover = pad_blocks(workspace, call.cover, 1, call.K);
  }
  Panels feed, hidden, combine, query;
  const float* hidden_bias;
  const float* combine_bias;
  const float* score = nullptr;
  const float* cover = nullptr;
};

// Memory row b of a call.
struct MemoryRow {
  MemoryRow(const Attentive& call, long b)
      : values(call.values + b * call.S * call.V), keys(call.keys + b * call.S * call.K), length(call.lengths[b]) {}
  const float* values;
  const float* keys;
  const long length;
};

// How many shares a call is cut into, whole rows of the memory each.
inline int attentive_shares(const Attentive& call, int times) {
  const double work = 8.0 * times * static_cast<double>(call.R) * static_cast<double>(call.T) * static_cast<double>(call.H) *
                      static_cast<double>(call.H + call.F);
  const long worth = static_cast<long>(work / (RECURRA_WORTH_A_THREAD));
  return static_cast<int>(std::max(1L, std::min({static_cast<long>(call.threads), static_cast<long>(call.B), worth})));
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
