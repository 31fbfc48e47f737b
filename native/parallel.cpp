#include "parallel.h"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace recurra {
namespace {

OpenMP openmp;
bool own_threads = false;
std::atomic<bool> forked{false};

void after_fork_in_child() { forked.store(true, std::memory_order_relaxed); }

struct AtFork {
  AtFork() { pthread_atfork(nullptr, nullptr, after_fork_in_child); }
} at_fork;

std::int64_t now_us() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

// CPU time of the calling thread, in nanoseconds.
std::int64_t worked_ns() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return std::int64_t{spent.tv_sec} * 1'000'000'000 + spent.tv_nsec;
}

// --- The number of threads.

// Runs are judged together once their total time reaches kEnoughToJudge: a delay of a few milliseconds alone means
// nothing. Earlier runs count less and less.
constexpr std::int64_t kEnoughToJudge = 10'000, kLongAgo = 40'000;
// Several threads may take this many quarters of the time that one would need; the work is not measured exactly.
constexpr std::int64_t kQuarters = 5;
// Fewer threads are used until the lost time is a twentieth of the elapsed time.
constexpr std::int64_t kTimesLost = 20, kLongestRest = 1'000'000;

std::atomic<int> most_threads{0};  // 0: as many as there are ranks
std::atomic<std::int64_t> until{0};
std::atomic<std::int64_t> recent_all{0}, recent_work{0};  // of runs on several threads; inexact if calls overlap
std::atomic<std::int64_t> watched_all{0}, watched_own{0};
constexpr std::int64_t kLongestCrowd = 30'000'000;  // one long call may lose a second before it is noticed

// --- Threads of torch's own operations.
//
// Waiting threads of GNU OpenMP spin for milliseconds, unless there are more threads than processors. So while several
// threads are slower than one, a few additional threads sleep in their own team: then the threads of torch's operations
// around the kernels do not spin either. There is no other way to tell the library once it is loaded.

std::atomic<bool> crowded{false};
std::atomic<std::int64_t> crowded_until{0};

void sleep_in_the_crowd(void*) {
  for (std::int64_t left; (left = crowded_until.load(std::memory_order_relaxed) - now_us()) > 0;) {
    std::this_thread::sleep_for(std::chrono::microseconds(left));
  }
}

// Makes the number of threads exceed the number of processors; `threads` of them are the caller's.
void crowd(int threads, std::int64_t end) {
  crowded_until.store(std::max(end, crowded_until.load(std::memory_order_relaxed)), std::memory_order_relaxed);
  if (forked.load(std::memory_order_relaxed) || own_threads || openmp.parallel == nullptr || crowded.exchange(true)) return;
  const int processors = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const unsigned sleepers = static_cast<unsigned>(std::max(2, processors - threads + 2));
  try {
    std::thread([sleepers, parallel = openmp.parallel] {
      parallel(sleep_in_the_crowd, nullptr, sleepers, 0);
      crowded.store(false);
    }).detach();
  } catch (const std::system_error&) {  // no thread could be created
    crowded.store(false);
  }
}

// --- One call's work.

constexpr int kShortSpins = 100;  // too short to measure
constexpr int kSpins = 5000;      // about 0.1 ms; then a waiting thread sleeps

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Job {
 public:
  Job(int ranks, long phases, void (*part)(void*, long, const Share&), void* data)
      : ranks_(ranks), phases_(static_cast<std::uint32_t>(phases)), part_(part), data_(data) {
    if (ranks > kFew) more_ = std::make_unique<Claim[]>(static_cast<std::size_t>(ranks));
    claims_ = ranks > kFew ? more_.get() : few_;
  }

  // Works until all parts are done, starting with the parts of rank `own`.
  void work(int own) {
    const std::int64_t begin = worked_ns();
    std::int64_t spun = 0;
    std::uint32_t phase = phase_.load(std::memory_order_acquire);
    while (phase < phases_) {
      for (int i = 0; i < ranks_; ++i) {
        const int rank = (own + i) % ranks_;
        // The phase may be over by now; then all its parts are claimed.
        std::uint32_t unclaimed = phase;
        std::atomic<std::uint32_t>& next = claims_[rank].next;
        if (next.load(std::memory_order_relaxed) != phase) continue;
        if (!next.compare_exchange_strong(unclaimed, phase + 1, std::memory_order_relaxed)) continue;
        part_(data_, phase, Share{rank, ranks_});
        finish(phase);
      }
      phase = wait_beyond(phase, spun);
    }
    worked_.fetch_add(worked_ns() - begin - spun, std::memory_order_relaxed);
  }

  // The CPU time of all threads without waiting; valid once they have returned.
  std::int64_t worked_us() const { return worked_.load(std::memory_order_relaxed) / 1000; }

 private:
  static constexpr int kFew = 16;
  struct alignas(64) Claim {
    std::atomic<std::uint32_t> next{0};  // the first phase in which no thread has started this rank's part
  };

  void finish(std::uint32_t phase) {
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 != (static_cast<std::int64_t>(phase) + 1) * ranks_) return;
    phase_.store(phase + 1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) wake();
  }

  // Waits for the next phase and returns it; adds the CPU time of waiting to `spun`.
  std::uint32_t wait_beyond(std::uint32_t phase, std::int64_t& spun) {
    for (int spin = 0; spin < kShortSpins; ++spin) {
      const std::uint32_t now = phase_.load(std::memory_order_acquire);
      if (now != phase) return now;
      relax();
    }
    const std::int64_t begin = worked_ns();
    for (int spin = 0; spin < kSpins && phase_.load(std::memory_order_acquire) == phase; ++spin) relax();
    if (phase_.load(std::memory_order_acquire) == phase) {
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      while (phase_.load(std::memory_order_seq_cst) == phase) sleep_at(phase);
      sleepers_.fetch_sub(1, std::memory_order_seq_cst);
    }
    spun += worked_ns() - begin;
    return phase_.load(std::memory_order_acquire);
  }

