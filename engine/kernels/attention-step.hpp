// What attention computes with in one step (attention.cpp): queries against stretches of keys, summed with a running softmax.
#pragma once

#include <algorithm>
#include <vector>

#include "attention-tile.hpp"
#include "operators.hpp"

namespace tiller {

/** Keys of a stretch: a multiple of `tile`. */
constexpr int64_t stretch = 512;
/** Queries that a pass over a tile takes together. */
constexpr int most_queries = 6;
/** Tokens that share a pass over the keys. */
constexpr int64_t most_tokens = 32;

/** Running softmax of one query over the keys seen so far: their largest score, and the sum of e^(score − largest). */
struct Running {
  float largest = nothing;
  float total = 0;
};

struct Shape {
  int64_t rows, tokens, slots, heads, key_heads, group, width, capacity, window;
  float scale, softcap;
};

/** Tokens of one slot of the cache that follow each other. */
struct Run {
  /** Of all the step's tokens, the first. */
  int64_t first;
  int64_t tokens, slot, first_position;

  int64_t last_position() const { return first_position + tokens - 1; }
};

/** Queries of some tokens of a run and of one group of heads, against one stretch of keys. */
struct Piece {
  /** Of all the step's tokens, the first, and where it stands in its slot. */
  int64_t first, position;
  int64_t slot, key_head, tokens, first_key, last_key;
};

/** `step` numbers a turn. */
template <typename Number>
Soon soon(const Number *from, int64_t step) {
  return {reinterpret_cast<const char *>(from), step * static_cast<int64_t>(sizeof(Number))};
}

/** Keys and values of the tile after this one. */
struct Next {
  Soon keys{}, values{};
};

/** Some of a piece's queries, from `first` on, that pass over a tile together. */
struct Queries {
  int64_t first;
  int count;
  /** [count, D] */
  const float *turned;
  float *out;
};

/** What a step computes with; `Number` is what the cache holds. */
template <typename Number>
class Step {
 public:
  Step(const Shape &shape, const Context &context) : shape_(shape) {
    q_ = context.input(0);
    const Tensor k = context.input(1), v = context.input(2);
    const int64_t width = shape.width;
    key_cache_ = static_cast<Number *>(context.input(3).data);
    value_cache_ = static_cast<Number *>(context.input(4).data);
    last_ = static_cast<const int32_t *>(context.input(5).data);
    const Tensor cosine = context.inputs() > 6 ? context.input(6) : Tensor{};
    if (cosine) {
      cosine_ = cosine.floats();
      sine_ = context.input(7).floats();
      half_ = cosine.shape.back();
    }
    const Tensor scale = context.inputs() > 8 ? context.input(8) : Tensor{};
    row_scale_ = scale ? scale.floats() : nullptr;
    const Tensor slots = context.inputs() > 9 ? context.input(9) : Tensor{};
    slots_ = slots ? static_cast<const int32_t *>(slots.data) : nullptr;
    query_step_ = q_.shape.back();
    const bool packed = !k;
    keys_ = packed ? q_.floats() + shape.heads * width : k.floats();
    values_ = packed ? keys_ + shape.key_heads * width : v.floats();
    key_step_ = packed ? query_step_ : k.shape.back();
  }

  /** The step's tokens, by slot: rows of one token each that stand behind each other in one slot are one run. */
  std::vector<Run> runs() const {
    std::vector<Run> all;
    for (int64_t row = 0; row < shape_.rows; row++) {
      const Run run{row * shape_.tokens, shape_.tokens, slots_ ? slots_[row] : row, last_[row] - (shape_.tokens - 1)};
      const bool follows = !all.empty() && all.back().slot == run.slot && all.back().last_position() + 1 == run.first_position;
      if (follows) {
        all.back().tokens += run.tokens;
      } else {
        all.push_back(run);
      }
    }
    return all;
  }

