// The threads that a kernel runs on: those of the OpenMP library that the process has loaded already.
//
// Linking an OpenMP library of our own would put a second pool of threads beside torch's, and the two
// would fight for the cores. So the library is found at run time (recurra/kernels/native.py) and handed
// over by the addresses of four of its functions. Without it everything runs on the calling thread.
#pragma once

#include <cstdint>

namespace recurra {

// Functions of the GNU OpenMP interface, which LLVM's and Intel's libraries offer too.
struct OpenMP {
  void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags) = nullptr;
  void (*barrier)() = nullptr;
  int (*thread_num)() = nullptr;
  int (*num_threads)() = nullptr;
};

// From now on teams run on this library's threads. Not safe while kernels run.
void use_openmp(const OpenMP& library);

// From now on teams run on threads made for each call: for tests that watch threads (ThreadSanitizer
// does not know OpenMP's barriers) and for programs without OpenMP. Not safe while kernels run.
void use_own_threads(bool on);

// One thread's place in a team. `barrier` returns when all of the team have called it.
struct Team {
  int rank = 0;
  int size = 1;
  void (*wait)(void*) = nullptr;
  void* waiting = nullptr;
  void barrier() const {
    if (size > 1) wait(waiting);
  }
};

// Calls body(data, team) on `threads` threads at once, the calling one among them, and returns when all
// have returned. There may be fewer threads than asked for: team.size tells. After a fork the child has
// none of the parent's threads, so there everything runs on the calling thread. body must not throw.
void run_team(int threads, void (*body)(void*, const Team&), void* data);

// Whether more than one thread can be had.
bool has_threads();

}  // namespace recurra
