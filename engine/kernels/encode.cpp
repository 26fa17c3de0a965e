// Which of very many directions are active on each token, and how much: an encoder at full width, told in few numbers.
//
// Encode(stream, pending?, pending_scale?, weights, bias, factor, threshold, input_bias, numbers, settings, mask)
//   → active, indices, values, norms
//
//   stream, pending, pending_scale   as Edit has them: x = stream + pending [B, S, width]
//   weights     the matrix in strips of 32 outputs, [strips, width, 32], as bytes: float32, half precision or bfloat16
//   bias, factor, threshold [outputs] ; input_bias [width] ; mask [B, S]: tokens that are read at all
//   numbers     scale, epsilon
//   settings    outputs, form of the weights, rule, count, rectified, centred, norm, most: see the enumerations below
//   active [B, S]: outputs that are active ; indices, values [B, S, most]: min(active, most) of them, the largest, by ascending index ;
//   norms [B, S]: ‖x‖
//
//     p = ((scale·(x − mean) / norm(x) − input_bias)·weights + bias)·factor
//
// and of these are active: those above their threshold (which is 0 or more); the `count` largest of a token (of equal ones the first);
// the largest of each of `count` equal runs. A token's sums are made in the same order whatever other tokens are read.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "largest.hpp"
#include "operators.hpp"
#include "plain-rows.hpp"

namespace tiller {
namespace {

enum Form : int64_t { float32_numbers = 0, half_numbers = 1, bfloat_numbers = 2 };
enum Rule : int64_t { above_threshold = 0, largest_of_token = 1, largest_of_runs = 2 };
enum Norm : int64_t { no_norm = 0, root_mean_square = 1, deviation = 2 };

struct Settings {
  int64_t outputs, form, rule, count, rectified, centred, norm, most;
};

/** Sums are made of so many inputs at a time, and then added up: fewer roundings lie on the way of each product. */
constexpr int64_t summed_inputs = 64;
/** Sums of a panel of tokens that are kept until it is known which are the largest. */
constexpr int64_t kept_sums = 1 << 24;

/** A strip of weights as float32, [width, 32]. */
const float *strip_of(const uint8_t *weights, int64_t form, int64_t strip, int64_t width) {
  const int64_t numbers = width * strip_outputs;
  if (form == float32_numbers) return reinterpret_cast<const float *>(weights) + strip * numbers;
  static thread_local std::vector<float> widened;
  widened.resize(numbers);
  const uint16_t *const from = reinterpret_cast<const uint16_t *>(weights) + strip * numbers;
  for (int64_t at = 0; at < numbers; at += lanes) {
    if (form == half_numbers) {
      store(widened.data() + at, load(from + at));
    } else {
      Halves halves;
      std::memcpy(&halves, from + at, sizeof halves);
      const Words words = __builtin_convertvector(halves, Words) << 16;
      std::memcpy(widened.data() + at, &words, sizeof words);
    }
  }
  return widened.data();
}

/** x·w of a strip for rows [rows, width]; returns [rows, 32]. */
const float *strip_sums(const float *x, int64_t rows, int64_t width, const float *w) {
  static thread_local std::vector<float> part, total;
  total.assign(rows * strip_outputs, 0.0f);
  for (int64_t from = 0; from < width; from += summed_inputs) {
    part.assign(rows * strip_outputs, 0.0f);
    add_rows(x + from, rows, width, std::min(summed_inputs, width - from), w + from * strip_outputs, part.data());
    for (int64_t at = 0; at < rows * strip_outputs; at += lanes) store(&total[at], load(&total[at]) + load(&part[at]));
  }
  return total.data();
}

/** What is active of one token, on its way out. */
struct Found {
  int32_t *active, *indices;
  float *values;
  int64_t most;

  /** Takes candidates by ascending index; of more than `most` the largest. Those that are nothing are not active. */
  void take(std::vector<Candidate> &candidates) const {
    *active = static_cast<int32_t>(candidates.size());
    if (static_cast<int64_t>(candidates.size()) > most) {
      std::nth_element(candidates.begin(), candidates.begin() + most, candidates.end(),
                       [](const Candidate &a, const Candidate &b) { return a.before(b); });
      candidates.resize(most);
      std::sort(candidates.begin(), candidates.end(), [](const Candidate &a, const Candidate &b) { return a.index < b.index; });
    }
    for (size_t at = 0; at < candidates.size(); at++) {
      indices[at] = static_cast<int32_t>(candidates[at].index);
      values[at] = candidates[at].value;
    }
  }
};

/** One run of the operator over the tokens that are read. */
class Reading {
 public:
  Reading(const Context &context, const Settings &settings, int64_t width) : context_(context), settings_(settings), width_(width) {}

