// Large blocks of memory that calls borrow and give back, so that the system need not map their pages each time: it
// maps and clears a new large block one small page at a time, which for the saved gates of a long sequence costs a
// considerable part of the time of the forward pass.
#pragma once

#include <cstddef>

namespace recurra {

// Returns at least `bytes`, aligned at least to a cache line, with unspecified contents. Throws std::bad_alloc. Safe
// from any thread. Every block must be given back once.
void* borrow_block(std::size_t bytes);
void give_back_block(void* block) noexcept;

// Bytes currently kept for later borrowers; never more than kMostKeptBytes.
std::size_t kept_bytes();
constexpr std::size_t kMostKeptBytes = std::size_t{256} << 20;

}  // namespace recurra
