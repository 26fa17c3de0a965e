// Attention, HalfAttention (q, k?, v?, key_cache, value_cache, last_positions, cosine?, sine?, row_scale?) → z
//
//   q               [.., heads·D], or queries, keys and values side by side [.., (heads + 2·kv_heads)·D] where k and v are left out
//   key_cache       [B, kv_heads, capacity, D], float32 or (HalfAttention) float16; this step's keys and values are written into both, in place
//   last_positions  [B] int32: the position of each row's last token
//   cosine, sine    [positions, R/2]: rotary tables for the first R of the D dimensions, halves apart (Su et al. 2021)
//   row_scale       [B·S]: factor of each token's q, k and v
//   z               [B, S, heads·D]
//
//   attributes: heads, kv_heads, scale (of scores), softcap (0: none; s ← c·tanh(s/c)), window (0: none; else keys looked back on,
//   the token's own among them)
//
// Keys are taken in stretches of `stretch`, each summed by itself with a running maximum (Milakov & Gimelshein 2018; Dao et al. 2022),
// and stretches are then joined in order. Where they begin depends on positions alone: whatever shares the batch, and however many
// threads there are, a token's sums are made in the same order.
#include <algorithm>
#include <limits>
#include <vector>

#include "operators.hpp"
#include "vectors.hpp"

