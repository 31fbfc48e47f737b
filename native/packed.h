// The weights of one direction of one layer, packed once for many calls of forward.
#pragma once

#include "recurrence.h"

namespace recurra {

// Created by the kernels of one instruction set and usable only with them. The source weights may be freed.
class PackedLayer {
 public:
  virtual ~PackedLayer() = default;
  // Like Kernels::forward, with these weights instead of the call's; of the latter only the presence of a projection
  // matters. The call must fit. Several threads may call it at the same time.
  virtual void forward(const Recurrence& call) const = 0;

  // Whether a call is for the packed layer, with any number of steps and rows, forwards or backwards in time.
  bool fits(const Recurrence& call) const {
    return !call.training && call.cell == packed_.cell && call.activation == packed_.activation &&
           call.output_activation == packed_.output_activation && call.peepholes == packed_.peepholes &&
           call.coupled_gates == packed_.coupled_gates && call.relevance_gate == packed_.relevance_gate &&
           call.layer_norm == packed_.layer_norm && call.I == packed_.I && call.H == packed_.H && call.P == packed_.P &&
           (call.projection != nullptr) == (packed_.projection != nullptr);
  }

 protected:
  explicit PackedLayer(const Recurrence& call) : packed_(call) {}

 private:
  const Recurrence packed_;  // only its numbers are used; the addresses may be invalid
};

}  // namespace recurra
