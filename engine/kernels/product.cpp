// Linear layers over weights as checkpoints hold them, multiplied in float32: nothing of weights or inputs is rounded.
//
//   Product(x, tiles, scales?, offsets?) → y        attributes: bits (4, 8 or 16), outputs, plain (1: not by the matrix extension)
//     y = x·Wᵀ ;  x [.., width], y [.., outputs]; tiles.hpp says how W lies in the arrays. `width` is a multiple of 32.
//
// Read in 4 or 8 bits a batch of few rows takes a fraction of the time that float32 weights would take to come from memory. A row's
// sums are made in the same order whatever rows share the step.
#include <algorithm>
#include <vector>

#include "operators.hpp"
#include "product-amx.hpp"
#include "tiles.hpp"

namespace tiller {
namespace {

constexpr int64_t worth_sharing = 1 << 15;

/** Rows whose sums fit the registers beside each other, two vectors each. */
constexpr int64_t most_rows = lanes == 16 ? 12 : 6;
constexpr int64_t columns = 2 * lanes;

/** sums [rows, columns of a strip] += x·w over one block; w [32, strip_outputs]. */
template <int64_t rows>
void add_block(const float *x, int64_t width, const float *w, float *sums) {
  Floats left[rows], right[rows];
  for (int64_t row = 0; row < rows; row++) {
    left[row] = load(sums + row * strip_outputs);
    right[row] = load(sums + row * strip_outputs + lanes);
  }
  for (int at = 0; at < tile_inputs; at++) {
    const Floats one = load(w + at * strip_outputs), other = load(w + at * strip_outputs + lanes);
    for (int64_t row = 0; row < rows; row++) {
      const float value = x[row * width + at];
      left[row] += one * value;
      right[row] += other * value;
    }
  }
  for (int64_t row = 0; row < rows; row++) {
    store(sums + row * strip_outputs, left[row]);
    store(sums + row * strip_outputs + lanes, right[row]);
  }
}

/** The same for any number of rows. */
void add_rows(const float *x, int64_t rows, int64_t width, const float *w, float *sums) {
  for (; rows >= most_rows; rows -= most_rows, x += most_rows * width, sums += most_rows * strip_outputs) {
    add_block<most_rows>(x, width, w, sums);
  }
  for (; rows >= 4; rows -= 4, x += 4 * width, sums += 4 * strip_outputs) add_block<4>(x, width, w, sums);
  for (; rows > 0; rows--, x += width, sums += strip_outputs) add_block<1>(x, width, w, sums);
}

template <int bits>
void plain_strip(const Weights &weights, int64_t strip, const float *x, int64_t rows, float *y) {
  static thread_local std::vector<float> sums;
  alignas(64) float w[tile_inputs * strip_outputs];
  sums.assign(rows * strip_outputs, 0);
  const int64_t width = weights.blocks * tile_inputs;
  for (int64_t block = 0; block < weights.blocks; block++) {
    const int64_t at = block * strip_outputs;
    for (int side = 0; side < 2; side++) {
      const int64_t from = at + side * tile_outputs;
      const float *const scales = bits == 16 ? nullptr : weights.scales_of(strip) + from;
      const float *const offsets = weights.offsets ? weights.offsets_of(strip) + from : nullptr;
      unpack<bits>(weights.tiles_of(strip) + (2 * block + side) * tile_bytes(bits), scales, offsets, w + side * tile_outputs, strip_outputs);
    }
    for (int64_t column = 0; column < strip_outputs; column += columns) {
      add_rows(x + block * tile_inputs, rows, width, w + column, sums.data() + column);
    }
  }
  const int64_t first = strip * strip_outputs, count = std::min<int64_t>(strip_outputs, weights.outputs - first);
  for (int64_t row = 0; row < rows; row++) {
    const float *const got = sums.data() + row * strip_outputs;
    std::copy(got, got + count, y + row * weights.outputs + first);
  }
}

class Product {
 public:
  static constexpr const char *name = "Product";
  static constexpr Slot inputs[] = {{element_float}, {element_uint8}, {element_float, optional}, {element_float, optional}};
  static constexpr Slot outputs[] = {{element_float}};

