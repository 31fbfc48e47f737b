#include "dispatch.h"

#include "processor.h"

namespace recurra {

#if defined(RECURRA_HAS_AVX512)
namespace avx512 { extern const Kernels kernels; }
#endif
#if defined(RECURRA_HAS_AVX2)
namespace avx2 { extern const Kernels kernels; }
#endif
#if defined(RECURRA_HAS_NEON)
namespace neon { extern const Kernels kernels; }
#endif
#if defined(RECURRA_HAS_PLAIN)
namespace plain { extern const Kernels kernels; }
#endif

namespace {

// All kernels that this processor can run, best first.
std::vector<const Kernels*> runnable() {
  std::vector<const Kernels*> found;
#if defined(RECURRA_HAS_AVX512)
  if (has_feature("avx512f") && has_feature("avx512dq") && has_feature("avx512bw") && has_feature("avx512vl")) {
    found.push_back(&avx512::kernels);
  }
#endif
#if defined(RECURRA_HAS_AVX2)
  if (has_feature("avx2") && has_feature("fma")) found.push_back(&avx2::kernels);
#endif
#if defined(RECURRA_HAS_NEON)
  found.push_back(&neon::kernels);
#endif
#if defined(RECURRA_HAS_PLAIN)
  found.push_back(&plain::kernels);
#endif
  return found;
}

const Kernels*& chosen() {
  static const Kernels* best = runnable().front();
  return best;
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Kernels* each : runnable()) names.emplace_back(each->name);
  return names;
}

bool use_instruction_set(const std::string& name) {
  for (const Kernels* each : runnable()) {
    if (name == each->name) {
      chosen() = each;
      return true;
    }
  }
  return false;
}

const Kernels& kernels() { return *chosen(); }

}  // namespace recurra
