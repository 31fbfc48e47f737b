#include "rnn.h"

#include "entry.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

Entry rnn_entry(const Recurrence&) { return entry<Rnn>(); }

}  // namespace recurra::RECURRA_ISA_NAMESPACE
