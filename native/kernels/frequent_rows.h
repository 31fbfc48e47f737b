// Rows that several threads update at the same time, without synchronisation.
//
// A row that both threads use often would travel between their caches at each use, which costs more than the update.
// So each thread has copies of the rows of frequent words: after every `kUses` uses of a row, what the copy has gained
// is added to the shared row, and the copy begins from there again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "room.h"
#include "simd.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

enum class Frequent { kNone, kFirst, kLast, kAll };  // which rows are the frequent ones

// The range of the frequent rows among `count`: with what copies of them began from, half of a second-level cache.
struct FrequentRows {
  std::int64_t first, count;

  FrequentRows(std::int64_t all, std::int64_t row, Frequent which)
      : first(0), count(std::min<std::int64_t>((1 << 16) / row, all)) {
    if (which == Frequent::kNone) count = 0;
    if (which == Frequent::kAll) count = all;
    if (which == Frequent::kLast) first = all - count;
  }
};

class Rows {
 public:
  void open(float* rows, std::int64_t count, std::int64_t row, Frequent which) {
    rows_ = rows, row_ = row;
    const FrequentRows frequent(count, row, which);
    first_ = frequent.first, frequent_ = frequent.count;
    copies_.allocate(static_cast<std::size_t>(2 * frequent_ * row));
    uses_.allocate(static_cast<std::size_t>(frequent_));
    uses_.assign(static_cast<std::size_t>(frequent_), 0);
  }

  float* shared(std::int64_t number) const { return rows_ + number * row_; }

  // The row to read and to update.
  float* used(std::int64_t number) {
    const auto place = static_cast<std::uint64_t>(number - first_);
    if (place >= static_cast<std::uint64_t>(frequent_)) return shared(number);
    float* copy = copies_.data() + 2 * static_cast<std::int64_t>(place) * row_;
    std::uint8_t& uses = uses_[place];
    if (uses == 0) {
      std::memcpy(copy, shared(number), static_cast<std::size_t>(row_) * sizeof(float));
      std::memcpy(copy + row_, copy, static_cast<std::size_t>(row_) * sizeof(float));
    } else if (uses == kUses) {
      exchange(copy, shared(number));
      uses = 0;
    }
    ++uses;
    return copy;
  }

  void fetch(std::int64_t number) const {
    const auto place = static_cast<std::uint64_t>(number - first_);
    const float* row = shared(number);
    if (place < static_cast<std::uint64_t>(frequent_) && uses_[place] && uses_[place] != kUses) return;
    for (std::int64_t at = 0; at < row_; at += 16) __builtin_prefetch(row + at, 1, 2);
  }

  void close() {
    for (std::int64_t place = 0; place < frequent_; ++place) {
      if (uses_[static_cast<std::size_t>(place)]) exchange(copies_.data() + 2 * place * row_, shared(first_ + place));
      uses_[static_cast<std::size_t>(place)] = 0;
    }
  }

 private:
  static constexpr std::uint8_t kUses = 32;

  void exchange(float* copy, float* shared) const {
    for (std::int64_t at = 0; at < row_; at += kLanes) {
      const Vector now = load(shared + at) + (load(copy + at) - load(copy + row_ + at));
      store(shared + at, now);
      store(copy + at, now);
      store(copy + row_ + at, now);
    }
  }

  float* rows_ = nullptr;
  std::int64_t row_ = 0, first_ = 0, frequent_ = 0;
  Room<float> copies_;  // a copy, and what it began from, one after the other
  Room<std::uint8_t> uses_;
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
