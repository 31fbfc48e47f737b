// A stack of recurrent layers that runs forwards one step at a time, for one row. It packs the weights once and
// keeps the state. It owns all its memory; the source weights may be freed.
#pragma once

#include <memory>
#include <vector>

#include "recurrence.h"

namespace recurra {

// One layer with packed weights. Created by the kernels of one instruction set and usable only with them.
class Stepper {
 public:
  virtual ~Stepper() = default;
  // x [I]; h and c are the state before, y [P] and c_next [H] the state after the step. c and c_next are used only
  // by cells that have a cell state. y must not be h, and c_next must not be c. Never allocates or throws.
  virtual void step(const float* x, const float* h, const float* c, float* y, float* c_next) = 0;
};

enum class Skip : int { kNone = 0, kResidual = 1, kGraves = 2 };

class StreamingStack {
 public:
  // One description per layer, with sizes I, H, P, the options and the weights; all else is ignored. `keep_hidden`
  // and `keep_cell`: the fraction of the old state that each step keeps (zoneout in evaluation).
  StreamingStack(const std::vector<Recurrence>& layers, Skip skip, float keep_hidden, float keep_cell);

  StreamingStack(const StreamingStack&) = delete;
  StreamingStack& operator=(const StreamingStack&) = delete;

  long input_size() const { return layers_.front().I; }
  long output_size() const { return output_size_; }
  long layers() const { return static_cast<long>(layers_.size()); }
  long state_size() const { return state_size_; }

  // Runs one step: reads x [I], writes the output [output_size].
  void step(const float* x, float* output);
  // The state of all layers, layer by layer, h and then c (if the cell has one): [state_size].
  void set_state(const float* state);
  void get_state(float* state) const;

 private:
  struct Layer {
    std::unique_ptr<Stepper> stepper;
    long I, H, P;
    bool has_cell;
    // The state before and after a step; they are swapped after it.
    std::vector<float> h[2], c[2];
  };
  std::vector<Layer> layers_;
  Skip skip_;
  long output_size_ = 0, state_size_ = 0;
  int now_ = 0;
  std::vector<float> keep_hidden_, keep_cell_;  // each filled with one number; layers point to them
  std::vector<float> input_, above_;
};

}  // namespace recurra
