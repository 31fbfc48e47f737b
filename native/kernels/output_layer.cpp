// The output layer: logits by blocks of the vocabulary, softmax and gradients while they are at hand.
//
// Tokens are worked on in chunks; ignored ones are left out. Logits lie transposed, [v][token]: then the rows of
// the weight are the left-hand side of the product as they lie (no packed copy of the weight), tokens are the
// lanes (softmax needs no sums across lanes), and the same block is the left-hand side of both gradients,
//
//   dweight[v] += Σ_n d[v][n] h[n]      read along its rows
//   dhidden[n] += Σ_v d[v][n] w[v]      read along its columns; w in panels, a block at a time
//
// Each share of the work has ranges of v, so that it alone writes their rows of dweight; dhidden is added up over
// the shares once a chunk is done. Forward with gradients keeps exp(logit - largest of the block) for all v of a chunk and scales
// it when the sum over v is known; without gradients, and in backward, one block a share is all that is held.
//
// Long sums have two levels: within a block or chunk, then over them.
#include "output_layer.h"

#include <cmath>
#include <limits>

#include "output_plan.h"

namespace recurra::RECURRA_ISA_NAMESPACE {
namespace {

RECURRA_INLINE Vector larger(Vector a, Vector b) { return select(a > b, a, b); }

class OutputRun {
 public:
  OutputRun(OutputLayer& call, bool recomputes) : plan_(call, recomputes), call_(call), recomputes_(recomputes) {}

  void run() {
    call_.bad_token = plan_.list_tokens(workspace_);
    if (call_.bad_token >= 0) return;
    call_.counted = plan_.counted;
    if (plan_.counted == 0) return clear();
    plan_.cut();
    take();
    call_.workspace = static_cast<std::int64_t>(workspace_.taken());
    chunks_ = (plan_.counted + plan_.chunk_rows - 1) / plan_.chunk_rows;
    run_pass(*this, plan_.shares, chunks_ * phases_of_a_chunk() + 1);
  }

  // The phases of a chunk: its hidden states packed; the logits, unless backward computes them again with what comes
  // next; the gradients. What is left of a chunk then comes with the first phase of the next one.
  void part(long phase, const Share& share) {
    const Own own = own_of(share.rank);
    const long number = phase / phases_of_a_chunk(), stage = phase % phases_of_a_chunk();
    if (stage == 0) {
      if (phase == 0) clear_rows(share);
      if (number > 0) finish(chunk_at(number - 1), own, share);
      if (number < chunks_) pack_hidden(chunk_at(number), own, share);
    } else if (stage == 1 && !recomputes_) {
      multiply_and_exponentiate(chunk_at(number), own, share);
    } else {
      find_gradients(chunk_at(number), own, share);
    }
  }

 private:
  // A share's own memory.
  struct Own {
    int rank = 0;
    float* block = nullptr;     // [block_rows][row] logits, where they are not kept
    float* panels = nullptr;    // a block of the weight, packed for dhidden
    float* dhidden = nullptr;   // [rows][Hp] its part of the sum over v
    float* gathered = nullptr;  // [kLanes][H] tokens that do not lie one after the other
    float* largest = nullptr;   // [row] of each token of the chunk
    float* scale = nullptr;     // [row] the token's weight / its sum
    float* weights = nullptr;   // [row] the token's weight
  };
  struct Chunk {
    long first, rows;  // of the list of tokens
    bool starts;       // the first chunk: gradients of the weights are written, not added to
  };
  struct Block {
    long number, first, rows;  // of the vocabulary
  };

  static void zero(float* to, long floats) {
    if (to) std::memset(to, 0, static_cast<std::size_t>(floats) * sizeof(float));
  }

  void clear() {
    if (!recomputes_) zero(call_.losses, call_.N);
    zero(call_.dhidden, call_.N * call_.H);
    zero(call_.dweight, call_.V * call_.H);
    zero(call_.dbias, call_.V);
  }

