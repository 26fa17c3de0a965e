// Operators that take a token at a time, between products of 8-bit numbers: each does at once what would else be three to six nodes.
//
//   ResidualNorm(stream, pending?, pending_scale?, weight) → sum, normalised?, quanta?, scale?      attribute: epsilon
//     sum = stream + pending·pending_scale ;  normalised = sum / √(mean(sum²) + epsilon) · weight   (Zhang & Sennrich 2019)
//   Quantise(x) → quanta, scale
//   Gated(gate, up?, row_scale?) → hidden?, quanta?, scale?
//     hidden = silu(gate·row_scale) · up·row_scale                                                  (Shazeer 2020)
//     Without `up` each row of `gate` holds both, up after gate.
//
// Quanta are x / scale rounded to even, plus 128, where scale = max|x| / 127 of the token (graph/linear.ts says why). [.., width]
// and [.., 1]. Scales that are taken in are one for each token.
#include <algorithm>
#include <cmath>
#include <vector>

#include "operators.hpp"
#include "vectors.hpp"

namespace tiller {
namespace {

constexpr int zero_point = 128;
constexpr int64_t worth_sharing = 1 << 13;

/** [.., 1] for [.., width]. */
std::vector<int64_t> one_for_each(const Tensor &tokens) {
  std::vector<int64_t> shape = tokens.shape;
  shape.back() = 1;
  return shape;
}

/** One token to 8 bits. */
void quantise(const float *x, int64_t width, uint8_t *quanta, float *scale) {
  Floats most = all(0), unbounded = all(0);
  int64_t at = 0;
  for (; at + lanes <= width; at += lanes) {
    const Floats value = load(x + at);
    most = greater(value < all(0) ? -value : value, most);
    unbounded += value - value;
  }
  float magnitude = largest(most);
  // 0, or NaN where any number is not finite: that must not vanish in rounding
  float spoilt = sum(unbounded);
  for (; at < width; at++) {
    magnitude = std::max(magnitude, std::fabs(x[at]));
    spoilt += x[at] - x[at];
  }
  const float step = magnitude * (1.0f / 127.0f) + spoilt;
  *scale = step;
  if (!(step > 0)) {
    std::fill(quanta, quanta + width, static_cast<uint8_t>(zero_point));
    return;
  }
  for (int64_t d = 0; d < width; d++) {
    const int32_t rounded = static_cast<int32_t>(__builtin_rintf(x[d] / step)) + zero_point;
    quanta[d] = static_cast<uint8_t>(rounded < 0 ? 0 : (rounded > 255 ? 255 : rounded));
  }
}

/** Runs `one(token)` for every token, on several threads where that pays. */
template <typename One>
void *each_token(const Context &context, int64_t tokens, int64_t width, const One &one) {
  if (tokens * width < worth_sharing) {
    for (int64_t at = 0; at < tokens; at++) one(at);
    return nullptr;
  }
  constexpr int64_t together = 4;
  return share_out(context, (tokens + together - 1) / together, [&](size_t part) {
    const int64_t first = static_cast<int64_t>(part) * together;
    for (int64_t at = first; at < std::min(tokens, first + together); at++) one(at);
  });
}

/** Somewhere to write what the graph does not ask for. */
float *scratch(int64_t width) {
  static thread_local std::vector<float> values;
  values.resize(width);
  return values.data();
}

class ResidualNorm {
 public:
  static constexpr const char *name = "ResidualNorm";
  static constexpr Slot inputs[] = {{element_float}, {element_float, optional}, {element_float, optional}, {element_float}};
  static constexpr Slot outputs[] = {{element_float, optional}, {element_float, optional}, {element_uint8, optional}, {element_float, optional}};

  explicit ResidualNorm(const Attributes &attributes) : epsilon_(attributes.number("epsilon", 0)) {}

