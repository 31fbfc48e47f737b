// The threads that a kernel runs on: those of the OpenMP library that the process has already loaded.
//
// Linking our own OpenMP library would add a second pool of threads to torch's, and the two would compete for
// the cores. So the library is found at run time (recurra/kernels/extension.py) and passed as the addresses of
// two of its functions. Without it everything runs on the calling thread.
//
// Work is split into ranks, one per requested thread, and into phases. Any thread can do a rank's part of a phase:
// each thread starts with its own part and then takes over parts that no thread has started. So a thread that the
// system suspends delays the others only by the part that it is working on, and results are identical to the bit
// for any number of threads.
//
// If work takes longer on several threads than it would on one, as on a machine shared with other processes,
// fewer threads are used, and more again after a while.
#pragma once

#include <cstdint>

namespace recurra {

// Functions of the GNU OpenMP interface, which LLVM's and Intel's libraries also provide.
struct OpenMP {
  void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags) = nullptr;
  int (*thread_num)() = nullptr;
};

// Runs work on this library's threads from now on. Not safe while kernels run.
void use_openmp(const OpenMP& library);

// Runs work on threads created for each call from now on: for tests that check threads (ThreadSanitizer
// does not support OpenMP's barriers) and for programs without OpenMP. Not safe while kernels run.
void use_own_threads(bool on);

// One share of the work.
struct Share {
  int rank = 0;
  int size = 1;
};

// Calls part(data, phase, share) for each phase in turn and each of `ranks` shares, on at most that many threads,
// including the calling one; returns when all calls have returned. A phase starts when all parts of the previous
// one have returned; parts of one phase may run at the same time or one after another. A forked child has none of
// the parent's threads, so it runs everything on the calling thread. part must not throw.
void run_phases(int ranks, long phases, void (*part)(void* data, long phase, const Share& share), void* data);

// The same for an object, by calls of pass.part(phase, share).
template <class Pass>
void run_pass(Pass& pass, int ranks, long phases) {
  run_phases(ranks, phases, [](void* self, long phase, const Share& share) { static_cast<Pass*>(self)->part(phase, share); },
             &pass);
}

// Whether more than one thread is available.
bool has_threads();

// The number of threads that work in `ranks` shares would use now: fewer for a while after threads waited long.
int threads_now(int ranks);

// The time of a run in microseconds: the elapsed time, and the CPU time of all its threads without waiting, which
// is about the time that one thread would need.
struct Taken {
  std::int64_t all_us;
  std::int64_t work_us;
};

// The choice of the number of threads, for tests: judge records the times of a run on `threads` threads, threads_at
// returns the number of threads at a given time, forget_runs forgets all runs. judge with a time returns whether
// several threads are slower than one.
void judge(int threads, const Taken& taken);
bool judge(int threads, const Taken& taken, std::int64_t now_us);
int threads_at(int ranks, std::int64_t now_us);
void forget_runs();

// Records a run of other code on the same library's threads: microseconds of elapsed time and of CPU time of the
// calling thread. If other processes take a part of that, waiting threads are made to sleep instead of spin.
void watch(int threads, std::int64_t all_us, std::int64_t own_us);

}  // namespace recurra
