// Rows times the columns of a strip, in the processor's ordinary vectors.
#pragma once

#include <type_traits>

#include "tiles.hpp"

namespace tiller {

/** Rows whose sums fit the registers beside each other, two vectors each. */
constexpr int64_t most_rows = lanes == 16 ? 12 : 6;

/** sums [rows, strip_outputs] += x·w for two vectors of outputs; x [rows, `count` of each `stride`], w [count, strip_outputs]. */
template <int64_t rows>
inline void add_block(const float *x, int64_t stride, int64_t count, const float *w, float *sums) {
  Floats left[rows], right[rows];
  for (int64_t row = 0; row < rows; row++) {
    left[row] = load(sums + row * strip_outputs);
    right[row] = load(sums + row * strip_outputs + lanes);
  }
  for (int64_t at = 0; at < count; at++) {
    const Floats one = load(w + at * strip_outputs), other = load(w + at * strip_outputs + lanes);
    for (int64_t row = 0; row < rows; row++) {
      const float value = x[row * stride + at];
      left[row] += one * value;
      right[row] += other * value;
    }
  }
  for (int64_t row = 0; row < rows; row++) {
    store(sums + row * strip_outputs, left[row]);
    store(sums + row * strip_outputs + lanes, right[row]);
  }
}

/** The same for any number of rows and all outputs of a strip. A row's sums are made in the order of its inputs, whatever is beside it. */
inline void add_rows(const float *x, int64_t rows, int64_t stride, int64_t count, const float *w, float *sums) {
  const auto some = [&](auto together) {
    constexpr int64_t number = decltype(together)::value;
    for (int64_t column = 0; column < strip_outputs; column += 2 * lanes) add_block<number>(x, stride, count, w + column, sums + column);
    rows -= number;
    x += number * stride;
    sums += number * strip_outputs;
  };
  while (rows >= most_rows) some(std::integral_constant<int64_t, most_rows>());
  while (rows >= 4) some(std::integral_constant<int64_t, 4>());
  while (rows > 0) some(std::integral_constant<int64_t, 1>());
}

}  // namespace tiller