  void *compute(const Context &context) const {
    const Tensor stream = context.input(0);
    const float *const pending = context.input(1).floats();
    const float *const pending_scale = context.input(2).floats();
    const float *const weight = context.input(3).floats();
    const int64_t width = stream.shape.back(), tokens = stream.count() / width;
    float *const sums = static_cast<float *>(context.output(0, stream.shape));
    float *const normalised = static_cast<float *>(context.output(1, stream.shape));
    uint8_t *const quanta = static_cast<uint8_t *>(context.output(2, stream.shape));
    float *const scale = static_cast<float *>(context.output(3, one_for_each(stream)));
    return each_token(context, tokens, width, [&](int64_t at) {
      float *const made = scratch(2 * width);
      const float *const from = stream.floats() + at * width;
      float *const x = sums ? sums + at * width : made + width;
      float *const y = normalised ? normalised + at * width : made;
      if (pending) {
        const float factor = pending_scale ? pending_scale[at] : 1;
        for (int64_t d = 0; d < width; d++) x[d] = from[d] + pending[at * width + d] * factor;
      } else {
        std::copy(from, from + width, x);
      }
      const float share = 1 / std::sqrt(dot(x, x, width) / static_cast<float>(width) + epsilon_);
      for (int64_t d = 0; d < width; d++) y[d] = x[d] * share * weight[d];
      if (quanta) quantise(y, width, quanta + at * width, scale + at);
    });
  }

 private:
  float epsilon_;
};

class Quantise {
 public:
  static constexpr const char *name = "Quantise";
  static constexpr Slot inputs[] = {{element_float}};
  static constexpr Slot outputs[] = {{element_uint8}, {element_float}};

  explicit Quantise(const Attributes &) {}

  void *compute(const Context &context) const {
    const Tensor x = context.input(0);
    const int64_t width = x.shape.back(), tokens = x.count() / width;
    uint8_t *const quanta = static_cast<uint8_t *>(context.output(0, x.shape));
    float *const scale = static_cast<float *>(context.output(1, one_for_each(x)));
    return each_token(context, tokens, width,
                      [&](int64_t at) { quantise(x.floats() + at * width, width, quanta + at * width, scale + at); });
  }
};

class Gated {
 public:
  static constexpr const char *name = "Gated";
  static constexpr Slot inputs[] = {{element_float}, {element_float, optional}, {element_float, optional}};
  static constexpr Slot outputs[] = {{element_float, optional}, {element_uint8, optional}, {element_float, optional}};

  explicit Gated(const Attributes &) {}

  void *compute(const Context &context) const {
    const Tensor gate = context.input(0), up = context.input(1);
    const float *const row_scale = context.inputs() > 2 ? context.input(2).floats() : nullptr;
    const int64_t step = gate.shape.back(), tokens = gate.count() / step, width = up ? step : step / 2;
    const float *const beside = up ? up.floats() : gate.floats() + width;
    std::vector<int64_t> shape = gate.shape;
    shape.back() = width;
    float *const hidden = static_cast<float *>(context.output(0, shape));
    uint8_t *const quanta = static_cast<uint8_t *>(context.output(1, shape));
    float *const scale = static_cast<float *>(context.output(2, one_for_each(gate)));
    return each_token(context, tokens, width, [&](int64_t at) {
      float *const y = hidden ? hidden + at * width : scratch(width);
      pass(gate.floats() + at * step, beside + at * step, row_scale ? row_scale[at] : 1, width, y);
      if (quanta) quantise(y, width, quanta + at * width, scale + at);
    });
  }

 private:
  static void pass(const float *gate, const float *up, float factor, int64_t width, float *to) {
    int64_t d = 0;
    for (; d + lanes <= width; d += lanes) {
      const Floats g = load(gate + d) * factor;
      store(to + d, g / (all(1) + exponential(-g)) * (load(up + d) * factor));
    }
    for (; d < width; d++) {
      const float g = gate[d] * factor;
      to[d] = g / (1 + exponential(all(-g))[0]) * (up[d] * factor);
    }
  }
};

}  // namespace

const OperatorRecord *residual_norm_record() { return operator_record<ResidualNorm>(); }
const OperatorRecord *quantise_record() { return operator_record<Quantise>(); }
const OperatorRecord *gated_record() { return operator_record<Gated>(); }

}  // namespace tiller
