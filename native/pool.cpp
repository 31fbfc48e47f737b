#include "pool.h"

#include <pthread.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace recurra {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

struct Block {
  void* memory;
  std::size_t bytes;
};

// The oldest kept blocks come first. Never destroyed: blocks may be given back while the process ends.
struct Pool {
  std::mutex mutex;
  std::vector<Block> kept;
  std::size_t kept_bytes = 0;
  std::unordered_map<void*, std::size_t> lent;
};

Pool& pool() {
  static Pool* const only = new Pool;
  return *only;
}

// A fork waits until no thread holds the pool's lock, because no thread could unlock it in the child.
struct AtFork {
  AtFork() {
    pthread_atfork([] { pool().mutex.lock(); }, [] { pool().mutex.unlock(); }, [] { pool().mutex.unlock(); });
  }
} at_fork;

}  // namespace

void* borrow_block(std::size_t bytes) {
  bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  Pool& all = pool();
  {
    const std::lock_guard<std::mutex> lock(all.mutex);
    // The smallest block that fits, at most a quarter larger than needed: the rest of a larger one would be wasted.
    std::size_t best = all.kept.size();
    for (std::size_t i = 0; i < all.kept.size(); ++i) {
      const std::size_t has = all.kept[i].bytes;
      if (has >= bytes && has - bytes <= bytes / 4 && (best == all.kept.size() || has < all.kept[best].bytes)) best = i;
    }
    if (best < all.kept.size()) {
      const Block block = all.kept[best];
      all.lent.emplace(block.memory, block.bytes);
      all.kept.erase(all.kept.begin() + static_cast<std::ptrdiff_t>(best));
      all.kept_bytes -= block.bytes;
      return block.memory;
    }
  }
  void* memory = std::aligned_alloc(kHugePage, bytes);
  if (!memory) throw std::bad_alloc();
#if defined(__linux__)
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.lent.emplace(memory, bytes);
  return memory;
}

void give_back_block(void* memory) noexcept {
  Pool& all = pool();
  std::vector<void*> surplus;
  {
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto found = all.lent.find(memory);
    if (found == all.lent.end()) return;
    const std::size_t bytes = found->second;
    all.lent.erase(found);
    try {
      all.kept.push_back({memory, bytes});
      all.kept_bytes += bytes;
      while (all.kept_bytes > kMostKeptBytes) {
        surplus.push_back(all.kept.front().memory);
        all.kept_bytes -= all.kept.front().bytes;
        all.kept.erase(all.kept.begin());
      }
    } catch (const std::bad_alloc&) {  // no memory for the list itself: a block that is not on it is freed
      if (all.kept.empty() || all.kept.back().memory != memory) surplus.push_back(memory);
    }
  }
  for (void* each : surplus) std::free(each);
}

std::size_t kept_bytes() {
  Pool& all = pool();
  const std::lock_guard<std::mutex> lock(all.mutex);
  return all.kept_bytes;
}

}  // namespace recurra
