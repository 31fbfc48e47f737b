// The output layer of one instruction set: a product with the vocabulary, log-softmax and cross-entropy.
#pragma once

#include "../output_layer.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// Losses, and where gradients are wanted those of their sum or mean: three products, no logit computed twice.
void output_layer_forward(OutputLayer& call);

// The gradients for any weights of the tokens, `dlosses`: three products, one of them the logits again.
void output_layer_backward(OutputLayer& call);

}  // namespace recurra::RECURRA_ISA_NAMESPACE
