#include "parallel.h"

#include <pthread.h>

#include <atomic>
#include <thread>
#include <vector>

namespace recurra {
namespace {

OpenMP openmp;
bool own_threads = false;
std::atomic<bool> forked{false};

void after_fork_in_child() { forked.store(true, std::memory_order_relaxed); }

struct AtFork {
  AtFork() { pthread_atfork(nullptr, nullptr, after_fork_in_child); }
} at_fork;

struct Work {
  void (*body)(void*, const Team&);
  void* data;
};

void in_openmp(void* given) {
  const Work& work = *static_cast<Work*>(given);
  Team team;
  team.rank = openmp.thread_num();
  team.size = openmp.num_threads();
  team.wait = [](void*) { openmp.barrier(); };
  work.body(work.data, team);
}

void in_own_threads(int threads, const Work& work) {
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(threads));
  auto run = [&](int rank) {
    Team team;
    team.rank = rank;
    team.size = threads;
    team.wait = [](void* waiting) { pthread_barrier_wait(static_cast<pthread_barrier_t*>(waiting)); };
    team.waiting = &barrier;
    work.body(work.data, team);
  };
  std::vector<std::thread> others;
  for (int rank = 1; rank < threads; ++rank) others.emplace_back(run, rank);
  run(0);
  for (std::thread& other : others) other.join();
  pthread_barrier_destroy(&barrier);
}

}  // namespace

void use_openmp(const OpenMP& library) { openmp = library; }

void use_own_threads(bool on) { own_threads = on; }

bool has_threads() {
  return !forked.load(std::memory_order_relaxed) && (own_threads || openmp.parallel != nullptr);
}

void run_team(int threads, void (*body)(void*, const Team&), void* data) {
  Work work{body, data};
  if (threads <= 1 || !has_threads()) return body(data, Team{});
  if (own_threads) return in_own_threads(threads, work);
  openmp.parallel(in_openmp, &work, static_cast<unsigned>(threads), 0);
}

}  // namespace recurra
