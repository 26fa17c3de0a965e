// What is read of every token's logits, in one operator.
//
//   TopLogits(logits) → values, indices, log_sum_exp        attribute: count
//     values, indices [R, count] of the largest of logits [R, V], descending, of equal ones the first; log_sum_exp [R] = log Σ_v e^logit_v
//
// A row with a logit that is NaN or infinite has a log_sum_exp that is NaN; its indices are some of the row's all the same.
#include <algorithm>
#include <cmath>
#include <vector>

#include "operators.hpp"
#include "vectors.hpp"

namespace tiller {
namespace {

/** Logits whose largest is looked at in their place until it is known which of them can be among the first. */
constexpr int64_t stretch = 64;

struct Candidate {
  float value;
  int64_t index;

  bool before(const Candidate &other) const { return value > other.value || (value == other.value && index < other.index); }
};

/** The largest of each stretch; NaN is passed over. Returns the largest of all. */
float largest_of_stretches(const float *logits, int64_t count, std::vector<float> &made) {
  made.clear();
  float most = nothing;
  for (int64_t from = 0; from < count; from += stretch) {
    const int64_t to = std::min(count, from + stretch);
    Floats vector = all(nothing);
    int64_t at = from;
    for (; at + lanes <= to; at += lanes) vector = greater(load(logits + at), vector);
    float own = largest(vector);
    for (; at < to; at++) own = logits[at] > own ? logits[at] : own;
    made.push_back(own);
    most = std::max(most, own);
  }
  return most;
}

float log_sum_exp(const float *logits, int64_t count, float most) {
  Floats sums = all(0);
  int64_t at = 0;
  for (; at + lanes <= count; at += lanes) sums += exponential(load(logits + at) - all(most));
  float total = sum(sums);
  for (; at < count; at++) total += exponential(all(logits[at] - most))[0];
  return most + std::log(total);
}

void row(const float *logits, int64_t width, int64_t count, float *values, int64_t *indices, float *total) {
  static thread_local std::vector<float> stretches, sorted;
  static thread_local std::vector<Candidate> candidates;
  *total = log_sum_exp(logits, width, largest_of_stretches(logits, width, stretches));
  // As many stretches reach the bound as there are logits wanted: no smaller logit can be among those.
  float bound = nothing;
  if (static_cast<int64_t>(stretches.size()) >= count) {
    sorted = stretches;
    std::nth_element(sorted.begin(), sorted.begin() + (count - 1), sorted.end(), [](float a, float b) { return a > b; });
    bound = sorted[count - 1];
  }
  candidates.clear();
  for (int64_t from = 0; from < width; from += stretch) {
    if (stretches[from / stretch] < bound) continue;
    for (int64_t at = from; at < std::min(width, from + stretch); at++) {
      if (!(logits[at] < bound)) candidates.push_back({std::isnan(logits[at]) ? nothing : logits[at], at});
    }
  }
  std::partial_sort(candidates.begin(), candidates.begin() + count, candidates.end(),
                    [](const Candidate &a, const Candidate &b) { return a.before(b); });
  for (int64_t at = 0; at < count; at++) {
    values[at] = candidates[at].value;
    indices[at] = candidates[at].index;
  }
}

class TopLogits {
 public:
  static constexpr const char *name = "TopLogits";
  static constexpr Slot inputs[] = {{element_float}};
  static constexpr Slot outputs[] = {{element_float}, {element_int64}, {element_float}};

  explicit TopLogits(const Attributes &attributes) : count_(attributes.integer("count", 1)) {}

  void *compute(const Context &context) const {
    const Tensor logits = context.input(0);
    const int64_t rows = logits.shape[0], width = logits.shape[1], count = count_;
    if (count < 1 || count > width) return context.failure("TopLogits: more logits than there are, or none");
    float *const values = static_cast<float *>(context.output(0, {rows, count}));
    int64_t *const indices = static_cast<int64_t *>(context.output(1, {rows, count}));
    float *const totals = static_cast<float *>(context.output(2, {rows}));
    if (rows == 0) return nullptr;
    return share_out(context, rows, [&](size_t at) {
      row(logits.floats() + at * width, width, count, values + at * count, indices + at * count, totals + at);
    });
  }

 private:
  int64_t count_;
};

}  // namespace

const OperatorRecord *top_logits_record() { return operator_record<TopLogits>(); }

}  // namespace tiller
