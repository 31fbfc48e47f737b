// The features of the running processor.
#pragma once

#include <string>
#include <vector>

namespace recurra {

// Names of the vector extensions that the running processor and operating system support, among
// those that a kernel can be compiled for: "sse4.2", "avx2", "fma", "avx512f", "avx512bf16" … on
// x86-64; "neon" on 64-bit Arm. Allocates only its result; safe from any thread.
std::vector<std::string> processor_features();

// Whether `name` is among processor_features().
bool has_feature(const std::string& name);

}  // namespace recurra
