// The elementary functions of kernels/simd.h of one instruction set, as the tests see them.
#pragma once

namespace recurra::tests {

// Each applies a function to `count` numbers, a multiple of 16.
struct Elementary {
  const char* name;
  void (*exp)(const float* x, float* y, long count);
  void (*sigmoid)(const float* x, float* y, long count);
  void (*tanh)(const float* x, float* y, long count);
  void (*reciprocal)(const float* x, float* y, long count);
  // to[0..count-1] = from[0..count-1] by load_first and store_first; any count from -1 on.
  void (*copy_first)(const float* from, float* to, long count);
};

}  // namespace recurra::tests