  /** Writes the keys and values of a run's token, of one head, into the cache. */
  void append(const Run &run, int64_t token, int64_t head) const {
    const int64_t position = run.first_position + token, at = run.first + token, width = shape_.width;
    const int64_t place = ((run.slot * shape_.key_heads + head) * shape_.capacity + position) * width;
    static thread_local std::vector<float> turned;
    turned.resize(width);
    turn(keys_ + at * key_step_ + head * width, position, at, 1, turned.data());
    const float *value = values_ + at * key_step_ + head * width;
    const float factor = row_scale_ ? row_scale_[at] : 1;
    for (int64_t d = 0; d < width; d += lanes) {
      store(key_cache_ + place + d, load(turned.data() + d));
      store(value_cache_ + place + d, load(value + d) * factor);
    }
  }

  /** Unnormalised sums of the piece's queries, [tokens, group, D], and their running softmax. */
  void attend(const Piece &piece, float *out, Running *running) const {
    const int64_t width = shape_.width, queries = piece.tokens * shape_.group;
    static thread_local std::vector<float> scratch;
    scratch.resize(queries * width + 2 * width * tile + most_queries * tile);
    float *const turned = scratch.data();
    float *const keys = turned + queries * width;
    float *const values = keys + width * tile;
    float *const scores = values + width * tile;
    for (int64_t t = 0; t < piece.tokens; t++) {
      const int64_t at = piece.first + t;
      for (int64_t g = 0; g < shape_.group; g++) {
        const float *query = q_.floats() + at * query_step_ + (piece.key_head * shape_.group + g) * width;
        turn(query, piece.position + t, at, shape_.scale, turned + (t * shape_.group + g) * width);
      }
    }
    std::fill(out, out + queries * width, 0.0f);
    std::fill(running, running + queries, Running{});
    const int64_t head = (piece.slot * shape_.key_heads + piece.key_head) * shape_.capacity;
    for (int64_t first = piece.first_key; first <= piece.last_key; first += tile) {
      const int count = static_cast<int>(std::min<int64_t>(tile, piece.last_key + 1 - first));
      const Number *const cached = key_cache_ + (head + first) * width;
      const Number *const stored = value_cache_ + (head + first) * width;
      // few queries take them as they are, rather than from where they were put as float32
      const bool few = queries <= most_queries;
      const float *const weighed = few ? nullptr : widen(stored, count * width, values);
      for (int t = 0; t < count; t += lanes) {
        for (int64_t d = 0; d < width; d += lanes) {
          transpose(cached + t * width + d, width, std::min(lanes, count - t), keys + d * tile + t);
        }
      }
      for (int64_t query = 0; query < queries; query += most_queries) {
        const int some = static_cast<int>(std::min<int64_t>(most_queries, queries - query));
        // the tile after this one comes while the first queries are at this one
        const bool asks = query == 0 && first + tile <= piece.last_key;
        const Next next = asks ? Next{soon(cached + tile * width, tile), soon(stored + tile * width, width)} : Next{};
        const Queries own{query, some, turned + query * width, out + query * width};
        if (few) {
          pass(piece, own, first, count, keys, stored, scores, running, next);
        } else {
          pass(piece, own, first, count, keys, weighed, scores, running, next);
        }
      }
    }
  }

 private:
  /** One tile of keys against a few queries. */
  template <typename Value>
  void pass(const Piece &piece, const Queries &queries, int64_t first, int count, const float *keys, const Value *values, float *scores,
            Running *running, const Next &next) const {
    const int columns = (count + lanes - 1) / lanes;
    score_some(queries.count, columns, queries.turned, keys, scores, next.keys);
    float keep[most_queries];
    bool any = false;
    for (int r = 0; r < queries.count; r++) {
      const int64_t position = piece.position + (queries.first + r) / shape_.group;
      const int seen = static_cast<int>(std::clamp<int64_t>(position + 1 - first, 0, count));
      const int64_t oldest = shape_.window > 0 ? position + 1 - shape_.window : 0;
      const int unseen = static_cast<int>(std::clamp<int64_t>(oldest - first, 0, seen));
      keep[r] = soften(scores + r * tile, unseen, seen, columns, running[queries.first + r]);
      any |= unseen < seen;
    }
    if (any) weigh_some(queries.count, scores, values, count, keep, queries.out, next.values);
  }

