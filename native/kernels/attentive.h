// A recurrent layer with attention, of one instruction set; native/attentive.h says what it computes.
#pragma once

#include "../attentive.h"

#ifndef RECURRA_ISA_NAMESPACE
#error "RECURRA_ISA_NAMESPACE is not set; the build sets it for each instruction set"
#endif

namespace recurra::RECURRA_ISA_NAMESPACE {

void attentive_forward(const Attentive& call);
void attentive_backward(const Attentive& call);
PackedAttentive* attentive_pack(const Attentive& call);

}  // namespace recurra::RECURRA_ISA_NAMESPACE
