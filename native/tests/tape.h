// Numbers in double precision that remember how they came about, so that gradients follow by going back over
// them. It knows nothing of recurrences: the kernels' derivatives are written by hand, these are not.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

namespace recurra::tests {

class Tape {
 public:
  using Id = int;

  Id number(double value) { return add(value, -1, 0.0, -1, 0.0); }
  Id sum(Id a, Id b) { return add(value(a) + value(b), a, 1.0, b, 1.0); }
  Id difference(Id a, Id b) { return add(value(a) - value(b), a, 1.0, b, -1.0); }
  Id times(Id a, Id b) { return add(value(a) * value(b), a, value(b), b, value(a)); }
  Id ratio(Id a, Id b) { return add(value(a) / value(b), a, 1.0 / value(b), b, -value(a) / value(b) / value(b)); }
  Id exp(Id a) {
    const double y = std::exp(value(a));
    return add(y, a, y, -1, 0.0);
  }
  Id inverse_root(Id a) {
    const double y = 1.0 / std::sqrt(value(a));
    return add(y, a, -0.5 * y / value(a), -1, 0.0);
  }
  Id sigmoid(Id a) {
    const double y = 1.0 / (1.0 + std::exp(-value(a)));
    return add(y, a, y * (1.0 - y), -1, 0.0);
  }
  Id tanh(Id a) {
    const double y = std::tanh(value(a));
    return add(y, a, 1.0 - y * y, -1, 0.0);
  }
  // slope_low below `low`, 1 between, slope_high above `high`; at a kink the slope of the outer side.
  Id bent(Id a, double low, double slope_low, double high, double slope_high) {
    const double x = value(a);
    for (double kink : {low, high}) {
      const double distance = std::abs(x - kink);
      if (distance > 0.0) closest_kink_ = std::min(closest_kink_, distance);
    }
    if (x <= low) return add(low + slope_low * (x - low), a, slope_low, -1, 0.0);
    if (x >= high) return add(high + slope_high * (x - high), a, slope_high, -1, 0.0);
    return add(x, a, 1.0, -1, 0.0);
  }
  // Σ_k a[k] b[k] of numbers with ids a, a + 1, … and those in `b`.
  Id dot(Id a, const std::vector<Id>& b) {
    double total = 0.0;
    for (std::size_t k = 0; k < b.size(); ++k) total += value(a + static_cast<Id>(k)) * value(b[k]);
    nodes_.push_back({total, 0.0, 0.0, 0.0, a, static_cast<Id>(operands_.size()), static_cast<int>(b.size())});
    operands_.insert(operands_.end(), b.begin(), b.end());
    return static_cast<Id>(nodes_.size()) - 1;
  }

  double value(Id id) const { return nodes_[static_cast<std::size_t>(id)].value; }
  double gradient(Id id) const { return nodes_[static_cast<std::size_t>(id)].gradient; }
  void add_gradient(Id id, double gradient) { nodes_[static_cast<std::size_t>(id)].gradient += gradient; }
  // How near a sum came to a bend without lying on it: rounding might put it on the other side.
  double closest_kink() const { return closest_kink_; }

  // From the gradients that were added to those of all numbers.
  void go_back() {
    for (std::size_t at = nodes_.size(); at-- > 0;) {
      const Node node = nodes_[at];
      if (node.gradient == 0.0) continue;
      for (int k = 0; k < node.length; ++k) {
        const Id a = node.a + k, b = operands_[static_cast<std::size_t>(node.b + k)];
        add_gradient(a, node.gradient * value(b));
        add_gradient(b, node.gradient * value(a));
      }
      if (node.length > 0) continue;
      if (node.a >= 0) add_gradient(node.a, node.gradient * node.by_a);
      if (node.b >= 0) add_gradient(node.b, node.gradient * node.by_b);
    }
  }

 private:
  struct Node {
    double value, gradient, by_a, by_b;
    Id a, b;
    int length;  // of a dot product: a is the first of one side, b the place of the other among the operands
  };
  Id add(double value, Id a, double by_a, Id b, double by_b) {
    nodes_.push_back({value, 0.0, by_a, by_b, a, b, 0});
    return static_cast<Id>(nodes_.size()) - 1;
  }
  std::vector<Node> nodes_;
  std::vector<Id> operands_;
  double closest_kink_ = std::numeric_limits<double>::infinity();
};

}  // namespace recurra::tests
