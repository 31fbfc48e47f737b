#include "processor.h"

#include <algorithm>

namespace recurra {

std::vector<std::string> processor_features() {
  std::vector<std::string> features;
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
  // The compiler's own test also asks the operating system whether it saves the wide registers.
  __builtin_cpu_init();
  if (__builtin_cpu_supports("sse4.2")) features.emplace_back("sse4.2");
  if (__builtin_cpu_supports("avx2")) features.emplace_back("avx2");
  if (__builtin_cpu_supports("fma")) features.emplace_back("fma");
  if (__builtin_cpu_supports("avx512f")) features.emplace_back("avx512f");
  if (__builtin_cpu_supports("avx512bw")) features.emplace_back("avx512bw");
  if (__builtin_cpu_supports("avx512dq")) features.emplace_back("avx512dq");
  if (__builtin_cpu_supports("avx512vl")) features.emplace_back("avx512vl");
  if (__builtin_cpu_supports("avx512vnni")) features.emplace_back("avx512vnni");
  if (__builtin_cpu_supports("avx512bf16")) features.emplace_back("avx512bf16");
#elif defined(__aarch64__)
  features.emplace_back("neon");  // part of the architecture
#endif
  return features;
}

bool has_feature(const std::string& name) {
  static const std::vector<std::string> features = processor_features();
  return std::find(features.begin(), features.end(), name) != features.end();
}

}  // namespace recurra