  const uint8_t *weights = nullptr;
  const float *bias = nullptr, *factor = nullptr, *threshold = nullptr;
  /** [tokens, width], normalised. */
  std::vector<float> x;
  std::vector<Found> found;

  void *run() {
    const int64_t tokens = static_cast<int64_t>(found.size());
    const int64_t panel = settings_.rule == above_threshold ? tokens : std::max<int64_t>(1, kept_sums / settings_.outputs);
    for (int64_t from = 0; from < tokens; from += panel) {
      const int64_t count = std::min(panel, tokens - from);
      void *const failure = settings_.rule == above_threshold ? above(from, count) : largest(from, count);
      if (failure) return failure;
    }
    return nullptr;
  }

 private:
  int64_t strips() const { return (settings_.outputs + strip_outputs - 1) / strip_outputs; }

  /** p of a strip's outputs for a token, from its sums. Returns how many outputs there are. */
  int64_t finish(int64_t strip, const float *sums, float *p) const {
    const int64_t first = strip * strip_outputs, count = std::min<int64_t>(strip_outputs, settings_.outputs - first);
    for (int64_t at = 0; at < count; at++) p[at] = (sums[at] + bias[first + at]) * factor[first + at];
    return count;
  }

  /** Each strip remembers which of its outputs are active on which token, one bit each, and their values; then tokens collect theirs. */
  void *above(int64_t from, int64_t tokens) {
    std::vector<std::vector<float>> values(strips());
    std::vector<uint32_t> bits(strips() * tokens), places(strips() * tokens);
    void *const failure = share_out(context_, strips(), [&](size_t each) {
      const int64_t strip = static_cast<int64_t>(each);
      const float *const w = strip_of(weights, settings_.form, strip, width_);
      const float *const sums = strip_sums(x.data() + from * width_, tokens, width_, w);
      float p[strip_outputs];
      for (int64_t token = 0; token < tokens; token++) {
        const int64_t count = finish(strip, sums + token * strip_outputs, p);
        const float *const bound = threshold + strip * strip_outputs;
        uint32_t own = 0;
        for (int64_t at = 0; at < count; at++) own |= static_cast<uint32_t>(p[at] > bound[at]) << at;
        bits[strip * tokens + token] = own;
        places[strip * tokens + token] = static_cast<uint32_t>(values[strip].size());
        for (uint32_t left = own; left; left &= left - 1) values[strip].push_back(p[__builtin_ctz(left)]);
      }
    });
    if (failure) return failure;
    return share_out(context_, tokens, [&](size_t token) {
      static thread_local std::vector<Candidate> candidates;
      candidates.clear();
      for (int64_t strip = 0; strip < strips(); strip++) {
        uint32_t place = places[strip * tokens + token];
        for (uint32_t left = bits[strip * tokens + token]; left; left &= left - 1) {
          candidates.push_back({values[strip][place++], strip * strip_outputs + __builtin_ctz(left)});
        }
      }
      found[from + token].take(candidates);
    });
  }

  /** All sums of the tokens are kept until the largest are known. */
  void *largest(int64_t from, int64_t tokens) {
    const int64_t outputs = settings_.outputs;
    std::vector<float> kept(tokens * outputs);
    void *const failure = share_out(context_, strips(), [&](size_t each) {
      const int64_t strip = static_cast<int64_t>(each);
      const float *const w = strip_of(weights, settings_.form, strip, width_);
      const float *const sums = strip_sums(x.data() + from * width_, tokens, width_, w);
      for (int64_t token = 0; token < tokens; token++) {
        finish(strip, sums + token * strip_outputs, kept.data() + token * outputs + strip * strip_outputs);
      }
    });
    if (failure) return failure;
    return share_out(context_, tokens, [&](size_t token) {
      static thread_local Largest largest;
      static thread_local std::vector<Candidate> candidates;
      const float *const p = kept.data() + token * outputs;
      candidates.clear();
      const bool runs = settings_.rule == largest_of_runs;
      const int64_t parts = runs ? settings_.count : 1, part = outputs / parts, wanted = runs ? 1 : settings_.count;
      for (int64_t at = 0; at < parts; at++) {
        largest.look(p + at * part, part);
        for (const Candidate &one : largest.first(p + at * part, part, wanted)) {
          const bool active = settings_.rectified ? one.value > 0 : one.value != 0;
          if (active) candidates.push_back({one.value, at * part + one.index});
        }
      }
      std::sort(candidates.begin(), candidates.end(), [](const Candidate &a, const Candidate &b) { return a.index < b.index; });
      found[from + token].take(candidates);
    });
  }

