// Training of GloVe vectors for one instruction set; ../glove.h says what it computes.
#pragma once

#include "../glove.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

void train_glove(GloveCall& call);

}  // namespace recurra::RECURRA_ISA_NAMESPACE
