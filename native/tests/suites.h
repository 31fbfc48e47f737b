// The suites that main.cpp runs; each counts its faults in faults(). `sets`: instruction sets to run, by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace recurra::tests {

using Sets = std::vector<std::string>;

// exp, sigmoid, tanh and 1/x against double precision, to the accuracy that kernels/simd.h states.
void test_elementary(const Sets& sets);
// Every cell and option over odd sizes; case `only` alone where it is not below 0.
void test_recurrences(const Sets& sets, long only);
// Bends of activations hit exactly.
void test_kinks(const Sets& sets);
// The output layer over odd sizes, with ignored and bad targets.
void test_output_layer(const Sets& sets);
void test_output_layer_case(const Sets& sets, std::uint64_t seed);
// Layers with attention over odd sizes.
void test_attentive(const Sets& sets);
void test_attentive_case(const Sets& sets, std::uint64_t seed);
// The best symbols of an output layer.
void test_best_symbols(const Sets& sets);
void test_best_symbols_case(const Sets& sets, std::uint64_t seed);
// Training of word vectors over all contexts and objectives.
void test_word_vectors(const Sets& sets);
void test_word_vectors_case(const Sets& sets, std::uint64_t seed);
// Training of GloVe vectors.
void test_glove(const Sets& sets);
void test_glove_case(const Sets& sets, std::uint64_t seed);
// Stacks that step against layers that run over all steps.
void test_streaming(const Sets& sets);
void test_streaming_case(const Sets& sets, std::uint64_t seed);
// Several calls at once, memory that is used again, forks, another library's threads, the pool of blocks.
void test_threads(const Sets& sets);

// A random case of any of these.
void fuzz_case(const Sets& sets, std::uint64_t seed);

}  // namespace recurra::tests