  void take() {
    transposed_ = workspace_.take(Panels::floats(call_.H, vectors_for(plan_.chunk_rows)));
    if (call_.dweight) hidden_ = workspace_.take(Panels::floats(plan_.chunk_rows, plan_.hidden_vectors));
    if (plan_.keeps) kept_ = workspace_.take(call_.V * plan_.row);
    if (!recomputes_) {
      block_largest_ = workspace_.take(plan_.blocks * plan_.row);
      block_sums_ = workspace_.take(plan_.blocks * plan_.row);
      target_logits_ = workspace_.take(plan_.row);
    }
    own_ = workspace_.take(plan_.shares * own_floats());
  }

  long own_block() const { return plan_.keeps ? 0 : plan_.block_rows * plan_.row; }
  long own_panels() const { return call_.dhidden ? Panels::floats(plan_.block_rows, plan_.hidden_vectors) : 0; }
  long own_dhidden() const { return call_.dhidden ? plan_.chunk_rows * plan_.Hp : 0; }
  long own_floats() const {
    return round_up(own_block() + own_panels() + own_dhidden() + kLanes * call_.H + 3 * plan_.row, 16);
  }

  Own own_of(int rank) const {
    Own own;
    float* at = own_ + rank * own_floats();
    auto next = [&](long floats) {
      float* piece = at;
      at += floats;
      return piece;
    };
    own.rank = rank;
    own.block = next(own_block());
    own.largest = next(plan_.row);
    own.scale = next(plan_.row);
    own.weights = next(plan_.row);
    own.panels = next(own_panels());
    own.dhidden = next(own_dhidden());
    own.gathered = next(kLanes * call_.H);
    return own;
  }

  long phases_of_a_chunk() const { return 1 + !recomputes_ + plan_.gradients; }

  Chunk chunk_at(long number) const {
    const long first = number * plan_.chunk_rows;
    return {first, std::min(plan_.chunk_rows, plan_.counted - first), number == 0};
  }

  void multiply_and_exponentiate(const Chunk& chunk, const Own& own, const Share& share) {
    const Range mine = part_of(plan_.blocks, share.rank, share.size);
    for (long b = mine.first; b < mine.last; ++b) {
      const Block block = block_at(b);
      float* logits = plan_.keeps ? kept_ + block.first * plan_.row : own.block;
      multiply_by_weight(chunk, block, logits);
      exponentiate(chunk, block, logits);
    }
  }

  void find_gradients(const Chunk& chunk, const Own& own, const Share& share) {
    settle(chunk, own);
    if (call_.dhidden) zero(own.dhidden, chunk.rows * plan_.Hp);
    const Range mine = part_of(plan_.blocks, share.rank, share.size);
    for (long b = mine.first; b < mine.last; ++b) {
      const Block block = block_at(b);
      float* d = plan_.keeps ? kept_ + block.first * plan_.row : own.block;
      if (!plan_.keeps) multiply_by_weight(chunk, block, d);
      to_gradient(chunk, block, own, d);
      if (call_.dweight) add_to_dweight(chunk, block, d);
      if (call_.dbias) add_to_dbias(chunk, block, d);
      if (call_.dhidden) add_to_dhidden(chunk, block, own, d);
    }
  }

  void finish(const Chunk& chunk, const Own& own, const Share& share) {
    if (!plan_.gradients) settle(chunk, own);
    if (call_.dhidden) add_up_dhidden(chunk, share);
  }

  Block block_at(long number) const {
    const long first = number * plan_.block_rows;
    return {number, first, std::min(plan_.block_rows, call_.V - first)};
  }

  // Results of tokens that do not count are zero; those of the others follow.
  void clear_rows(const Share& share) {
    const Range mine = part_of(call_.N, share.rank, share.size);
    if (!recomputes_) zero(call_.losses + mine.first, mine.count());
    if (call_.dhidden) zero(call_.dhidden + mine.first * call_.H, mine.count() * call_.H);
  }

