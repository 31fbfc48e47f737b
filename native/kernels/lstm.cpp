#include "lstm.h"

#include "entry.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

Entry lstm_entry(const Recurrence& call) {
  if (call.relevance_gate) return entry<Lstm<false, true>>();
  return call.coupled_gates ? entry<Lstm<true, false>>() : entry<Lstm<false, false>>();
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
