#include "entry.h"
#include "gru.h"
#include "lstm.h"
#include "normalised_backward.h"
#include "normalised_forward.h"
#include "rnn.h"

namespace recurra::RECURRA_ISA_NAMESPACE {
namespace {

template <class Cell>
constexpr Entry normalised() {
  return entry<Cell, NormalisedForward<Cell>, NormalisedBackward<Cell>>();
}

}  // namespace

Entry normalised_entry(const Recurrence& call) {
  switch (call.cell) {
    case CellKind::kRnn: return normalised<Rnn>();
    case CellKind::kGruAfter: return normalised<GruAfter>();
    case CellKind::kGruBefore: return normalised<GruBefore>();
    case CellKind::kGruNone: return normalised<GruNone>();
    case CellKind::kLstm: break;
  }
  if (call.relevance_gate) return normalised<Lstm<false, true>>();
  return call.coupled_gates ? normalised<Lstm<true, false>>() : normalised<Lstm<false, false>>();
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
