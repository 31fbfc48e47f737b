// Of rows of scores the k best symbols, with their log-probabilities: what each step of a beam search needs.
//
//   log P(v) = score_v - log Σ_u exp(score_u)
#pragma once

#include <cstdint>

namespace recurra {

struct BestSymbols {
  int threads = 1;  // at most so many
  std::int64_t R = 0, V = 0, k = 0;  // rows, symbols, how many are wanted: 1..V
  const float* scores = nullptr;     // [R,V]
  float* log_probs = nullptr;        // [R,k] the largest first
  std::int64_t* symbols = nullptr;   // [R,k] of equal ones the lower first
};

}  // namespace recurra
