#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "../dispatch.h"
#include "../parallel.h"
#include "../pool.h"
#include "cases.h"
#include "suites.h"

namespace recurra::tests {
namespace {

Case wide_case(std::uint64_t seed, long B, long H) {
  const std::vector<Case> cells = all_cells();
  Random random(seed);
  Case made = cells[static_cast<std::size_t>(random.below(static_cast<long>(cells.size())))];
  made = drawn_case(made, random, H, B);
  made.dy = made.hT = true;
  made.seed = seed;
  if (made.call.T == 0) {
    made.call.T = 4;
    made.call.N = 4 * B;
  }
  return made;
}

// All that one call, forward and then backward, writes.
struct Written {
  Floats y, hT, cT, c_steps, saved, dx, dweight_ih, dweight_hh;
  bool same_bits(const Written& other) const {
    return y.same_bits(other.y) && hT.same_bits(other.hT) && cT.same_bits(other.cT) && c_steps.same_bits(other.c_steps) &&
           dx.same_bits(other.dx) && dweight_ih.same_bits(other.dweight_ih) && dweight_hh.same_bits(other.dweight_hh);
  }
};

Written run(const Case& given, const Arrays& arrays, int threads) {
  Recurrence call = arrays.inputs();
  call.threads = threads;
  call.training = true;
  Written all;
  auto place = [&](Floats& floats, float* Recurrence::*field, long count) {
    floats = Floats(count, given.shift);
    call.*field = floats.data();
  };
  const bool is_lstm = call.cell == CellKind::kLstm;
  const long rows = given.call.H * (call.cell == CellKind::kRnn ? 1 : call.cell == CellKind::kGruNone ? 2 : !is_lstm ? 3 : 4 - call.coupled_gates + call.relevance_gate);
  place(all.y, &Recurrence::y, call.N * call.P);
  place(all.hT, &Recurrence::hT, call.B * call.P);
  if (is_lstm) place(all.cT, &Recurrence::cT, call.B * call.H);
  if (given.c_steps) place(all.c_steps, &Recurrence::c_steps, call.N * call.H);
  if (kernels().saved_floats_a_row(call) > 0) place(all.saved, &Recurrence::saved, call.N * kernels().saved_floats_a_row(call));
  kernels().forward(call);
  place(all.dx, &Recurrence::dx, call.N * call.I);
  place(all.dweight_ih, &Recurrence::dweight_ih, rows * call.I);
  place(all.dweight_hh, &Recurrence::dweight_hh, rows * call.P);
  kernels().backward(call);
  return all;
}

void test_calls_at_once(const std::string& set) {
  constexpr int kCallers = 4, kRounds = 5;
  begin_case("several calls at once, " + set);
  std::vector<Case> cases;
  std::vector<std::unique_ptr<Arrays>> arrays;
  std::vector<Written> alone, together(kCallers * kRounds);
  for (int i = 0; i < kCallers; ++i) {
    cases.push_back(wide_case(static_cast<std::uint64_t>(40 + i), 1 + 6 * i, 17 + 20 * i));
    arrays.push_back(std::make_unique<Arrays>(cases.back()));
    alone.push_back(run(cases.back(), *arrays.back(), 2));
  }
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      // Another case each round: so the memory that a thread keeps serves calls of different sizes.
      for (int round = 0; round < kRounds; ++round) {
        const std::size_t which = static_cast<std::size_t>((i + round) % kCallers);
        together[static_cast<std::size_t>(i * kRounds + round)] = run(cases[which], *arrays[which], 2);
      }
    });
  }
  for (std::thread& each : callers) each.join();
  for (int i = 0; i < kCallers; ++i) {
    for (int round = 0; round < kRounds; ++round) {
      const std::size_t which = static_cast<std::size_t>((i + round) % kCallers);
      expect(together[static_cast<std::size_t>(i * kRounds + round)].same_bits(alone[which]), "other bits than alone: " + cases[which].described());
    }
  }
}