  const Context &context_;
  const Settings settings_;
  const int64_t width_;
};

class Encode {
 public:
  static constexpr const char *name = "Encode";
  static constexpr Slot inputs[] = {{element_float}, {element_float, optional}, {element_float, optional}, {element_uint8},
                                    {element_float}, {element_float},           {element_float},           {element_float},
                                    {element_float}, {element_int64},           {element_bool}};
  static constexpr Slot outputs[] = {{element_int32}, {element_int32}, {element_float}, {element_float}};

  explicit Encode(const Attributes &) {}

  void *compute(const Context &context) const {
    const Tensor stream = context.input(0), weights = context.input(3), given = context.input(9);
    if (given.count() != sizeof(Settings) / sizeof(int64_t)) return context.failure("Encode: settings of another version");
    Settings settings;
    std::memcpy(&settings, given.data, sizeof settings);
    const int64_t rows = stream.shape[0], tokens = stream.shape[1], width = stream.shape[2], outputs = settings.outputs;
    const int64_t strips = (outputs + strip_outputs - 1) / strip_outputs, bytes = settings.form == float32_numbers ? 4 : 2;
    if (weights.count() != strips * width * strip_outputs * bytes) return context.failure("Encode: weights of another shape");
    for (const size_t each : {4, 5, 6}) {
      if (context.input(each).count() != outputs) return context.failure("Encode: as many numbers as outputs are needed");
    }
    if (context.input(7).count() != width) return context.failure("Encode: an input bias of another width");
    const bool counts = settings.count >= 1 && settings.count <= outputs;
    if (settings.rule != above_threshold && !counts) return context.failure("Encode: more outputs than there are, or none");
    if (settings.rule == largest_of_runs && outputs % settings.count != 0) return context.failure("Encode: runs of unequal length");

    const float *const pending = context.input(1).floats(), *const scale = context.input(2).floats();
    const float *const input_bias = context.input(7).floats(), *const numbers = context.input(8).floats();
    const bool *const mask = static_cast<const bool *>(context.input(10).data);
    int32_t *const active = static_cast<int32_t *>(context.output(0, {rows, tokens}));
    int32_t *const indices = static_cast<int32_t *>(context.output(1, {rows, tokens, settings.most}));
    float *const values = static_cast<float *>(context.output(2, {rows, tokens, settings.most}));
    float *const norms = static_cast<float *>(context.output(3, {rows, tokens}));

    Reading reading(context, settings, width);
    reading.weights = static_cast<const uint8_t *>(weights.data);
    reading.bias = context.input(4).floats();
    reading.factor = context.input(5).floats();
    reading.threshold = context.input(6).floats();
    for (int64_t at = 0; at < rows * tokens; at++) {
      active[at] = 0;
      norms[at] = 0;
      if (!mask[at]) continue;
      const size_t begin = reading.x.size();
      reading.x.resize(begin + width);
      float *const x = reading.x.data() + begin;
      const float *const from = stream.floats() + at * width;
      const float factor = scale ? scale[at] : 1;
      for (int64_t d = 0; d < width; d++) x[d] = pending ? from[d] + pending[at * width + d] * factor : from[d];
      norms[at] = std::sqrt(dot(x, x, width));
      normalise(settings, numbers, input_bias, width, x);
      reading.found.push_back({active + at, indices + at * settings.most, values + at * settings.most, settings.most});
    }
    return reading.found.empty() ? nullptr : reading.run();
  }

 private:
  /** x → scale·(x − mean) / norm − input_bias, in double precision. */
  static void normalise(const Settings &settings, const float *numbers, const float *input_bias, int64_t width, float *x) {
    double mean = 0, square = 0, divisor = 1;
    if (settings.centred || settings.norm == deviation) {
      for (int64_t d = 0; d < width; d++) mean += x[d];
      mean /= static_cast<double>(width);
    }
    if (settings.norm != no_norm) {
      for (int64_t d = 0; d < width; d++) square += (x[d] - mean) * (x[d] - mean);
      divisor = settings.norm == root_mean_square ? std::sqrt(square / static_cast<double>(width))
                                                  : std::sqrt(square / static_cast<double>(width - 1)) + numbers[1];
    }
    for (int64_t d = 0; d < width; d++) x[d] = static_cast<float>(numbers[0] * (x[d] - mean) / divisor - input_bias[d]);
  }
};

}  // namespace

const OperatorRecord *encode_record() { return operator_record<Encode>(); }

}  // namespace tiller
