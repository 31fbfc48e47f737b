// A stretch of training of GloVe vectors (Pennington, Socher and Manning 2014):
//
//   J = Σ_ij f(X_ij) (e_i·θ_j + b_i + b'_j - log X_ij)² / 2
//   with g = f (e_i·θ_j + b_i + b'_j - log X_ij):
//   e_i -= η g θ_j / √G_i;   G_i += (η g θ_j)²    element by element, G starts at 1; likewise for θ_j, b_i and b'_j
//
// The table X is cut into grid x grid blocks by word and by context word. Stratum s holds the blocks (r, (r + s) mod grid):
// no two of them share a row, so threads work on them without synchronisation, and the result is the same, bit for bit, for
// any number of threads. Float32, row-major; rows begin at multiples of 64 bytes, and their padding is zero.
#pragma once

#include <cstdint>

namespace recurra {

struct GloveCall {
  int threads = 1;
  bool update = true;  // otherwise only the cost is computed
  std::int64_t grid = 1;
  std::int64_t first_stratum = 0, last_stratum = 0;
  std::int64_t row = 0;  // floats from one row to the next, of all four matrices
  float rate = 0.05f;

  const std::int64_t* blocks = nullptr;   // [grid * grid + 1] where block r * grid + c begins among the entries
  const std::int32_t* words = nullptr;    // i of each entry
  const std::int32_t* contexts = nullptr;  // j
  const float* logs = nullptr;            // log X_ij
  const float* weights = nullptr;         // f(X_ij)

  float* input = nullptr;           // [V, row] e
  float* output = nullptr;          // [V, row] θ
  float* input_squares = nullptr;   // [V, row] G
  float* output_squares = nullptr;
  float* input_bias = nullptr;      // [2, V] b, and its G
  float* output_bias = nullptr;
  std::int64_t V = 0;

  // Set by the call.
  double cost = 0.0;
  std::int64_t entries = 0;
};

}  // namespace recurra