void test_memory_used_again(const std::string& set) {
  const Case small = wide_case(5, 2, 9);
  begin_case("memory used again, " + set + ", " + small.described());
  const Arrays arrays(small);
  const Written first = run(small, arrays, 1);
  for (std::uint64_t seed = 20; seed < 26; ++seed) {
    const Case other = wide_case(seed, 20, 10 * static_cast<long>(seed) - 190);
    run(other, Arrays(other), 2);
    expect(run(small, arrays, 1).same_bits(first), "other bits after a call of another size: " + other.described());
  }
}

// What `child` returns in a forked process; -1 where it does not end within 60 seconds.
template <class Child>
int in_child(Child&& child) {
  std::fflush(stdout);
  const pid_t id = fork();
  if (id == 0) _exit(child());
  for (int waited = 0; waited < 6000; ++waited) {
    int status = 0;
    if (waitpid(id, &status, WNOHANG) == id) return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
    usleep(10000);
  }
  kill(id, SIGKILL);
  waitpid(id, nullptr, 0);
  return -1;
}

void test_fork(const std::string& set) {
  const Case given = wide_case(8, 12, 33);
  begin_case("a call in a forked child, " + set + ", " + given.described());
  const Arrays arrays(given);
  const Written before = run(given, arrays, 3);
  const int got = in_child([&] { return has_threads() ? 2 : run(given, arrays, 3).same_bits(before) ? 0 : 1; });
  expect(got == 0, "the child's exit code: got " + std::to_string(got) + ", expected 0 (-1: it hangs, 1: other numbers, 2: has threads)");
}

// A fork while other threads are at the pool: the child must not find it locked for ever.
void test_pool() {
  begin_case("the pool of blocks");
  std::atomic<bool> ending{false};
  std::atomic<long> wrong{0};
  std::vector<std::thread> borrowers;
  for (int number = 0; number < 3; ++number) {
    borrowers.emplace_back([&, number] {
      Random random(static_cast<std::uint64_t>(number));
      do {
        const long bytes = 1 + random.below(5 << 20);
        char* block = static_cast<char*>(borrow_block(static_cast<std::size_t>(bytes)));
        block[0] = static_cast<char>(number);
        block[bytes - 1] = static_cast<char>(number);
        std::this_thread::yield();
        if (block[0] != number || block[bytes - 1] != number || reinterpret_cast<std::uintptr_t>(block) % 64) ++wrong;
        give_back_block(block);
      } while (!ending);
    });
  }
  // A child of a process of several threads is more than the sanitizers promise to follow.
#if !defined(__SANITIZE_THREAD__)
  for (int round = 0; round < 20; ++round) {
    const int got = in_child([] {
      give_back_block(borrow_block(1 << 20));
      return 0;
    });
    expect(got == 0, "a child that borrows a block: got " + std::to_string(got) + ", expected 0 (-1: it hangs)");
    if (got != 0) break;
  }
#endif
  usleep(200000);
  ending = true;
  for (std::thread& each : borrowers) each.join();
  expect(wrong == 0, "a block was lent twice, or is not aligned");
  expect(kept_bytes() <= kMostKeptBytes, "the pool keeps " + std::to_string(kept_bytes()) + " bytes");
}

// Shares of the work are the same whoever takes them: all threads, some, one that comes last, or one alone.
void test_the_same_bits_however_many_take_part(const std::string& set) {
  for (std::uint64_t seed = 60; seed < 66; ++seed) {
    const Case given = wide_case(seed, 9, 40);
    begin_case("however many threads take part, " + set + ", " + given.described());
    const Arrays arrays(given);
    const Written together = run(given, arrays, 4);
    static thread_local int number = 0;
    OpenMP library;
    library.thread_num = [] { return number; };
    library.parallel = [](void (*body)(void*), void* data, unsigned, unsigned) { body(data); };  // gives one
    use_openmp(library);
    use_own_threads(false);
    expect(run(given, arrays, 4).same_bits(together), "other bits where one thread takes all shares");
    library.parallel = [](void (*body)(void*), void* data, unsigned threads, unsigned) {
      std::thread late([=] {
        number = static_cast<int>(threads) - 1;
        usleep(2000);
        body(data);
      });
      body(data);
      late.join();
    };
    use_openmp(library);
    expect(run(given, arrays, 4).same_bits(together), "other bits where a thread comes late");
    forget_runs();
    judge(4, Taken{90000, 1000}, 1);
    use_own_threads(true);
    use_openmp(OpenMP{});
    expect(run(given, arrays, 4).same_bits(together), "other bits on fewer threads");
    forget_runs();
  }
}

