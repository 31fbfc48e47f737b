// Compiled once for each instruction set, as the kernels are.
#include "elementary.h"

#include "../kernels/simd.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

extern const tests::Elementary elementary;
const tests::Elementary elementary = {
    RECURRA_ISA_NAME,
    [](const float* x, float* y, long count) {
      for (long i = 0; i < count; i += kLanes) store(y + i, exp(load(x + i)));
    },
    [](const float* x, float* y, long count) {
      for (long i = 0; i < count; i += kLanes) store(y + i, sigmoid(load(x + i)));
    },
    [](const float* x, float* y, long count) {
      for (long i = 0; i < count; i += kLanes) store(y + i, tanh(load(x + i)));
    },
    [](const float* x, float* y, long count) {
      for (long i = 0; i < count; i += kLanes) store(y + i, reciprocal(load(x + i)));
    },
    [](const float* from, float* to, long count) { store_first(to, load_first(from, count), count); },
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
