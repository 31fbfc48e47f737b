// A stack of recurrent layers that runs forwards one step at a time, for one row: weights packed once, the
// state kept inside. It owns all it needs; what it was made from may go.
#pragma once

#include <memory>
#include <vector>

#include "recurrence.h"

namespace recurra {

// One layer with its weights packed. Made by the kernels of an instruction set, and stays with them.
class Stepper {
 public:
  virtual ~Stepper() = default;
  // x [I], h and c the state before; y [P] and c_next [H] the state after. c and c_next only for cells that have
  // one. y must not be h, nor c_next c. Never allocates or throws.
  virtual void step(const float* x, const float* h, const float* c, float* y, float* c_next) = 0;
};

enum class Skip : int { kNone = 0, kResidual = 1, kGraves = 2 };

class StreamingStack {
 public:
  // One description a layer, with sizes I, H, P, the options and the weights; all else is ignored. `keep_hidden`
  // and `keep_cell`: the share of the old state that is kept at each step (zoneout in evaluation).
  StreamingStack(const std::vector<Recurrence>& layers, Skip skip, float keep_hidden, float keep_cell);

  StreamingStack(const StreamingStack&) = delete;
  StreamingStack& operator=(const StreamingStack&) = delete;

  long input_size() const { return layers_.front().I; }
  long output_size() const { return output_size_; }
  long layers() const { return static_cast<long>(layers_.size()); }
  long state_size() const { return state_size_; }

  // One step: x [I] in, the output [output_size] out.
  void step(const float* x, float* output);
  // The state of all layers, h and then (where the cell has one) c of each, layer by layer: [state_size].
  void set_state(const float* state);
  void get_state(float* state) const;

 private:
  struct Layer {
    std::unique_ptr<Stepper> stepper;
    long I, H, P;
    bool has_cell;
    // The state before and after a step; they change places after it.
    std::vector<float> h[2], c[2];
  };
  std::vector<Layer> layers_;
  Skip skip_;
  long output_size_ = 0, state_size_ = 0;
  int now_ = 0;
  std::vector<float> keep_hidden_, keep_cell_;  // filled with one number each; layers point to them
  std::vector<float> input_, above_;
};

}  // namespace recurra