  const float* hidden_row(long place) const { return call_.hidden + plan_.tokens[place] * call_.H; }

  // The chunk's hidden states, in panels of tokens for the logits and in panels of units for dweight.
  void pack_hidden(const Chunk& chunk, const Own& own, const Share& share) {
    const long H = call_.H, vectors = vectors_for(chunk.rows);
    const Range tokens = part_of(vectors, share.rank, share.size);
    for (long v = tokens.first; v < tokens.last; ++v) {
      const long first = chunk.first + v * kLanes, count = std::min<long>(kLanes, chunk.rows - v * kLanes);
      const float* from = hidden_row(first);
      if (plan_.tokens[first + count - 1] - plan_.tokens[first] != count - 1) {
        for (long r = 0; r < count; ++r) {
          std::memcpy(own.gathered + r * H, hidden_row(first + r), static_cast<std::size_t>(H) * sizeof(float));
        }
        from = own.gathered;
      }
      const PanelPlace place = place_in_panels(transposed_, H, vectors, v);
      pack_rows_as_vector(place.first, place.stride, from, H, count, H);
    }
    if (!hidden_) return;
    const Cut cut(plan_.hidden_vectors, kPanelVectors);
    const Range units = part_of(cut.parts, share.rank, share.size);
    for (long n = 0; n < chunk.rows; ++n) {
      pack_row_of_panels(hidden_, chunk.rows, cut, n, hidden_row(chunk.first + n), H, units.first, units.last);
    }
  }

  // logits[v][n] = w_v·h_n for a block; the bias comes later.
  void multiply_by_weight(const Chunk& chunk, const Block& block, float* logits) const {
    const long H = call_.H;
    const Cut cut(vectors_for(chunk.rows), kPanelVectors);
    const float* weight = call_.weight + block.first * H;
    // A few rows of the weight meet all tokens before the next few, which are on their way from memory meanwhile.
    for_tiles(block.rows, kRowsOfTile[kPanelVectors], [&](long v, int count) {
      ReadAhead ahead(weight + (v + count) * H, count * H, cut.parts);
      for (long part = 0; part < cut.parts; ++part) {
        const long vector = cut.first(part);
        multiply(static_cast<int>(cut.width(part)), count,
                 Tile{weight + v * H, H, 1, transposed_ + vector * kLanes * H, H, nullptr,
                      logits + v * plan_.row + vector * kLanes, plan_.row, kLanes, {}, ahead.next(H)});
      }
    });
  }

  float bias_at(long v) const { return call_.bias ? call_.bias[v] : 0.0f; }

  // exp(logit - the block's largest) in place, with that largest one and the sum for each token.
  void exponentiate(const Chunk& chunk, const Block& block, float* logits) {
    for (long n = 0; n < chunk.rows; ++n) {
      const long v = call_.targets[plan_.tokens[chunk.first + n]] - block.first;
      if (v >= 0 && v < block.rows) target_logits_[n] = logits[v * plan_.row + n] + bias_at(block.first + v);
    }
    for (long n = 0; n < chunk.rows; n += kLanes) {
      Vector largest = broadcast(-std::numeric_limits<float>::infinity());
      for (long v = 0; v < block.rows; ++v) {
        float* at = logits + v * plan_.row + n;
        const Vector logit = load(at) + bias_at(block.first + v);
        store(at, logit);
        largest = larger(logit, largest);
      }
      // A block may be masked as a whole, all its logits -inf: then exp(-inf - largest) must be 0, not NaN.
      largest = at_least(largest, -std::numeric_limits<float>::max());
      Vector total{};
      for (long v = 0; v < block.rows; ++v) {
        float* at = logits + v * plan_.row + n;
        const Vector value = exp(load(at) - largest);
        store(at, value);
        total += value;
      }
      store(block_largest_ + block.number * plan_.row + n, largest);
      store(block_sums_ + block.number * plan_.row + n, total);
    }
  }

