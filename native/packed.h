// The weights of one layer in one direction, packed once for many calls of forward.
#pragma once

#include "recurrence.h"

namespace recurra {

// Made by the kernels of an instruction set, and stays with them. What it was made from may go.
class PackedLayer {
 public:
  virtual ~PackedLayer() = default;
  // As Kernels::forward does, with these weights in the place of the call's: of those it matters only whether there
  // is a projection. The call must fit. Several threads may call at once.
  virtual void forward(const Recurrence& call) const = 0;

  // Whether a call is of the layer that was packed, of any steps and rows, forwards or backwards in time.
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
  const Recurrence packed_;  // its numbers; the addresses are no longer good
};

}  // namespace recurra
