// Edit(stream, pending?, pending_scale?, read, write, bias, threshold, beta, gamma, low, high, active_above, sink_norm, mask)
//   → edited, gate, coefficient, reading_before, reading_after, stream_norm
//
//   stream, pending   [B, S, d]: the residual stream, and what is added to it before the edits; pending_scale [B·S] is a factor of
//                     each of its tokens
//   read, write       [G, K, d] ; the parameters [G, 1, K]: one group of slots for all rows, or one for each
//   mask              [B, S, K]: which tokens each slot touches
//
// engine/steering/reference.ts at one hook point, in one pass over each token:
//
//     x = stream + pending ;  a = x·read_k + bias_k ;  f = a if a > threshold_k else 0 ;  u = clip(beta_k + gamma_k·f, low_k, high_k)
//     g = mask and a > active_above_k and ‖x‖ ≤ sink_norm_k ;  edited = x + Σ_k (u if g else 0)·write_k
//
// and reading_after the same a of what was edited. A slot that is closed is never multiplied into the stream, whatever it holds.
#include <algorithm>
#include <cmath>
#include <vector>

#include "operators.hpp"
#include "vectors.hpp"

namespace tiller {
namespace {

class Edit {
 public:
  static constexpr const char *name = "Edit";
  static constexpr Slot inputs[] = {{element_float}, {element_float, optional}, {element_float, optional},
                                    {element_float}, {element_float},           {element_float},
                                    {element_float}, {element_float},           {element_float},
                                    {element_float}, {element_float},           {element_float},
                                    {element_float}, {element_bool}};
  static constexpr Slot outputs[] = {{element_float}, {element_bool}, {element_float}, {element_float}, {element_float}, {element_float}};

  explicit Edit(const Attributes &) {}

  void *compute(const Context &context) const {
    const Tensor stream = context.input(0), read = context.input(3), mask = context.input(13);
    const int64_t rows = stream.shape[0], tokens = stream.shape[1], width = stream.shape[2];
    const int64_t groups = read.shape[0], slots = read.shape[1];
    if (groups != 1 && groups != rows) return context.failure("slots are neither shared nor one group a row");
    Tables tables{};
    tables.stream = stream.floats();
    tables.pending = context.input(1).floats();
    tables.pending_scale = context.input(2).floats();
    tables.read = read.floats();
    tables.write = context.input(4).floats();
    for (size_t at = 0; at < parameters; at++) tables.parameter[at] = context.input(5 + at).floats();
    tables.mask = static_cast<const bool *>(mask.data);
    tables.edited = static_cast<float *>(context.output(0, stream.shape));
    const std::vector<int64_t> readings{rows, tokens, slots};
    tables.gate = static_cast<bool *>(context.output(1, readings));
    for (size_t at = 0; at < 3; at++) tables.reading[at] = static_cast<float *>(context.output(2 + at, readings));
    tables.norm = static_cast<float *>(context.output(5, {rows, tokens, 1}));
    const auto one = [&](int64_t at) { edit(tables, at, groups == 1 ? 0 : at / tokens, width, slots); };
    const int64_t count = rows * tokens;
    constexpr int64_t worth_sharing = 1 << 17;
    if (count * width * (slots + 1) < worth_sharing) {
      for (int64_t at = 0; at < count; at++) one(at);
      return nullptr;
    }
    return share_out(context, (count + together - 1) / together, [&](size_t part) {
      const int64_t first = static_cast<int64_t>(part) * together;
      for (int64_t at = first; at < std::min(count, first + together); at++) one(at);
    });
  }

 private:
  static constexpr int64_t together = 4;
  enum Parameter { bias, threshold, beta, gamma, low, high, active_above, sink_norm, parameters };

  struct Tables {
    const float *stream, *pending, *pending_scale, *read, *write, *parameter[parameters];
    const bool *mask;
    float *edited;
    bool *gate;
    /** coefficient, before, after */
    float *reading[3];
    float *norm;
  };

  static void edit(const Tables &tables, int64_t at, int64_t group, int64_t width, int64_t slots) {
    const float *const stream = tables.stream + at * width;
    float *const x = tables.edited + at * width;
    if (tables.pending) {
      const float *const pending = tables.pending + at * width;
      const float scale = tables.pending_scale ? tables.pending_scale[at] : 1;
      for (int64_t d = 0; d < width; d++) x[d] = stream[d] + pending[d] * scale;
    } else {
      std::copy(stream, stream + width, x);
    }
    const float norm = std::sqrt(dot(x, x, width));
    tables.norm[at] = norm;
    const auto parameter = [&](Parameter which, int64_t k) { return tables.parameter[which][group * slots + k]; };
    const float *const read = tables.read + group * slots * width;
    const float *const write = tables.write + group * slots * width;
    bool any = false;
    for (int64_t k = 0; k < slots; k++) {
      const float a = dot(x, read + k * width, width) + parameter(bias, k);
      const float f = a > parameter(threshold, k) ? a : 0;
      const float u = std::min(std::max(parameter(beta, k) + parameter(gamma, k) * f, parameter(low, k)), parameter(high, k));
      const bool open = tables.mask[at * slots + k] && a > parameter(active_above, k) && norm <= parameter(sink_norm, k);
      tables.gate[at * slots + k] = open;
      tables.reading[0][at * slots + k] = u;
      tables.reading[1][at * slots + k] = a;
      any |= open;
    }
    if (any) add(tables, at, write, width, slots, x);
    for (int64_t k = 0; k < slots; k++) {
      const float a = any ? dot(x, read + k * width, width) + parameter(bias, k) : tables.reading[1][at * slots + k];
      tables.reading[2][at * slots + k] = a;
    }
  }

  /** x += Σ_k u_k·write_k over open slots; the sum is made first, so that the order of slots is all that rounds it. */
  static void add(const Tables &tables, int64_t at, const float *write, int64_t width, int64_t slots, float *x) {
    static thread_local std::vector<float> delta;
    delta.assign(width, 0.0f);
    float *const sum = delta.data();
    for (int64_t k = 0; k < slots; k++) {
      if (!tables.gate[at * slots + k]) continue;
      const float u = tables.reading[0][at * slots + k];
      const float *const row = write + k * width;
      for (int64_t d = 0; d < width; d++) sum[d] += u * row[d];
    }
    for (int64_t d = 0; d < width; d++) x[d] += sum[d];
  }
};

}  // namespace

const OperatorRecord *edit_record() { return operator_record<Edit>(); }

}  // namespace tiller
