// The best symbols of rows of scores, of one instruction set.
#pragma once

#include "../best_symbols.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

void best_symbols(const BestSymbols& call);
// weight [V,H]; bias [V] or null. The caller deletes it.
PackedVocabulary* pack_vocabulary(const float* weight, const float* bias, std::int64_t V, std::int64_t H);

}  // namespace recurra::RECURRA_ISA_NAMESPACE
