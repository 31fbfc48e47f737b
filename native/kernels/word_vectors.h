// Training of word vectors for one instruction set; ../word_vectors.h says what it computes.
#pragma once

#include "../word_vectors.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

void train_word_vectors(WordVectorsCall& call);

}  // namespace recurra::RECURRA_ISA_NAMESPACE
