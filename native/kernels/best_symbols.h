// The best symbols of rows of scores, of one instruction set.
#pragma once

#include "../best_symbols.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

void best_symbols(const BestSymbols& call);

}  // namespace recurra::RECURRA_ISA_NAMESPACE