  explicit Product(const Attributes &attributes)
      : bits_(attributes.integer("bits", 0)), outputs_(attributes.integer("outputs", 0)), plain_(attributes.integer("plain", 0)) {}

  void *compute(const Context &context) const {
    const Tensor x = context.input(0), tiles = context.input(1);
    const Tensor scales = context.inputs() > 2 ? context.input(2) : Tensor{};
    const Tensor offsets = context.inputs() > 3 ? context.input(3) : Tensor{};
    const int64_t width = x.shape.back(), rows = width ? x.count() / width : 0;
    const Weights weights{static_cast<int>(bits_), outputs_,         width / tile_inputs,
                          static_cast<const uint8_t *>(tiles.data), scales.floats(), offsets.floats()};
    if (bits_ != 4 && bits_ != 8 && bits_ != 16) return context.failure("Product: weights of 4, 8 or 16 bits");
    if (width % tile_inputs != 0) return context.failure("Product: a width that is no multiple of 32");
    if (tiles.count() != weights.strips() * weights.blocks * 2 * tile_bytes(weights.bits)) {
      return context.failure("Product: tiles that are not those of such a matrix");
    }
    for (const Tensor *each : {&scales, &offsets}) {
      if (*each && each->count() != weights.strips() * weights.blocks * strip_outputs) return context.failure("Product: misshapen scales");
    }
    if ((bits_ == 16) == static_cast<bool>(scales)) return context.failure("Product: scales belong to integers, and to them alone");
    std::vector<int64_t> shape = x.shape;
    shape.back() = outputs_;
    float *const y = static_cast<float *>(context.output(0, shape));
    if (rows == 0) return nullptr;
#ifdef TILLER_AMX
    if (!plain_ && amx::available()) return by_matrix_extension(context, weights, x.floats(), rows, y);
#endif
    return share_out(context, weights.strips(), [&](size_t strip) {
      const int64_t at = static_cast<int64_t>(strip);
      switch (weights.bits) {
        case 4: return plain_strip<4>(weights, at, x.floats(), rows, y);
        case 8: return plain_strip<8>(weights, at, x.floats(), rows, y);
        default: return plain_strip<16>(weights, at, x.floats(), rows, y);
      }
    });
  }

 private:
#ifdef TILLER_AMX
  static void *by_matrix_extension(const Context &context, const Weights &weights, const float *x, int64_t rows, float *y) {
    static thread_local std::vector<uint16_t> numbers;
    static thread_local std::vector<float> sums;
    const int64_t blocks = weights.blocks, width = blocks * tile_inputs;
    numbers.resize(std::max<size_t>(numbers.size(), amx::numbers_of(rows, blocks)));
    sums.resize(std::max<size_t>(sums.size(), rows * blocks));
    const amx::Inputs inputs{rows, numbers.data(), sums.data()};
    uint16_t *const parts = numbers.data();
    float *const totals = sums.data();
    const auto take_apart = [&](int64_t from, int64_t to) {
      for (int64_t row = from; row < to; row++) amx::take_apart(x + row * width, row, blocks, parts, totals);
    };
    if (rows * width < worth_sharing) {
      take_apart(0, rows);
    } else {
      constexpr int64_t together = 8;
      void *const failure = share_out(context, (rows + together - 1) / together, [&](size_t part) {
        const int64_t from = static_cast<int64_t>(part) * together;
        take_apart(from, std::min(rows, from + together));
      });
      if (failure) return failure;
    }
    return share_out(context, weights.strips(), [&](size_t strip) { amx::product_strip(weights, static_cast<int64_t>(strip), inputs, y); });
  }
#endif

  int64_t bits_, outputs_, plain_;
};

}  // namespace

const OperatorRecord *product_record() { return operator_record<Product>(); }

}  // namespace tiller
