// Of rows of scores the k best symbols, with their log-probabilities: what each step of a beam search needs.
//
//   log P(v) = score_v - log Σ_u exp(score_u),   score_v given, or w_v·h + b_v with packed weights
#pragma once

#include <cstdint>

namespace recurra {

struct BestSymbols {
  int threads = 1;  // at most so many
  std::int64_t R = 0, V = 0, k = 0;  // rows, symbols, how many are wanted: 1..V
  const float* scores = nullptr;     // [R,V]  for `best_symbols`
  const float* hidden = nullptr;     // [R,H]  for packed weights
  std::int64_t H = 0;
  float* log_probs = nullptr;        // [R,k] the largest first
  std::int64_t* symbols = nullptr;   // [R,k] of equal ones the lower first
};

// The weights of an output layer, packed once for many calls. Made by the kernels of an instruction set, and stays with
// them; what it was made from may go. Several threads may call at once.
class PackedVocabulary {
 public:
  PackedVocabulary(std::int64_t V, std::int64_t H) : V(V), H(H) {}
  virtual ~PackedVocabulary() = default;
  // V, H and `hidden` of the call must fit.
  virtual void best(const BestSymbols& call) const = 0;

  const std::int64_t V, H;
};

}  // namespace recurra
