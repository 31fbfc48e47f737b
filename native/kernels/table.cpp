#include "table.h"

#include <chrono>

#include "attentive.h"
#include "best_symbols.h"
#include "entry.h"
#include "glove.h"
#include "output_layer.h"
#include "word_vectors.h"

namespace recurra::RECURRA_ISA_NAMESPACE {
namespace {

Entry entry_of(const Recurrence& call) {
  if (call.layer_norm) return normalised_entry(call);
  switch (call.cell) {
    case CellKind::kRnn: return rnn_entry(call);
    case CellKind::kLstm: return lstm_entry(call);
    default: return gru_entry(call);
  }
}

// Keeps each multiply-add where it stands.
#if defined(__AVX512F__)
#define RECURRA_REGISTER(value) "+v"(value)
#elif defined(__aarch64__)
#define RECURRA_REGISTER(value) "+w"(value)
#else
#define RECURRA_REGISTER(value) "+x"(value)
#endif

double peak_flops(double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRepeats = 2000;
  constexpr int kSums = 12;  // enough to hide the latency of two units, few enough for every register file
  Vector factor = broadcast(0.999f), term = broadcast(1e-3f);
  Vector s0 = term, s1 = term, s2 = term, s3 = term, s4 = term, s5 = term, s6 = term, s7 = term, s8 = term, s9 = term,
         s10 = term, s11 = term;
  double best = 0.0;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  do {
    const auto start = Clock::now();
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
#define RECURRA_STEP(sum)   \
  sum = sum * factor + term; \
  asm volatile("" : RECURRA_REGISTER(sum))
      RECURRA_STEP(s0); RECURRA_STEP(s1); RECURRA_STEP(s2); RECURRA_STEP(s3);
      RECURRA_STEP(s4); RECURRA_STEP(s5); RECURRA_STEP(s6); RECURRA_STEP(s7);
      RECURRA_STEP(s8); RECURRA_STEP(s9); RECURRA_STEP(s10); RECURRA_STEP(s11);
#undef RECURRA_STEP
    }
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, 2.0 * kLanes * kSums * kRepeats / took);
  } while (Clock::now() < end);
  Vector total = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11;
  volatile float used = sum(total);
  (void)used;
  return best;
}

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {
    RECURRA_ISA_NAME,
    [](const Recurrence& call) { entry_of(call).forward(call); },
    [](const Recurrence& call) { entry_of(call).backward(call); },
    [](const Recurrence& call) { return entry_of(call).saved_floats_a_row(call); },
    [](const Recurrence& call) { return entry_of(call).make_stepper(call); },
    [](const Recurrence& call) { return entry_of(call).pack(call); },
    output_layer_forward,
    output_layer_backward,
    attentive_forward,
    attentive_backward,
    attentive_pack,
    best_symbols,
    pack_vocabulary,
    train_word_vectors,
    train_glove,
    peak_flops,
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