namespace tiller {
namespace {

/** Keys whose scores are made at once. */
constexpr int tile = 64;
/** Keys of a stretch: a multiple of `tile`. */
constexpr int64_t stretch = 512;
/** Queries that a pass over a tile takes together. */
constexpr int most_queries = 6;
/** Tokens that share a pass over the keys. */
constexpr int64_t most_tokens = 32;
constexpr float nothing = -std::numeric_limits<float>::infinity();

#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
/**
 * A square of floats turned over, in place: each pass exchanges groups of half as many lanes between rows that lie as far apart. Inlined,
 * it stays in registers.
 */
__attribute__((always_inline)) inline void turn_over(Floats (&one)[lanes]) {
#if defined(__AVX512F__)
  Floats other[lanes];
  for (int r = 0; r < 8; r++) {
    other[r] = SHUFFLE(one[r], one[r + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    other[r + 8] = SHUFFLE(one[r], one[r + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
  for (int g = 0; g < lanes; g += 8) {
    for (int r = g; r < g + 4; r++) {
      one[r] = SHUFFLE(other[r], other[r + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
      one[r + 4] = SHUFFLE(other[r], other[r + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    }
  }
  for (int g = 0; g < lanes; g += 4) {
    for (int r = g; r < g + 2; r++) {
      other[r] = SHUFFLE(one[r], one[r + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
      other[r + 2] = SHUFFLE(one[r], one[r + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
  }
  for (int r = 0; r < lanes; r += 2) {
    one[r] = SHUFFLE(other[r], other[r + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
    one[r + 1] = SHUFFLE(other[r], other[r + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  }
#else
  Floats other[lanes];
  for (int r = 0; r < 4; r++) {
    other[r] = SHUFFLE(one[r], one[r + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    other[r + 4] = SHUFFLE(one[r], one[r + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  for (int g = 0; g < lanes; g += 4) {
    for (int r = g; r < g + 2; r++) {
      one[r] = SHUFFLE(other[r], other[r + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      one[r + 2] = SHUFFLE(other[r], other[r + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int r = 0; r < lanes; r += 2) {
    other[r] = SHUFFLE(one[r], one[r + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    other[r + 1] = SHUFFLE(one[r], one[r + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int r = 0; r < lanes; r++) one[r] = other[r];
#endif
}
#undef SHUFFLE

/** A square of the cache, its rows `step` apart, turned over into `to`, rows `tile` apart; rows from `rows` on are zero. */
template <typename Number>
void transpose(const Number *from, int64_t step, int rows, float *to) {
  Floats square[lanes];
  for (int r = 0; r < lanes; r++) square[r] = r < rows ? load(from + r * step) : all(0);
  turn_over(square);
  for (int r = 0; r < lanes; r++) store(to + r * tile, square[r]);
}

/** Memory that is read soon: each turn of a loop asks for `step` bytes of it, a multiple of 64 or none, while it computes. */
struct Soon {
  const char *from;
  int64_t step;

  void ask(int64_t turn) const {
    for (int64_t line = 0; line < step; line += 64) __builtin_prefetch(from + turn * step + line);
  }
};

/** scores[r][0 … lanes·J) = q_r · keys, keys turned over: [D][tile]. */
template <int R, int J>
void score(const float *queries, const float *keys, int64_t width, float *scores, Soon soon) {
  Floats sums[R][J];
  for (int r = 0; r < R; r++) {
    for (int j = 0; j < J; j++) sums[r][j] = all(0);
  }
  for (int64_t d = 0; d < width; d++) {
    soon.ask(d);
    for (int j = 0; j < J; j++) {
      const Floats key = load(keys + d * tile + j * lanes);
      for (int r = 0; r < R; r++) sums[r][j] += queries[r * width + d] * key;
    }
  }
  for (int r = 0; r < R; r++) {
    for (int j = 0; j < J; j++) store(scores + r * tile + j * lanes, sums[r][j]);
  }
}

/** out_r[0 … lanes·J) = out_r · keep_r + Σ_t weights[r][t] · values_t */
template <int R, int J, typename Value>
void weigh(const float *weights, const Value *values, int64_t width, int count, const float *keep, float *out, Soon soon) {
  Floats sums[R][J];
  for (int r = 0; r < R; r++) {
    for (int j = 0; j < J; j++) sums[r][j] = load(out + r * width + j * lanes) * keep[r];
  }
  for (int t = 0; t < count; t++) {
    soon.ask(t);
    Floats value[J];
    for (int j = 0; j < J; j++) value[j] = load(values + t * width + j * lanes);
    for (int r = 0; r < R; r++) {
      for (int j = 0; j < J; j++) sums[r][j] += weights[r * tile + t] * value[j];
    }
  }
  for (int r = 0; r < R; r++) {
    for (int j = 0; j < J; j++) store(out + r * width + j * lanes, sums[r][j]);
  }
}

/** Numbers of the cache as float32: where they lie, or in `to`. */
const float *widen(const float *from, int64_t, float *) { return from; }
const float *widen(const uint16_t *from, int64_t count, float *to) {
  for (int64_t at = 0; at < count; at += lanes) store(to + at, load(from + at));
  return to;
}

/** Running softmax of one query over the keys seen so far: their largest score, and the sum of e^(score − largest). */
struct Running {
  float largest = nothing;
  float total = 0;
};

struct Shape {
  int64_t rows, tokens, heads, key_heads, group, width, capacity, window;
  float scale, softcap;
};

/** Queries of some tokens and of one group of heads, against one stretch of keys. */
struct Piece {
  int64_t row, key_head, first_token, tokens, first_key, last_key;
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
    query_step_ = q_.shape.back();
    const bool packed = !k;
    keys_ = packed ? q_.floats() + shape.heads * width : k.floats();
    values_ = packed ? keys_ + shape.key_heads * width : v.floats();
    key_step_ = packed ? query_step_ : k.shape.back();
  }

  int64_t first_position(int64_t row) const { return last_[row] - (shape_.tokens - 1); }
  int64_t last_position(int64_t row) const { return last_[row]; }

  /** Writes the token's keys and values of one head into the cache. */
  void append(int64_t row, int64_t token, int64_t head) const {
    const int64_t position = first_position(row) + token, at = row * shape_.tokens + token, width = shape_.width;
    const int64_t place = ((row * shape_.key_heads + head) * shape_.capacity + position) * width;
    static thread_local std::vector<float> turned;
    turned.resize(width);
    turn(keys_ + at * key_step_ + head * width, position, at, 1, turned.data());
    const float *value = values_ + at * key_step_ + head * width;
    const float factor = row_scale_ ? row_scale_[at] : 1;
    for (int64_t d = 0; d < width; d++) {
      put(key_cache_ + place + d, turned[d]);
      put(value_cache_ + place + d, value[d] * factor);
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
      const int64_t at = piece.row * shape_.tokens + piece.first_token + t;
      for (int64_t g = 0; g < shape_.group; g++) {
        const float *query = q_.floats() + at * query_step_ + (piece.key_head * shape_.group + g) * width;
        turn(query, first_position(piece.row) + piece.first_token + t, at, shape_.scale, turned + (t * shape_.group + g) * width);
      }
    }
    std::fill(out, out + queries * width, 0.0f);
    std::fill(running, running + queries, Running{});
    const int64_t head = (piece.row * shape_.key_heads + piece.key_head) * shape_.capacity;
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
      const int64_t position = first_position(piece.row) + piece.first_token + (queries.first + r) / shape_.group;
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
  const int32_t *last_;
  const float *cosine_ = nullptr, *sine_ = nullptr, *row_scale_;
  int64_t half_ = 0, query_step_, key_step_;
};

template <typename Number>
class Attention {
 public:
  static constexpr bool is_half = sizeof(Number) == 2;
  static constexpr const char *name = is_half ? "HalfAttention" : "Attention";
  static constexpr ElementType cached = is_half ? element_float16 : element_float;
  static constexpr Slot inputs[] = {{element_float},           {element_float, optional}, {element_float, optional},
                                    {cached},                  {cached},                  {element_int32},
                                    {element_float, optional}, {element_float, optional}, {element_float, optional}};
  static constexpr Slot outputs[] = {{element_float}};

  explicit Attention(const Attributes &attributes)
      : heads_(attributes.integer("heads", 1)),
        key_heads_(attributes.integer("kv_heads", 1)),
        window_(attributes.integer("window", 0)),
        scale_(attributes.number("scale", 1)),
        softcap_(attributes.number("softcap", 0)) {}

  void *compute(const Context &context) const {
    const Tensor cache = context.input(3);
    Shape shape{};
    shape.rows = cache.shape[0];
    shape.capacity = cache.shape[2];
    shape.width = cache.shape[3];
    shape.heads = heads_;
    shape.key_heads = key_heads_;
    shape.group = heads_ / key_heads_;
    shape.window = window_;
    shape.scale = scale_;
    shape.softcap = softcap_;
    const Tensor q = context.input(0);
    shape.tokens = q.count() / q.shape.back() / shape.rows;
    if (shape.width % lanes != 0) return context.failure("the width of a head is not a multiple of 16");
    const Step<Number> step(shape, context);
    for (int64_t row = 0; row < shape.rows; row++) {
      if (step.first_position(row) < 0 || step.last_position(row) >= shape.capacity) {
        return context.failure("a row's positions are outside its cache");
      }
    }
    float *const z = static_cast<float *>(context.output(0, {shape.rows, shape.tokens, heads_ * shape.width}));
    if (void *failed = append(step, shape, context)) return failed;
    return attend(step, shape, context, z);
  }

 private:
  static void *append(const Step<Number> &step, const Shape &shape, const Context &context) {
    const int64_t tokens = shape.rows * shape.tokens;
    const auto one = [&](int64_t at) {
      for (int64_t head = 0; head < shape.key_heads; head++) step.append(at / shape.tokens, at % shape.tokens, head);
    };
    constexpr int64_t worth_sharing = 1 << 15;
    if (tokens * shape.key_heads * shape.width < worth_sharing) {
      for (int64_t at = 0; at < tokens; at++) one(at);
      return nullptr;
    }
    return share_out(context, tokens, [&](size_t at) { one(static_cast<int64_t>(at)); });
  }

  static void *attend(const Step<Number> &step, const Shape &shape, const Context &context, float *z) {
    // Few tokens a piece where there are few pieces: every thread should get some.
    int64_t stretches = 0;
    for (int64_t row = 0; row < shape.rows; row++) stretches += step.last_position(row) / stretch + 1;
    const int64_t blocks_wanted = std::max<int64_t>(1, 12 / (stretches * shape.key_heads));
    const int64_t some = std::clamp<int64_t>((shape.tokens + blocks_wanted - 1) / blocks_wanted, 1, most_tokens);
    std::vector<Piece> pieces;
    std::vector<int64_t> firsts;
    for (int64_t row = 0; row < shape.rows; row++) {
      for (int64_t head = 0; head < shape.key_heads; head++) {
        for (int64_t token = 0; token < shape.tokens; token += some) {
          const int64_t tokens = std::min(some, shape.tokens - token);
          const int64_t last = step.first_position(row) + token + tokens - 1;
          const int64_t oldest = step.first_position(row) + token + 1 - shape.window;
          const int64_t begin = shape.window > 0 ? std::max<int64_t>(0, oldest) / stretch * stretch : 0;
          firsts.push_back(static_cast<int64_t>(pieces.size()));
          for (int64_t key = begin; key <= last; key += stretch) {
            pieces.push_back({row, head, token, tokens, key, std::min(last, key + stretch - 1)});
          }
        }
      }
    }
    firsts.push_back(static_cast<int64_t>(pieces.size()));
    const int64_t queries = some * shape.group;
    static thread_local std::vector<float> sums;
    static thread_local std::vector<Running> runnings;
    sums.resize(pieces.size() * queries * shape.width);
    runnings.resize(pieces.size() * queries);
    // the threads that share the work have vectors of their own under these names
    float *const all_sums = sums.data();
    Running *const all_runnings = runnings.data();
    const auto attend_one = [&](size_t at) {
      step.attend(pieces[at], all_sums + at * queries * shape.width, all_runnings + at * queries);
    };
    const auto join_one = [&](size_t at) {
      join(shape, pieces[firsts[at]], firsts[at + 1] - firsts[at], queries, all_sums + firsts[at] * queries * shape.width,
           all_runnings + firsts[at] * queries, z);
    };
    if (void *failed = share_out(context, pieces.size(), attend_one)) return failed;
    if (shape.tokens > 1 && pieces.size() >= firsts.size()) return share_out(context, firsts.size() - 1, join_one);
    for (size_t at = 0; at + 1 < firsts.size(); at++) join_one(at);
    return nullptr;
  }

  /** z of a piece's queries, from what its stretches gave. */
  static void join(const Shape &shape, const Piece &piece, int64_t stretches, int64_t queries, const float *sums,
                   const Running *runnings, float *z) {
    const int64_t width = shape.width;
    for (int64_t query = 0; query < piece.tokens * shape.group; query++) {
      float most = nothing;
      for (int64_t s = 0; s < stretches; s++) most = std::max(most, runnings[s * queries + query].largest);
      const int64_t token = piece.row * shape.tokens + piece.first_token + query / shape.group;
      float *const out = z + (token * shape.heads + piece.key_head * shape.group + query % shape.group) * width;
      std::fill(out, out + width, 0.0f);
      float total = 0;
      for (int64_t s = 0; s < stretches; s++) {
        const Running &running = runnings[s * queries + query];
        const float factor = running.largest == most ? 1 : (running.largest == nothing ? 0 : exponential(all(running.largest - most))[0]);
        total += running.total * factor;
        const float *from = sums + (s * queries + query) * width;
        for (int64_t d = 0; d < width; d++) out[d] += from[d] * factor;
      }
      const float share = 1 / total;
      for (int64_t d = 0; d < width; d++) out[d] *= share;
    }
  }

  int64_t heads_, key_heads_, window_;
  float scale_, softcap_;
};

}  // namespace

const OperatorRecord *attention_record() { return operator_record<Attention<float>>(); }
const OperatorRecord *half_attention_record() { return operator_record<Attention<uint16_t>>(); }

}  // namespace tiller