  // The softmax's normalisers of each token: from the blocks, or in backward as forward left them. Every share
  // does it for itself, which is cheaper than to wait once more.
  void settle(const Chunk& chunk, const Own& own) {
    const float weight = call_.mean ? 1.0f / static_cast<float>(plan_.counted) : 1.0f;
    alignas(64) float sums[kLanes];
    for (long n = 0; n < chunk.rows; n += kLanes) {
      if (!recomputes_) add_up_blocks(n, own.largest + n, sums);
      for (long lane = 0; lane < kLanes; ++lane) {
        const long at = n + lane;
        const bool real = at < chunk.rows;
        const std::int64_t token = real ? plan_.tokens[chunk.first + at] : 0;
        if (recomputes_) {
          own.largest[at] = real ? call_.normalisers[token] : 0.0f;
          sums[lane] = real ? call_.normalisers[call_.N + token] : 1.0f;
        } else if (real && own.rank == 0) {
          const double above = static_cast<double>(own.largest[at]) - static_cast<double>(target_logits_[at]);
          call_.losses[token] = static_cast<float>(std::log(static_cast<double>(sums[lane])) + above);
          call_.normalisers[token] = own.largest[at];
          call_.normalisers[call_.N + token] = sums[lane];
        }
        own.weights[at] = !real ? 0.0f : (recomputes_ ? call_.dlosses[token] : weight);
        own.scale[at] = own.weights[at] / sums[lane];
      }
    }
  }

  void add_up_blocks(long n, float* to_largest, float* to_sums) const {
    Vector largest = load(block_largest_ + n);
    for (long b = 1; b < plan_.blocks; ++b) largest = larger(load(block_largest_ + b * plan_.row + n), largest);
    Vector total{};
    for (long first = 0; first < plan_.blocks; first += 64) {
      Vector some{};
      for (long b = first; b < std::min(first + 64, plan_.blocks); ++b) {
        some += load(block_sums_ + b * plan_.row + n) * exp(load(block_largest_ + b * plan_.row + n) - largest);
      }
      total += some;
    }
    store(to_largest, largest);
    store(to_sums, total);
  }

  // d[v][n] = weight_n (softmax - 1 at the target), in place of what forward kept or of the logits.
  void to_gradient(const Chunk& chunk, const Block& block, const Own& own, float* d) const {
    for (long n = 0; n < chunk.rows; n += kLanes) {
      const Vector largest = load(own.largest + n);
      Vector scale = load(own.scale + n);
      if (plan_.keeps) {
        scale *= exp(load(block_largest_ + block.number * plan_.row + n) - largest);
        for (long v = 0; v < block.rows; ++v) store(d + v * plan_.row + n, load(d + v * plan_.row + n) * scale);
      } else {
        for (long v = 0; v < block.rows; ++v) {
          float* at = d + v * plan_.row + n;
          store(at, exp(load(at) + bias_at(block.first + v) - largest) * scale);
        }
      }
    }
    for (long n = 0; n < chunk.rows; ++n) {
      const long v = call_.targets[plan_.tokens[chunk.first + n]] - block.first;
      if (v >= 0 && v < block.rows) d[v * plan_.row + n] -= own.weights[n];
    }
  }