  /** Scores to weights e^(score − largest so far), those outside [unseen, seen) to 0. Returns the factor of what was summed before. */
  float soften(float *scores, int unseen, int seen, int columns, Running &running) const {
    if (shape_.softcap > 0) {
      for (int t = 0; t < columns * lanes; t++) scores[t] = shape_.softcap * std::tanh(scores[t] / shape_.softcap);
    }
    if (unseen >= seen) {
      std::fill(scores, scores + columns * lanes, 0.0f);
      return 1;
    }
    std::fill(scores, scores + unseen, nothing);
    std::fill(scores + seen, scores + columns * lanes, nothing);
    Floats most = load(scores);
    for (int j = 1; j < columns; j++) most = greater(most, load(scores + j * lanes));
    const float before = running.largest;
    const float now = std::max(before, largest(most));
    // where nothing but NaN was seen there is no largest; the weights must be NaN all the same
    const float base = now == nothing ? 0 : now;
    Floats total = all(0);
    for (int j = 0; j < columns; j++) {
      const Floats value = load(scores + j * lanes);
      // not computed from a difference of infinities, nor left at the tiny number that `exponential` ends with
      const Floats weight = value == all(nothing) ? all(0) : exponential(value - all(base));
      store(scores + j * lanes, weight);
      total += weight;
    }
    const float keep = before == nothing ? 0 : exponential(all(before - base))[0];
    running.total = running.total * keep + sum(total);
    running.largest = now;
    return keep;
  }

  /** Rotates one head's query or key into `to`, times `factor` and the row's own scale. */
  void turn(const float *from, int64_t position, int64_t at, float factor, float *to) const {
    const float scale = row_scale_ ? factor * row_scale_[at] : factor;
    const float *cosine = cosine_ + position * half_, *sine = sine_ + position * half_;
    for (int64_t d = 0; d < half_; d++) {
      const float low = from[d] * scale, high = from[d + half_] * scale;
      to[d] = low * cosine[d] - high * sine[d];
      to[d + half_] = high * cosine[d] + low * sine[d];
    }
    for (int64_t d = 2 * half_; d < shape_.width; d++) to[d] = from[d] * scale;
  }

  void score_some(int some, int columns, const float *queries, const float *keys, float *scores, Soon soon) const {
    using Score = void (*)(const float *, const float *, int64_t, float *, Soon);
    static constexpr Score wide[] = {score<1, abreast>, score<2, abreast>, score<3, abreast>,
                                     score<4, abreast>, score<5, abreast>, score<6, abreast>};
    static constexpr Score narrow[] = {score<1, 1>, score<2, 1>, score<3, 1>, score<4, 1>, score<5, 1>, score<6, 1>};
    int j = 0;
    for (; j + abreast <= columns; j += abreast, soon = {}) wide[some - 1](queries, keys + j * lanes, shape_.width, scores + j * lanes, soon);
    for (; j < columns; j++, soon = {}) narrow[some - 1](queries, keys + j * lanes, shape_.width, scores + j * lanes, soon);
  }

  template <typename Value>
  void weigh_some(int some, const float *weights, const Value *values, int count, const float *keep, float *out, Soon soon) const {
    using Weigh = void (*)(const float *, const Value *, int64_t, int, const float *, float *, Soon);
    static constexpr Weigh wide[] = {weigh<1, abreast, Value>, weigh<2, abreast, Value>, weigh<3, abreast, Value>,
                                     weigh<4, abreast, Value>, weigh<5, abreast, Value>, weigh<6, abreast, Value>};
    static constexpr Weigh narrow[] = {weigh<1, 1, Value>, weigh<2, 1, Value>, weigh<3, 1, Value>,
                                       weigh<4, 1, Value>, weigh<5, 1, Value>, weigh<6, 1, Value>};
    const int64_t width = shape_.width;
    int64_t d = 0;
    for (; d + abreast * lanes <= width; d += abreast * lanes, soon = {}) {
      wide[some - 1](weights, values + d, width, count, keep, out + d, soon);
    }
    for (; d < width; d += lanes, soon = {}) narrow[some - 1](weights, values + d, width, count, keep, out + d, soon);
  }

  Shape shape_;
  Tensor q_;
  const float *keys_, *values_;
  Number *key_cache_, *value_cache_;
  const int32_t *last_, *slots_;
  const float *cosine_ = nullptr, *sine_ = nullptr, *row_scale_;
  int64_t half_ = 0, query_step_, key_step_;
};

}  // namespace tiller
