// What the tests are made of: arrays that end where they should, random numbers, comparisons, and the count of faults.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace recurra::tests {

// A generator that gives the same numbers everywhere (splitmix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  long below(long count) { return static_cast<long>(next() % static_cast<std::uint64_t>(count)); }
  bool once_in(long count) { return below(count) == 0; }
  double between(double low, double high) { return low + (high - low) * static_cast<double>(next() >> 11) * 0x1p-53; }
  template <class T>
  T among(std::initializer_list<T> choices) {
    return choices.begin()[below(static_cast<long>(choices.size()))];
  }

 private:
  std::uint64_t state_;
};

// Floats in a heap block of their own that ends with the last of them, so that AddressSanitizer sees one float too
// far. `shift` floats lie before the first, for places that are aligned to no vector.
class Floats {
 public:
  Floats() = default;
  explicit Floats(long count, long shift = 0)
      : count_(count), shift_(shift), block_(new float[static_cast<std::size_t>(count + shift)]) {
    for (long i = 0; i < count + shift; ++i) block_[static_cast<std::size_t>(i)] = std::numeric_limits<float>::quiet_NaN();
  }
  static Floats random(Random& random, long count, double low, double high, long shift) {
    Floats made(count, shift);
    for (long i = 0; i < count; ++i) made[i] = static_cast<float>(random.between(low, high));
    return made;
  }
  bool present() const { return block_ != nullptr; }
  float* data() const { return block_ ? block_.get() + shift_ : nullptr; }
  long count() const { return count_; }
  float& operator[](long i) const { return block_[static_cast<std::size_t>(i + shift_)]; }
  void fill(float value) const {
    for (long i = 0; i < count_; ++i) (*this)[i] = value;
  }
  Floats copy() const {
    if (!present()) return {};
    Floats other(count_, shift_);
    for (long i = 0; i < count_; ++i) other[i] = (*this)[i];
    return other;
  }
  bool same_bits(const Floats& other) const {
    return count_ == other.count_ &&
           (count_ == 0 || std::memcmp(data(), other.data(), sizeof(float) * static_cast<std::size_t>(count_)) == 0);
  }

 private:
  long count_ = 0, shift_ = 0;
  std::unique_ptr<float[]> block_;
};

// Faults found so far, and the case at hand, which is told with the first of its faults (and when a sanitizer ends
// the program). Only the main thread compares.
struct Faults {
  long count = 0;
  long comparisons = 0;
  double worst = 0.0;  // the largest error as a share of what is allowed
  char at_hand[1024] = "";
  bool told = false;
};
inline Faults& faults() {
  static Faults all;
  return all;
}
inline void begin_case(const std::string& description) {
  std::snprintf(faults().at_hand, sizeof(faults().at_hand), "%s", description.c_str());
  faults().told = false;
}
inline void fault(const std::string& what) {
  Faults& all = faults();
  ++all.count;
  if (!all.told) std::printf("FAULT in %s\n", all.at_hand);
  all.told = true;
  std::printf("  %s\n", what.c_str());
  std::fflush(stdout);
}
inline void expect(bool holds, const std::string& what) {
  ++faults().comparisons;
  if (!holds) fault(what);
}

// got[i] within allowed·(1 + the largest |want|) of want[i] for all i; tells the worst.
inline void compare(const std::string& name, const Floats& got, const std::vector<double>& want, double allowed) {
  Faults& all = faults();
  ++all.comparisons;
  if (got.count() != static_cast<long>(want.size())) return fault(name + ": the test's own sizes differ");
  double largest = 0.0, worst = -1.0;
  for (double each : want) largest = std::max(largest, std::abs(each));
  long at = 0;
  for (long i = 0; i < got.count(); ++i) {
    double error = std::abs(static_cast<double>(got[i]) - want[static_cast<std::size_t>(i)]);
    if (!(error >= 0.0)) error = std::numeric_limits<double>::infinity();  // NaN
    if (error > worst) worst = error, at = i;
  }
  const double share = worst / (allowed * (1.0 + largest));
  all.worst = std::max(all.worst, share);
  if (share <= 1.0) return;
  char line[256];
  std::snprintf(line, sizeof(line), "%s[%ld]: got %.9g, expected %.9g (of %ld; %.1f times the allowed error)", name.c_str(),
                at, static_cast<double>(got[at]), want[static_cast<std::size_t>(at)], got.count(), share);
  fault(line);
}

}  // namespace recurra::tests