  // A product whose tiles of sums are added to rows of `to`, or written there where `afresh`.
  //   left    element (r, k) at left[r*row_stride + k*depth_stride]
  //   panels  depth x H, packed
  void add_product(const float* left, long row_stride, long depth_stride, long rows, const float* panels, long depth,
                   float* to, long to_row, bool afresh, const float* ahead, long ahead_floats) const {
    const Cut cut(plan_.hidden_vectors, kPanelVectors);
    ReadAhead read_ahead(ahead, ahead_floats, cut.parts * tiles_of(rows, kRowsOfTile[kPanelVectors]));
    TileSums sums;
    for (long part = 0; part < cut.parts; ++part) {
      const long vector = cut.first(part), column = vector * kLanes;
      const int width = static_cast<int>(cut.width(part));
      for_tiles(rows, kRowsOfTile[width], [&](long row, int count) {
        float* place = to + row * to_row + column;
        fetch_place(place, to_row, count, width);
        multiply(width, count, Tile{left + row * row_stride, row_stride, depth_stride, panels + column * depth, depth,
                                    nullptr, sums.floats, width * kLanes, kLanes, read_ahead.next(depth)});
        for (int r = 0; r < count; ++r) {
          for (int v = 0; v < width; ++v) {
            float* at = place + r * to_row + v * kLanes;
            const long valid = call_.H - column - v * kLanes;
            const Vector sum = load(sums.floats + (r * width + v) * kLanes);
            store_first(at, afresh ? sum : sum + load_first(at, valid), valid);
          }
        }
      });
    }
  }

  // Meanwhile the block's rows of the weight come nearer, which dhidden needs.
  void add_to_dweight(const Chunk& chunk, const Block& block, const float* d) const {
    const long place = block.first * call_.H;
    add_product(d, plan_.row, 1, block.rows, hidden_, chunk.rows, call_.dweight + place, call_.H, chunk.starts,
                call_.weight + place, block.rows * call_.H);
  }

  void add_to_dbias(const Chunk& chunk, const Block& block, const float* d) const {
    for (long v = 0; v < block.rows; ++v) {
      Vector total{};
      for (long n = 0; n < chunk.rows; n += kLanes) total += load(d + v * plan_.row + n);
      float* to = call_.dbias + block.first + v;
      *to = chunk.starts ? sum(total) : *to + sum(total);
    }
  }

  void add_to_dhidden(const Chunk& chunk, const Block& block, const Own& own, const float* d) const {
    const Cut cut(plan_.hidden_vectors, kPanelVectors);
    for (long v = 0; v < block.rows; ++v) {
      pack_row_of_panels(own.panels, block.rows, cut, v, call_.weight + (block.first + v) * call_.H, call_.H, 0, cut.parts);
    }
    // Meanwhile the next block comes nearer.
    add_product(d, 1, plan_.row, chunk.rows, own.panels, block.rows, own.dhidden, plan_.Hp, false,
                d + block.rows * plan_.row, block.rows * plan_.row);
  }

  void add_up_dhidden(const Chunk& chunk, const Share& share) {
    const Range mine = part_of(chunk.rows, share.rank, share.size);
    for (int rank = 0; rank < share.size; ++rank) {
      const float* from = own_of(rank).dhidden;
      for (long n = mine.first; n < mine.last; ++n) {
        float* to = call_.dhidden + plan_.tokens[chunk.first + n] * call_.H;
        for (long u = 0; u < call_.H; u += kLanes) {
          const long valid = call_.H - u;
          store_first(to + u, load_first(to + u, valid) + load(from + n * plan_.Hp + u), valid);
        }
      }
    }
  }

  Workspace workspace_;
  OutputPlan plan_;
  OutputLayer& call_;
  const bool recomputes_;
  float* transposed_ = nullptr;     // panels [H][tokens]
  float* hidden_ = nullptr;         // panels [tokens][H]
  float* kept_ = nullptr;           // [V][row]
  float* block_largest_ = nullptr;  // [blocks][row]
  float* block_sums_ = nullptr;     // [blocks][row]
  float* target_logits_ = nullptr;  // [row]
  float* own_ = nullptr;
  long chunks_ = 0;
};

}  // namespace

void output_layer_forward(OutputLayer& call) { OutputRun(call, false).run(); }
void output_layer_backward(OutputLayer& call) { OutputRun(call, true).run(); }

}  // namespace recurra::RECURRA_ISA_NAMESPACE
