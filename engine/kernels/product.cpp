// Linear layers over weights as checkpoints hold them, multiplied in float32: nothing of weights or inputs is rounded.
//
//   Product(x, tiles, scales?, minima?) → y        attributes: bits (4, 8 or 16), outputs, plain (1: not by the matrix extension)
//     y = x·Wᵀ ;  x [.., width], y [.., outputs]; tiles.hpp says how W lies in the arrays. `width` is a multiple of 32.
//
// Read in 4 or 8 bits a batch of few rows takes a fraction of the time that float32 weights would take to come from memory. A row's
// sums are made in the same order whatever rows share the step.
#include <algorithm>
#include <atomic>
#include <vector>

#include "operators.hpp"
#include "plain-rows.hpp"
#include "product-amx.hpp"
#include "tiles.hpp"

namespace tiller {
namespace {

constexpr int64_t few_rows = 64;

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
      const uint16_t *const scales = bits == 16 ? nullptr : weights.scales_of(strip) + from;
      const uint16_t *const minima = weights.minima ? weights.minima_of(strip) + from : nullptr;
      unpack<bits>(weights.tiles_of(strip) + (2 * block + side) * tile_bytes(bits), scales, minima, w + side * tile_outputs, strip_outputs);
    }
    add_rows(x + block * tile_inputs, rows, width, tile_inputs, w, sums.data());
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
  static constexpr Slot inputs[] = {{element_float}, {element_uint8}, {element_float16, optional}, {element_float16, optional}};
  static constexpr Slot outputs[] = {{element_float}};

  explicit Product(const Attributes &attributes)
      : bits_(attributes.integer("bits", 0)), outputs_(attributes.integer("outputs", 0)), plain_(attributes.integer("plain", 0)) {}

  void *compute(const Context &context) const {
    const Tensor x = context.input(0), tiles = context.input(1);
    const Tensor scales = context.inputs() > 2 ? context.input(2) : Tensor{};
    const Tensor minima = context.inputs() > 3 ? context.input(3) : Tensor{};
    const int64_t width = x.shape.back(), rows = width ? x.count() / width : 0;
    const Weights weights{static_cast<int>(bits_), outputs_,         width / tile_inputs,
                          static_cast<const uint8_t *>(tiles.data), static_cast<const uint16_t *>(scales.data),
                          static_cast<const uint16_t *>(minima.data)};
    if (bits_ != 4 && bits_ != 8 && bits_ != 16) return context.failure("Product: weights of 4, 8 or 16 bits");
    if (width % tile_inputs != 0) return context.failure("Product: a width that is no multiple of 32");
    if (tiles.count() != weights.strips() * weights.blocks * 2 * tile_bytes(weights.bits)) {
      return context.failure("Product: tiles that are not those of such a matrix");
    }
    for (const Tensor *each : {&scales, &minima}) {
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
    const int64_t blocks = weights.blocks, width = blocks * tile_inputs;
    // sums of bfloat16 weights stay in the tiles, where those of stacked pieces would be added in another order
    const bool stacked = rows <= amx::stacked_rows && weights.bits != 16;
    const auto make_room = [=](amx::Desk &desk) {
      desk.numbers.resize(std::max<size_t>(desk.numbers.size(), amx::numbers_of(rows, blocks)));
      desk.sums.resize(std::max<size_t>(desk.sums.size(), rows * blocks));
    };
    const auto take_apart = [=](int64_t from, int64_t to, uint16_t *numbers, float *sums) {
      for (int64_t row = from; row < to; row++) amx::take_apart(x + row * width, row, rows, stacked, blocks, numbers, sums);
    };
    const size_t units = amx::units(weights);
    // Of few rows each thread takes all apart for itself, rather than fetch what another has written.
    if (rows <= few_rows) {
      static std::atomic<uint64_t> nodes{0};
      const uint64_t node = ++nodes;
      return share_out(context, units, [&](size_t unit) {
        amx::Desk &desk = amx::own_desk();
        if (desk.owner != node) {
          make_room(desk);
          take_apart(0, rows, desk.numbers.data(), desk.sums.data());
          desk.owner = node;
        }
        amx::product_unit(weights, static_cast<int64_t>(unit), {rows, desk.numbers.data(), desk.sums.data(), stacked}, y, desk);
      });
    }
    amx::Desk &desk = amx::own_desk();
    make_room(desk);
    desk.owner = 0;
    const amx::Inputs inputs{rows, desk.numbers.data(), desk.sums.data(), stacked};
    uint16_t *const numbers = desk.numbers.data();
    float *const sums = desk.sums.data();
    void *const failure = share_out(context, (rows + amx::tile_rows - 1) / amx::tile_rows, [&](size_t tile) {
      const int64_t from = static_cast<int64_t>(tile) * amx::tile_rows;
      take_apart(from, std::min(rows, from + amx::tile_rows), numbers, sums);
    });
    if (failure) return failure;
    return share_out(context, units, [&](size_t unit) { amx::product_unit(weights, static_cast<int64_t>(unit), inputs, y, amx::own_desk()); });
  }
#endif

  int64_t bits_, outputs_, plain_;
};

}  // namespace

const OperatorRecord *product_record() { return operator_record<Product>(); }

}  // namespace tiller
