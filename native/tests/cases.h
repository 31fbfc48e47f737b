// Calls of the recurrent kernels: every cell and option, with sizes and choices drawn from a seed.
#pragma once

#include <string>
#include <vector>

#include "arrays.h"
#include "../recurrence.h"

namespace recurra::tests {

// What a call is asked to do, before it has arrays.
struct Case {
  Recurrence call;  // options and sizes; no addresses
  std::vector<std::int64_t> batch_sizes;
  bool projected = false;
  bool bias_ih = true, bias_hh = true, projection_bias = true;
  bool keep_hidden = false, keep_cell = false;
  bool c_steps = true, hT = true;
  bool dy = true, dhT = true, dcT = true, dc_steps = true;
  unsigned wanted = ~0u;  // which gradients, a bit for each
  long shift = 0;         // floats between the start of a heap block and each array
  double input_scale = 1.0;
  std::uint64_t seed = 0;

  std::string described() const;
};

// Every cell with every combination of its options; sizes are not set.
std::vector<Case> all_cells();

// `cell` with everything else drawn; H and B where they are not 0.
Case drawn_case(const Case& cell, Random& random, long H, long B);

// The arrays of a case: filled inputs, outputs that hold NaN.
class Arrays {
 public:
  // `shaken`: each input is a unit in the last place off.
  explicit Arrays(const Case& given, bool shaken = false);
  // The call with the addresses of inputs, and of gradients that arrive.
  Recurrence inputs() const;
  // Whether all inputs are as they were made.
  bool inputs_unchanged() const;

 private:
  Case case_;
  std::vector<std::pair<const float* Recurrence::*, Floats>> floats_, originals_;
  std::unique_ptr<std::int64_t[]> batch_sizes_;
};

// Runs forward and backward on every instruction set in `sets` with 1, 2 and 3 threads, and holds all that they
// write against the reference.
void check_case(const Case& given, const std::vector<std::string>& sets);

}  // namespace recurra::tests
