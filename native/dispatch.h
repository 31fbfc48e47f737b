// The choice of the instruction set of the kernels: the best that the processor has, or the requested one.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace recurra {

// Names of the compiled instruction sets that this processor can run, best first. The last one, "plain" or on
// 64-bit Arm "neon", runs everywhere.
std::vector<std::string> instruction_sets();

// Uses `name` from now on. Returns false and changes nothing if it is not among instruction_sets(). Not
// safe while kernels run.
bool use_instruction_set(const std::string& name);

// The kernels in use: the best, unless use_instruction_set chose others.
const Kernels& kernels();

}  // namespace recurra
