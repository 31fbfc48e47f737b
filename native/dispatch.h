// Which instruction set's kernels run: the best that the processor has, or the one that is asked for.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace recurra {

// Names of those compiled in that this processor can run, the best first. The last, "plain" or on
// 64-bit Arm "neon", runs everywhere.
std::vector<std::string> instruction_sets();

// From now on `name` is used. False, and nothing changes, where it is not among instruction_sets(). Not
// safe while kernels run.
bool use_instruction_set(const std::string& name);

// What runs now: the best, unless use_instruction_set said otherwise.
const Kernels& kernels();

}  // namespace recurra
