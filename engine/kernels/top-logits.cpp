// What is read of every token's logits, in one operator.
//
//   TopLogits(logits) → values, indices, log_sum_exp        attribute: count
//     values, indices [R, count] of the largest of logits [R, V], descending, of equal ones the first; log_sum_exp [R] = log Σ_v e^logit_v
//
// A row with a logit that is NaN or infinite has a log_sum_exp that is NaN; its indices are some of the row's all the same.
#include <cmath>
#include <vector>

#include "largest.hpp"
#include "operators.hpp"
#include "vectors.hpp"

namespace tiller {
namespace {

float log_sum_exp(const float *logits, int64_t count, float most) {
  Floats sums = all(0);
  int64_t at = 0;
  for (; at + lanes <= count; at += lanes) sums += exponential(load(logits + at) - all(most));
  float total = sum(sums);
  for (; at < count; at++) total += exponential(all(logits[at] - most))[0];
  return most + std::log(total);
}

void row(const float *logits, int64_t width, int64_t count, float *values, int64_t *indices, float *total) {
  static thread_local Largest largest;
  *total = log_sum_exp(logits, width, largest.look(logits, width));
  const std::vector<Candidate> &found = largest.first(logits, width, count);
  for (int64_t at = 0; at < count; at++) {
    values[at] = found[at].value;
    indices[at] = found[at].index;
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
