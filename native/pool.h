// Large blocks of memory that calls borrow and give back, so that their pages need not be made anew each time:
// the system hands large blocks out empty, one small page at a time, which for the saved gates of a long
// sequence costs a good part of the forward pass itself.
#pragma once

#include <cstddef>

namespace recurra {

// At least `bytes`, aligned to a cache line at least, contents unspecified. Throws std::bad_alloc. Safe from any
// thread. Every block must be given back once.
void* borrow_block(std::size_t bytes);
void give_back_block(void* block) noexcept;

// Bytes kept for later borrowers now; never more than kMostKeptBytes.
std::size_t kept_bytes();
constexpr std::size_t kMostKeptBytes = std::size_t{256} << 20;

}  // namespace recurra
