#include "gru.h"

#include "entry.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

Entry gru_entry(const Recurrence& call) {
  switch (call.cell) {
    case CellKind::kGruBefore: return entry<GruBefore>();
    case CellKind::kGruNone: return entry<GruNone>();
    default: return entry<GruAfter>();
  }
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
