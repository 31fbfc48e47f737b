// The threads that a kernel runs on: those of the OpenMP library that the process has loaded already.
//
// Linking an OpenMP library of our own would put a second pool of threads beside torch's, and the two
// would fight for the cores. So the library is found at run time (recurra/kernels/extension.py) and handed
// over by the addresses of two of its functions. Without it everything runs on the calling thread.
//
// Work is cut into ranks, as many as threads were asked for, and into phases. Who does a rank's part of a phase
// does not matter: each thread begins with its own, and takes over what nobody has begun. So a thread that the
// system does not let run holds up no other, but for the part that it is in the midst of; and results are the same
// to the bit however many threads took part.
//
// Where work takes longer on several threads than one alone would need for it, as on a machine that others use too,
// fewer are asked for, and more again a while later.
#pragma once

#include <cstdint>

namespace recurra {

// Functions of the GNU OpenMP interface, which LLVM's and Intel's libraries offer too.
struct OpenMP {
  void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags) = nullptr;
  int (*thread_num)() = nullptr;
};

// From now on work runs on this library's threads. Not safe while kernels run.
void use_openmp(const OpenMP& library);

// From now on work runs on threads made for each call: for tests that watch threads (ThreadSanitizer
// does not know OpenMP's barriers) and for programs without OpenMP. Not safe while kernels run.
void use_own_threads(bool on);

// One share of the work.
struct Share {
  int rank = 0;
  int size = 1;
};

// Calls part(data, phase, share) for each phase in turn and each of `ranks` shares, on as many threads at most, the
// calling one among them; returns when all have returned. A phase begins when all parts of the one before have
// returned; parts of one phase may run at once, or one after the other. After a fork the child has none of the
// parent's threads, so there everything runs on the calling thread. part must not throw.
void run_phases(int ranks, long phases, void (*part)(void* data, long phase, const Share& share), void* data);

// The same for an object: pass.part(phase, share).
template <class Pass>
void run_pass(Pass& pass, int ranks, long phases) {
  run_phases(ranks, phases, [](void* self, long phase, const Share& share) { static_cast<Pass*>(self)->part(phase, share); },
             &pass);
}

// Whether more than one thread can be had.
bool has_threads();

// How many threads work would run on now that is cut into `ranks`: fewer for a while after threads waited long.
int threads_now(int ranks);

// What a run took, in microseconds: in all, and of the processors' time of all its threads together, without the
// waits: about what one thread alone would take.
struct Taken {
  std::int64_t all_us;
  std::int64_t work_us;
};

// The choice of how many threads take part, for tests: what a run on `threads` of them took, how many there would be
// at a time, and as if there had been no run yet.
// judge at a time tells whether several threads lose.
void judge(int threads, const Taken& taken);
bool judge(int threads, const Taken& taken, std::int64_t now_us);
int threads_at(int ranks, std::int64_t now_us);
void forget_runs();

// Takes a run of somebody else's on the same library's threads into account, microseconds in all and of the calling
// thread's own time of a processor: where others take a part of that, waiting threads are let sleep, not spin.
void watch(int threads, std::int64_t all_us, std::int64_t own_us);

}  // namespace recurra