#if defined(__linux__)
  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t), "a futex is a plain number");
  void sleep_at(std::uint32_t phase) {
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&phase_), FUTEX_WAIT_PRIVATE, phase, nullptr, nullptr, 0);
  }
  void wake() {
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&phase_), FUTEX_WAKE_PRIVATE, 1 << 30, nullptr, nullptr, 0);
  }
#else
  void sleep_at(std::uint32_t) { std::this_thread::yield(); }
  void wake() {}
#endif

  const int ranks_;
  const std::uint32_t phases_;
  void (*const part_)(void*, long, const Share&);
  void* const data_;
  Claim few_[kFew];
  std::unique_ptr<Claim[]> more_;
  Claim* claims_;
  alignas(64) std::atomic<std::int64_t> done_{0};  // parts, of all phases
  alignas(64) std::atomic<std::uint32_t> phase_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<std::int64_t> worked_{0};
};

// A job and its threads; each thread starts with a different rank.
struct Run {
  Job& job;
  int ranks, threads;

  void take(int thread) { job.work(static_cast<int>(static_cast<long>(thread) * ranks / threads)); }
};

void in_own_threads(Run& run) {
  std::vector<std::thread> others;
  for (int thread = 1; thread < run.threads; ++thread) others.emplace_back([&run, thread] { run.take(thread); });
  run.take(0);
  for (std::thread& other : others) other.join();
}

}  // namespace

void use_openmp(const OpenMP& library) { openmp = library; }

void use_own_threads(bool on) { own_threads = on; }

bool has_threads() {
  return !forked.load(std::memory_order_relaxed) && (own_threads || openmp.parallel != nullptr);
}

int threads_at(int ranks, std::int64_t now) {
  const int most = most_threads.load(std::memory_order_relaxed);
  if (most == 0 || most >= ranks) return ranks;
  // Tries twice as many threads again; the result is judged again.
  return now < until.load(std::memory_order_relaxed) ? most : std::min(ranks, 2 * most);
}

int threads_now(int ranks) {
  if (ranks <= 1 || !has_threads()) return 1;
  // The time is needed only if the number of threads is limited.
  return most_threads.load(std::memory_order_relaxed) == 0 ? ranks : threads_at(ranks, now_us());
}

bool judge(int threads, const Taken& taken, std::int64_t now) {
  const std::int64_t all = recent_all.load(std::memory_order_relaxed) + taken.all_us;
  const std::int64_t work = recent_work.load(std::memory_order_relaxed) + taken.work_us;
  const std::int64_t parts = all > kLongAgo ? 2 : 1;
  recent_all.store(all / parts, std::memory_order_relaxed);
  recent_work.store(work / parts, std::memory_order_relaxed);
  if (all < kEnoughToJudge) return false;
  const int most = most_threads.load(std::memory_order_relaxed);
  const bool loses = 4 * all > kQuarters * work;
  if (loses) {
    most_threads.store(std::max(1, threads / 2), std::memory_order_relaxed);
    until.store(now + std::min(kLongestRest, kTimesLost * (all - work)), std::memory_order_relaxed);
  } else if (most != 0 && threads > most) {
    most_threads.store(threads, std::memory_order_relaxed);
  }
  if (loses || (most != 0 && threads > most)) {
    recent_all.store(0, std::memory_order_relaxed);
    recent_work.store(0, std::memory_order_relaxed);
  }
  return loses;
}

void judge(int threads, const Taken& taken) {
  if (judge(threads, taken, now_us())) crowd(threads, until.load(std::memory_order_relaxed));
}

void watch(int threads, std::int64_t all_us, std::int64_t own_us) {
  if (threads <= 1 || crowded.load(std::memory_order_relaxed)) return;
  const std::int64_t all = watched_all.fetch_add(all_us, std::memory_order_relaxed) + all_us;
  const std::int64_t own = watched_own.fetch_add(own_us, std::memory_order_relaxed) + own_us;
  if (all < kEnoughToJudge) return;
  watched_all.store(0, std::memory_order_relaxed);
  watched_own.store(0, std::memory_order_relaxed);
  if (4 * all > kQuarters * own) crowd(threads, now_us() + std::min(kLongestCrowd, kTimesLost * (all - own)));
}

void forget_runs() {
  for (auto* each : {&until, &recent_all, &recent_work}) each->store(0);
  most_threads.store(0);
}

void run_phases(int ranks, long phases, void (*part)(void*, long, const Share&), void* data) {
  const int threads = threads_now(ranks);
  if (threads == 1) {
    for (long phase = 0; phase < phases; ++phase) {
      for (int rank = 0; rank < ranks; ++rank) part(data, phase, Share{rank, ranks});
    }
    return;
  }
  const std::int64_t begin = now_us();
  Job job(ranks, phases, part, data);
  Run run{job, ranks, threads};
  if (own_threads) {
    in_own_threads(run);
  } else {
    openmp.parallel([](void* given) { static_cast<Run*>(given)->take(openmp.thread_num()); }, &run,
                    static_cast<unsigned>(threads), 0);
  }
  if (!own_threads) judge(threads, Taken{now_us() - begin, job.worked_us()});
}

}  // namespace recurra
