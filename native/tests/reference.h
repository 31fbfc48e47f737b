// A recurrence computed one number at a time in double precision, straight from the equations of recurra/cells.
#pragma once

#include <vector>

#include "../recurrence.h"

namespace recurra::tests {

// Named as in Recurrence; empty where the call has no such thing.
struct Reference {
  std::vector<double> y, hT, cT, c_steps;
  std::vector<double> dx, dh0, dc0, dweight_ih, dweight_hh, dbias_ih, dbias_hh, dprojection, dprojection_bias, dpeephole;
  std::vector<double> dgain_ih, dgain_hh, dgain_cell, dshift_cell;
  double closest_kink = 0.0;
};

// Outputs, and the gradients that belong to dy, dhT, dcT and dc_steps of the call; it writes to none of the call's arrays.
Reference reference_of(const Recurrence& call);

// Row blocks of the weights, and blocks of peephole weights.
long blocks_of(const Recurrence& call);
long peephole_blocks_of(const Recurrence& call);

}  // namespace recurra::tests
