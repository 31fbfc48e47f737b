// Copies of matrices in the order in which products read them, and the memory for them.
#pragma once

#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "product.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// Memory for one call, taken piece by piece and given back all at once. A thread keeps one block for its
// next call, so that the pages of large buffers are not faulted in anew each time.
class Workspace {
 public:
  // One that `lasts` takes memory of its own, and leaves what the thread keeps to the calls that come and go.
  explicit Workspace(bool lasts = false) : lasts_(lasts) {
    if (!lasts_) std::swap(block_, kept());
  }
  ~Workspace() {
    for (Block& old : full_) {
      block_.size = 0;  // too small: the next call gets one block of the size that was needed
      std::free(old.memory);
    }
    if (lasts_) {
      std::free(block_.memory);
      return;
    }
    Block& mine = kept();
    if (!full_.empty() || block_.bytes > kMostKept) {
      std::free(block_.memory);
      block_ = Block{};
      block_.size = total_ <= kMostKept ? total_ : 0;
    }
    block_.used = 0;
    std::free(mine.memory);
    mine = block_;
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // Bytes taken so far.
  std::size_t taken() const { return total_; }

  // Uninitialised, aligned to 64 bytes, padded by a vector at the end.
  float* take(long floats) {
    const std::size_t bytes = static_cast<std::size_t>(round_up((floats + kLanes) * 4, 64));
    total_ += bytes;
    if (kApart || block_.used + bytes > block_.bytes) {
      if (block_.memory) full_.push_back(block_);
      const std::size_t wanted = kApart || bytes > block_.size ? bytes : block_.size;
      block_ = Block{};
      const std::size_t alignment = wanted >= kHugePage ? kHugePage : 64;
      block_.memory = std::aligned_alloc(alignment, (wanted + alignment - 1) / alignment * alignment);
      if (!block_.memory) throw std::bad_alloc();
#if defined(__linux__)
      // Packed weights are read from end to end at every step: with small pages the processor looks up addresses
      // as often as it reads lines.
      if (alignment == kHugePage) madvise(block_.memory, wanted, MADV_HUGEPAGE);
#endif
      block_.bytes = wanted;
    }
    float* piece = reinterpret_cast<float*>(static_cast<char*>(block_.memory) + block_.used);
    block_.used += bytes;
    return piece;
  }
  float* take_zeros(long floats) {
    float* piece = take(floats);
    std::memset(piece, 0, static_cast<std::size_t>(floats) * 4);
    return piece;
  }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
#if defined(__SANITIZE_ADDRESS__)
  static constexpr bool kApart = true;  // every piece a block of its own, so that reads beyond it are seen
#else
  static constexpr bool kApart = false;
#endif
  static constexpr std::size_t kMostKept = std::size_t{64} << 20;
  struct Block {
    void* memory = nullptr;
    std::size_t bytes = 0, used = 0;
    std::size_t size = 0;  // what the next block should hold
  };
  struct Keeper {
    Block block;
    ~Keeper() { std::free(block.memory); }
  };
  static Block& kept() {
    thread_local Keeper keeper;
    return keeper.block;
  }
  const bool lasts_;
  Block block_{};
  std::vector<Block> full_;
  std::size_t total_ = 0;
};

template <int Distance>
struct SwapMasks {
  static constexpr Integers upper() {
    Integers mask{};
    for (int lane = 0; lane < kLanes; ++lane) mask[lane] = lane & Distance ? kLanes + lane - Distance : lane;
    return mask;
  }
  static constexpr Integers lower() {
    Integers mask{};
    for (int lane = 0; lane < kLanes; ++lane) mask[lane] = lane & Distance ? kLanes + lane : lane + Distance;
    return mask;
  }
};

RECURRA_INLINE Vector shuffle(Vector a, Vector b, Integers mask) {
#if defined(__clang__)
  Vector out{};
  for (int lane = 0; lane < kLanes; ++lane) out[lane] = mask[lane] < kLanes ? a[mask[lane]] : b[mask[lane] - kLanes];
  return out;
#else
  return __builtin_shuffle(a, b, mask);
#endif
}

// A square of kLanes rows, transposed in registers: blocks off the diagonal change places, by halves.
template <int Distance = kLanes / 2>
RECURRA_INLINE void transpose(Vector (&rows)[kLanes]) {
  const Integers upper = SwapMasks<Distance>::upper(), lower = SwapMasks<Distance>::lower();
  RECURRA_UNROLL
  for (int row = 0; row < kLanes; ++row) {
    if (row & Distance) continue;
    Vector a = rows[row], b = rows[row + Distance];
    rows[row] = shuffle(a, b, upper);
    rows[row + Distance] = shuffle(a, b, lower);
  }
  if constexpr (Distance > 1) transpose<Distance / 2>(rows);
}

// One vector of a panel from kLanes rows of a matrix: to[k*to_stride + lane] = from[lane*row_stride + k].
// Rows from `rows` on are taken as zero.
inline void pack_rows_as_vector(float* to, long to_stride, const float* from, long row_stride, long rows, long depth) {
  for (long k = 0; k < depth; k += kLanes) {
    Vector square[kLanes];
    const long columns = depth - k;
    for (int row = 0; row < kLanes; ++row) {
      square[row] = row < rows ? load_first(from + row * row_stride + k, columns) : Vector{};
    }
    transpose(square);
    for (int column = 0; column < kLanes && column < columns; ++column) {
      store(to + (k + column) * to_stride, square[column]);
    }
  }
}

// The place of a vector of Panels: its first float, and the distance from one k to the next.
struct PanelPlace {
  float* first;
  long stride;
};
inline PanelPlace place_in_panels(float* data, long depth, long vectors, long vector) {
  const Cut cut(vectors, kPanelVectors);
  const long part = cut.of(vector), first = cut.first(part);
  return {data + first * kLanes * depth + (vector - first) * kLanes, cut.width(part) * kLanes};
}

// Parts [first, last) of the cut of Panels, their row k: `columns` numbers from `from`, then zeros.
inline void pack_row_of_panels(float* data, long depth, const Cut& cut, long k, const float* from, long columns,
                               long first, long last) {
  for (long part = first; part < last; ++part) {
    const long vector = cut.first(part), width = cut.width(part);
    float* to = data + vector * kLanes * depth + k * width * kLanes;
    for (long v = 0; v < width; ++v) {
      store(to + v * kLanes, load_first(from + (vector + v) * kLanes, columns - (vector + v) * kLanes));
    }
  }
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