// Fewer threads where several take longer than one would need, more again later.
void test_fewer_for_a_while() {
  begin_case("threads that lose more than they bring");
  forget_runs();
  const auto at = [](std::int64_t now, int expected, const char* when) {
    const int got = threads_at(8, now);
    expect(got == expected, std::string(when) + ": got " + std::to_string(got) + " threads, expected " + std::to_string(expected));
  };
  for (int i = 0; i < 100; ++i) judge(8, Taken{1000, 7000}, 0);
  judge(8, Taken{9000, 7000}, 0);
  at(0, 8, "after a hiccup");
  for (int i = 0; i < 30; ++i) judge(8, Taken{1200, 1000}, 0);
  at(0, 8, "where nothing is won");
  forget_runs();
  judge(8, Taken{4000, 1000}, 0);
  judge(8, Taken{4000, 1000}, 0);
  at(0, 8, "before there is enough to judge by");
  judge(8, Taken{4000, 1000}, 0);
  at(179'999, 4, "after runs that lost 9 ms");
  at(180'000, 8, "twenty times as long later");
  judge(8, Taken{20000, 10000}, 180'000);
  at(180'000 + 199'999, 4, "where it was no better");
  judge(4, Taken{20000, 10000}, 200'000);
  at(200'000 + 199'999, 2, "where fewer lose, too");
  at(400'000, 4, "a while later");
  judge(4, Taken{10000, 30000}, 400'000);
  at(400'001, 8, "once fewer win");
  judge(8, Taken{10000, 60000}, 400'001);
  at(400'002, 8, "once all win");
  judge(2, Taken{500000, 1000}, 500'000);
  at(500'000 + 999'999, 1, "at most a second");
  at(500'000 + 1'000'000, 2, "after a second");
  expect(threads_at(1, 600'000) == 1, "one share, one thread");
  forget_runs();
}

// A library may give fewer threads than were asked for: here always one.
void test_fewer_threads(const Sets& sets) {
  OpenMP one;
  one.parallel = [](void (*body)(void*), void* data, unsigned, unsigned) { body(data); };
  one.thread_num = [] { return 0; };
  use_openmp(one);
  use_own_threads(false);
  for (std::uint64_t seed = 1; seed <= 40; ++seed) fuzz_case(sets, seed);
  use_openmp(OpenMP{});
  use_own_threads(true);
}

// The same through a real OpenMP library, where there is one; ThreadSanitizer does not know its barriers.
void test_openmp(const Sets& sets) {
#if !defined(__SANITIZE_THREAD__)
  void* library = dlopen("libgomp.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::puts("  no libgomp.so.1: its threads are not tested");
    return;
  }
  OpenMP functions;
  functions.parallel = reinterpret_cast<decltype(functions.parallel)>(dlsym(library, "GOMP_parallel"));
  functions.thread_num = reinterpret_cast<decltype(functions.thread_num)>(dlsym(library, "omp_get_thread_num"));
  use_own_threads(false);
  expect(!has_threads(), "threads without own ones and before OpenMP was handed over");
  use_openmp(functions);
  expect(has_threads(), "no threads with OpenMP");
  for (const std::string& set : sets) {
    use_instruction_set(set);
    const Case given = wide_case(8, 12, 33);
    begin_case("OpenMP's threads, " + set + ", " + given.described());
    const Arrays arrays(given);
    use_own_threads(true);
    const Written own = run(given, arrays, 2);
    use_own_threads(false);
    expect(run(given, arrays, 2).same_bits(own), "other bits than with own threads");
    test_fork(set);
  }
  use_openmp(OpenMP{});
  use_own_threads(true);
#endif
  (void)sets;
}

}  // namespace

void test_threads(const Sets& sets) {
  for (const std::string& set : sets) {
    use_instruction_set(set);
    test_calls_at_once(set);
    test_memory_used_again(set);
    test_fork(set);
    test_the_same_bits_however_many_take_part(set);
  }
  test_fewer_for_a_while();
  test_fewer_threads(sets);
  test_openmp(sets);
  test_pool();
}

}  // namespace recurra::tests
