// The largest of many numbers, in order; of equal ones the first comes first.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "vectors.hpp"

namespace tiller {

struct Candidate {
  float value;
  int64_t index;

  bool before(const Candidate &other) const { return value > other.value || (value == other.value && index < other.index); }
};

/** Finds them with memory of its own, which it keeps: one a thread. */
class Largest {
 public:
  /** Numbers whose largest is looked at in their place until it is known which of them can be among the first. */
  static constexpr int64_t stretch = 64;

  /** Looks at all numbers once; NaN is passed over. Returns the largest of all. */
  float look(const float *numbers, int64_t count) {
    stretches_.clear();
    float most = nothing;
    for (int64_t from = 0; from < count; from += stretch) {
      const int64_t to = std::min(count, from + stretch);
      Floats vector = all(nothing);
      int64_t at = from;
      for (; at + lanes <= to; at += lanes) vector = greater(load(numbers + at), vector);
      float own = largest(vector);
      for (; at < to; at++) own = numbers[at] > own ? numbers[at] : own;
      stretches_.push_back(own);
      most = std::max(most, own);
    }
    return most;
  }

  /** The first `wanted` of the numbers looked at last, largest first; NaN counts as what no number is below. */
  const std::vector<Candidate> &first(const float *numbers, int64_t count, int64_t wanted) {
    // As many stretches reach the bound as there are numbers wanted: no smaller one can be among those.
    float bound = nothing;
    if (static_cast<int64_t>(stretches_.size()) >= wanted) {
      sorted_ = stretches_;
      std::nth_element(sorted_.begin(), sorted_.begin() + (wanted - 1), sorted_.end(), [](float a, float b) { return a > b; });
      bound = sorted_[wanted - 1];
    }
    candidates_.clear();
    for (int64_t from = 0; from < count; from += stretch) {
      if (stretches_[from / stretch] < bound) continue;
      for (int64_t at = from; at < std::min(count, from + stretch); at++) {
        if (!(numbers[at] < bound)) candidates_.push_back({std::isnan(numbers[at]) ? nothing : numbers[at], at});
      }
    }
    std::partial_sort(candidates_.begin(), candidates_.begin() + wanted, candidates_.end(),
                      [](const Candidate &a, const Candidate &b) { return a.before(b); });
    candidates_.resize(wanted);
    return candidates_;
  }

 private:
  std::vector<float> stretches_, sorted_;
  std::vector<Candidate> candidates_;
};

}  // namespace tiller
