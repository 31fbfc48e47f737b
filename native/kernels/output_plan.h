// How the output layer cuts its work: which tokens count, blocks of the vocabulary, chunks of tokens.
#pragma once

#include "layout.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

struct OutputPlan {
  static constexpr long kMostRows = 256;          // tokens of a chunk
  static constexpr long kFewestRows = 64;         // fewer would read and write the weights' gradient too often
  static constexpr long kBlock = 128;             // rows of the weight at a time
  static constexpr long kBlockFloats = 1L << 17;  // and their floats: what fits in a core's own cache
  static constexpr long kBudget = 8L << 20;       // bytes that the chunk's size is chosen to stay within

  explicit OutputPlan(const OutputLayer& call, bool recomputes)
      : call(call),
        gradients(call.dhidden || call.dweight || call.dbias),
        keeps(gradients && !recomputes),
        hidden_vectors(vectors_for(call.H)),
        Hp(hidden_vectors * kLanes) {}

  const OutputLayer& call;
  const bool gradients;
  const bool keeps;  // whether all logits of a chunk are held, for their gradients
  const long hidden_vectors, Hp;
  const std::int64_t* tokens = nullptr;  // [counted] those that are not ignored
  long counted = 0;
  int shares = 1;                   // of the work, each with blocks of its own
  long blocks = 0, block_rows = 0;  // of the vocabulary
  long chunk_rows = 0;              // the most tokens of a chunk
  long row = 0;                     // distance between rows of logits

  // Lists the tokens that count. Returns the first whose target is not in the vocabulary, -1 where there is none.
  long list_tokens(Workspace& workspace) {
    std::int64_t* list = reinterpret_cast<std::int64_t*>(workspace.take(2 * call.N));
    tokens = list;
    for (long n = 0; n < call.N; ++n) {
      const std::int64_t target = call.targets[n];
      if (target == call.ignore_index) continue;
      if (target < 0 || target >= call.V) return n;
      list[counted++] = n;
    }
    return -1;
  }

  void cut() {
    shares = shares_of_work();
    const long most = std::max(32L, std::min(kBlock, kBlockFloats / call.H));
    blocks = round_up((call.V + most - 1) / most, shares);
    block_rows = (call.V + blocks - 1) / blocks;
    blocks = (call.V + block_rows - 1) / block_rows;
    long rows = kMostRows;
    while (keeps && rows > kFewestRows && floats_for(rows) > kBudget / 4) rows -= 16;
    const long chunks = (counted + rows - 1) / rows;
    chunk_rows = round_up((counted + chunks - 1) / chunks, 16);
    row = row_for(chunk_rows);
  }

 private:
  int shares_of_work() const {
    constexpr double kWorthAThread = RECURRA_WORTH_A_THREAD;
    const double work = 2.0 * (1 + 2 * gradients) * static_cast<double>(counted) * static_cast<double>(call.H) *
                        static_cast<double>(call.V);
    const double most = static_cast<double>(std::min<long>(call.threads, vectors_for(call.V)));
    return static_cast<int>(std::max(1.0, std::min(most, work / kWorthAThread)));
  }

  // Not a multiple of four cache lines: a column of a block would fall into few sets of the cache.
  static long row_for(long rows) { return rows % 64 ? rows : rows + 16; }

  // What a chunk of so many tokens takes in all, where logits are kept.
  long floats_for(long rows) const {
    const long own = Panels::floats(block_rows, hidden_vectors) + rows * Hp + kLanes * call.H + 3 * rows;
    return row_for(rows) * (call.V + 2 * blocks + 1) + rows * (call.H + Hp) + shares * own + 2 * call.N;
  }
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
