// A tile of keys and values for attention (attention.cpp): turned over, multiplied with a few queries, weighed.
#pragma once

#include "vectors.hpp"

namespace tiller {

/** Keys whose scores are made at once. */
constexpr int tile = 64;

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
inline const float *widen(const float *from, int64_t, float *) { return from; }
inline const float *widen(const uint16_t *from, int64_t count, float *to) {
  for (int64_t at = 0; at < count; at += lanes) store(to + at, load(from + at));
  return to;
}

}  // namespace tiller
