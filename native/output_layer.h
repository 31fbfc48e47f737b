// A call of an output layer: the loss of each token, and gradients.
//
//   loss_n = log Σ_v exp(w_v·h_n + b_v) - (w_y·h_n + b_y),   y = targets_n;   0 where y is ignore_index
//
// Axes: N tokens, H width of the hidden state, V vocabulary. Float32, row-major, the rightmost index varies
// fastest; arrays do not overlap. The N x V matrix of logits is never stored as a whole.
//
// The functions that take it throw nothing except std::bad_alloc, and do not change global state: calls with
// different outputs may run at the same time on several threads.
#pragma once

#include <cstdint>

namespace recurra {

struct OutputLayer {
  int threads = 1;    // maximum number of threads
  bool mean = false;  // forward's gradients are those of the mean over tokens that are not ignored, not of the sum
  std::int64_t N = 0, H = 0, V = 0;
  std::int64_t ignore_index = -100;

  const float* hidden = nullptr;          // [N,H]
  const float* weight = nullptr;          // [V,H]
  const float* bias = nullptr;            // [V]  may be null
  const std::int64_t* targets = nullptr;  // [N]  0..V-1 or ignore_index

  // Forward writes these.
  float* losses = nullptr;       // [N]
  float* normalisers = nullptr;  // [2,N] the largest logit m, and Σ_v exp(logit - m); backward reads them

  const float* dlosses = nullptr;  // [N] backward reads it

  // Both write these, forward for the sum or mean of the losses; null if not wanted.
  float* dhidden = nullptr;  // [N,H]
  float* dweight = nullptr;  // [V,H]
  float* dbias = nullptr;    // [V]

  // Set by the call.
  std::int64_t counted = 0;      // number of tokens that are not ignored
  std::int64_t bad_token = -1;   // the first whose target is outside the vocabulary; then nothing is written
  std::int64_t workspace = 0;    // bytes that the call allocated in addition to its arguments
};

}  // namespace recurra
