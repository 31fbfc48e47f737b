// The k best symbols of rows of scores with their log-probabilities, as each step of a beam search needs them.
//
//   log P(v) = score_v - log Σ_u exp(score_u),   score_v given, or w_v·h + b_v with packed weights
#pragma once

#include <cstdint>

namespace recurra {

struct BestSymbols {
  int threads = 1;  // maximum number of threads
  std::int64_t R = 0, V = 0, k = 0;  // rows, symbols, number of best symbols: 1..V
  const float* scores = nullptr;     // [R,V]  for `best_symbols`
  const float* hidden = nullptr;     // [R,H]  for packed weights
  std::int64_t H = 0;
  float* log_probs = nullptr;        // [R,k] in descending order
  std::int64_t* symbols = nullptr;   // [R,k] ties in ascending order of symbols
};

// The weights of an output layer, packed once for many calls. Created by the kernels of one instruction set and usable
// only with them; the source weights may be freed. Several threads may call it at the same time.
class PackedVocabulary {
 public:
  PackedVocabulary(std::int64_t V, std::int64_t H) : V(V), H(H) {}
  virtual ~PackedVocabulary() = default;
  // V, H and `hidden` of the call must match.
  virtual void best(const BestSymbols& call) const = 0;

  const std::int64_t V, H;
};

}  // namespace recurra
