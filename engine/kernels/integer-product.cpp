// Linear layers of 8-bit integers: sums are exact.
//
//   IntegerProduct(quanta, quanta_scale, tiles, scales, offsets) → y        attributes: outputs, way
//     y_tn = (scales_n · (Σ_i quanta_ti·w_ni + offsets_n)) · quanta_scale_t
//
// quanta uint8 [.., width], x/scale + 128 of every token (rows.cpp), quanta_scale [.., 1]; y [.., outputs]. Weights are signed bytes in
// tiles of 64 inputs by 16 outputs, two of them beside each other a strip of 32 outputs: tiles [strips, blocks of 64 inputs, 2, 1024],
// where a tile is 16 rows of 16 words of 32 bits, a word for each output, that of row r holding inputs 4r … 4r + 3, least significant
// byte first. Inputs beyond `width` and outputs beyond `outputs` weigh nothing. scales float32 [strips, 32]; offsets int32 [strips, 32]
// are −128·Σ_i w_ni. `way` 1 computes without the matrix extension of x86 processors (AMX), 2 without their 8-bit dot products (VNNI)
// too: all give the same bits.
#include <algorithm>
#include <cstring>
#include <vector>

#include "amx.hpp"
#include "operators.hpp"
#include "tiles.hpp"

#ifdef __AVX512VNNI__
#define TILLER_VNNI 1
#include <immintrin.h>
#endif

namespace tiller {
namespace {

constexpr int64_t block_inputs = 64;
constexpr int64_t block_bytes = block_inputs * strip_outputs;
/** So many strips are one piece of work. */
constexpr int64_t unit_strips = 4;
/** Loading a tile waits for memory more than vectors do: its bytes are asked for so long before. */
constexpr int64_t ahead = 2 * block_bytes;
/** Up to so many rows vectors are the faster ones. */
constexpr int64_t few_rows = 4;

struct Layer {
  int64_t outputs, blocks;
  const uint8_t *tiles;
  const float *scales;
  const int32_t *offsets;

  int64_t strips() const { return (outputs + strip_outputs - 1) / strip_outputs; }
};

/** Rows of quanta, each of whole blocks. */
struct Quanta {
  const uint8_t *rows;
  const float *scales;
  int64_t count, stride;
};

/** A strip's exact sums of one row, [32], scaled into y. */
inline void settle(const Layer &layer, int64_t strip, const int32_t *left, const int32_t *right, float scale, float *y) {
  const int64_t first = strip * strip_outputs;
  const float *const scales = layer.scales + first;
  float made[strip_outputs];
  for (int at = 0; at < tile_outputs; at++) made[at] = static_cast<float>(left[at]) * scales[at] * scale;
  for (int at = 0; at < tile_outputs; at++) {
    made[tile_outputs + at] = static_cast<float>(right[at]) * scales[tile_outputs + at] * scale;
  }
  std::memcpy(y + first, made, std::min<int64_t>(strip_outputs, layer.outputs - first) * sizeof(float));
}

void plain_strip(const Layer &layer, int64_t strip, const Quanta &quanta, float *y) {
  const uint8_t *const tiles = layer.tiles + strip * layer.blocks * block_bytes;
  for (int64_t row = 0; row < quanta.count; row++) {
    const uint8_t *const x = quanta.rows + row * quanta.stride;
    int32_t sums[strip_outputs];
    std::memcpy(sums, layer.offsets + strip * strip_outputs, sizeof sums);
    for (int64_t block = 0; block < layer.blocks; block++) {
      for (int64_t at = 0; at < block_inputs; at++) {
        for (int64_t output = 0; output < strip_outputs; output++) {
          const int64_t side = output / tile_outputs, word = at / 4 * tile_outputs + output % tile_outputs;
          const uint8_t *const tile = tiles + block * block_bytes + side * (block_bytes / 2);
          sums[output] += x[block * block_inputs + at] * static_cast<int8_t>(tile[4 * word + at % 4]);
        }
      }
    }
    settle(layer, strip, sums, sums + tile_outputs, quanta.scales[row], y + row * layer.outputs);
  }
}

#ifdef TILLER_VNNI
/** `rows` rows beside each other, so that weights are loaded once for all of them. */
template <int64_t rows>
void dot_product_rows(const Layer &layer, int64_t strip, const Quanta &quanta, int64_t from, float *y) {
  const uint8_t *tiles = layer.tiles + strip * layer.blocks * block_bytes;
  const uint8_t *const x = quanta.rows + from * quanta.stride;
  __m512i left[rows], right[rows];
  for (int64_t row = 0; row < rows; row++) {
    left[row] = _mm512_loadu_si512(layer.offsets + strip * strip_outputs);
    right[row] = _mm512_loadu_si512(layer.offsets + strip * strip_outputs + tile_outputs);
  }
  for (int64_t block = 0; block < layer.blocks; block++, tiles += block_bytes) {
    for (int64_t word = 0; word < block_inputs / 4; word++) {
      const __m512i one = _mm512_loadu_si512(tiles + word * 64), other = _mm512_loadu_si512(tiles + block_bytes / 2 + word * 64);
      for (int64_t row = 0; row < rows; row++) {
        int32_t four;
        std::memcpy(&four, x + row * quanta.stride + block * block_inputs + 4 * word, sizeof four);
        left[row] = _mm512_dpbusd_epi32(left[row], _mm512_set1_epi32(four), one);
        right[row] = _mm512_dpbusd_epi32(right[row], _mm512_set1_epi32(four), other);
      }
    }
  }
  for (int64_t row = 0; row < rows; row++) {
    alignas(64) int32_t sums[strip_outputs];
    _mm512_store_si512(sums, left[row]);
    _mm512_store_si512(sums + tile_outputs, right[row]);
    settle(layer, strip, sums, sums + tile_outputs, quanta.scales[from + row], y + (from + row) * layer.outputs);
  }
}

void dot_product_strip(const Layer &layer, int64_t strip, const Quanta &quanta, float *y) {
  int64_t from = 0;
  for (; from + 12 <= quanta.count; from += 12) dot_product_rows<12>(layer, strip, quanta, from, y);
  for (; from + 4 <= quanta.count; from += 4) dot_product_rows<4>(layer, strip, quanta, from, y);
  switch (quanta.count - from) {
    case 3: return dot_product_rows<3>(layer, strip, quanta, from, y);
    case 2: return dot_product_rows<2>(layer, strip, quanta, from, y);
    case 1: return dot_product_rows<1>(layer, strip, quanta, from, y);
  }
}
#endif

#ifdef TILLER_AMX
/** Two tiles of rows, or one, by the two of a strip. Sums begin as the offsets: a tile whose rows are all the same. */
template <bool two>
void tile_products(const Layer &layer, int64_t strip, const Quanta &quanta, int64_t from, int64_t rows, float *y) {
  const uint8_t *tiles = layer.tiles + strip * layer.blocks * block_bytes;
  const int32_t *const offsets = layer.offsets + strip * strip_outputs;
  const uint8_t *const first = quanta.rows + from * quanta.stride, *const second = first + amx::tile_rows * quanta.stride;
  _tile_loadd(0, offsets, 0);
  _tile_loadd(1, offsets + tile_outputs, 0);
  if constexpr (two) {
    _tile_loadd(2, offsets, 0);
    _tile_loadd(3, offsets + tile_outputs, 0);
  }
  for (int64_t block = 0; block < layer.blocks; block++, tiles += block_bytes) {
    for (int64_t line = 0; line < block_bytes; line += 64) _mm_prefetch(tiles + ahead + line, _MM_HINT_T0);
    _tile_loadd(6, tiles, 64);
    _tile_loadd(4, first + block * block_inputs, quanta.stride);
    _tile_loadd(7, tiles + block_bytes / 2, 64);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    if constexpr (two) {
      _tile_loadd(5, second + block * block_inputs, quanta.stride);
      _tile_dpbusd(2, 5, 6);
      _tile_dpbusd(3, 5, 7);
    }
  }
  alignas(64) int32_t sums[4][amx::tile_rows * tile_outputs];
  _tile_stored(0, sums[0], 64);
  _tile_stored(1, sums[1], 64);
  if constexpr (two) {
    _tile_stored(2, sums[2], 64);
    _tile_stored(3, sums[3], 64);
  }
  for (int64_t row = 0; row < rows; row++) {
    const int64_t tile = row / amx::tile_rows * 2, at = row % amx::tile_rows * tile_outputs;
    settle(layer, strip, sums[tile] + at, sums[tile + 1] + at, quanta.scales[from + row], y + (from + row) * layer.outputs);
  }
}

void tile_strips(const Layer &layer, int64_t strip, int64_t strips, const Quanta &quanta, float *y) {
  for (int64_t from = 0; from < quanta.count; from += 2 * amx::tile_rows) {
    const int64_t rows = std::min(quanta.count - from, 2 * amx::tile_rows), upper = std::min(rows, amx::tile_rows);
    // the first of each pair of tiles holds the upper rows, tiles 6 and 7 weights
    if (from == 0 || rows < 2 * amx::tile_rows) {
      amx::configure([=](int tile) { return tile >= 6 ? amx::tile_rows : (tile < 2 || tile == 4 ? upper : std::max<int64_t>(1, rows - upper)); });
    }
    for (int64_t at = strip; at < strip + strips; at++) {
      if (rows > amx::tile_rows) {
        tile_products<true>(layer, at, quanta, from, rows, y);
      } else {
        tile_products<false>(layer, at, quanta, from, rows, y);
      }
    }
  }
  // the system then has nothing of them to save when it switches threads
  _tile_release();
}
#endif

enum Way : int64_t { any = 0, no_matrices = 1, no_dot_products = 2 };

void unit_of_strips(const Layer &layer, int64_t unit, const Quanta &quanta, Way way, float *y) {
  const int64_t first = unit * unit_strips, last = std::min(first + unit_strips, layer.strips());
#ifdef TILLER_AMX
  if (way == any && quanta.count > few_rows && amx::available()) return tile_strips(layer, first, last - first, quanta, y);
#endif
#ifdef TILLER_VNNI
  if (way != no_dot_products) {
    for (int64_t strip = first; strip < last; strip++) dot_product_strip(layer, strip, quanta, y);
    return;
  }
#endif
  for (int64_t strip = first; strip < last; strip++) plain_strip(layer, strip, quanta, y);
}

class IntegerProduct {
 public:
  static constexpr const char *name = "IntegerProduct";
  static constexpr Slot inputs[] = {{element_uint8}, {element_float}, {element_uint8}, {element_float}, {element_int32}};
  static constexpr Slot outputs[] = {{element_float}};

  explicit IntegerProduct(const Attributes &attributes)
      : outputs_(attributes.integer("outputs", 0)), way_(static_cast<Way>(attributes.integer("way", any))) {}

  void *compute(const Context &context) const {
    const Tensor x = context.input(0), quanta_scale = context.input(1), tiles = context.input(2);
    const Tensor scales = context.input(3), offsets = context.input(4);
    const int64_t width = x.shape.back(), rows = width ? x.count() / width : 0;
    const Layer layer{outputs_, (width + block_inputs - 1) / block_inputs, static_cast<const uint8_t *>(tiles.data), scales.floats(),
                      static_cast<const int32_t *>(offsets.data)};
    if (tiles.count() != layer.strips() * layer.blocks * block_bytes) {
      return context.failure("IntegerProduct: tiles that are not those of such a matrix");
    }
    if (quanta_scale.count() != rows) return context.failure("IntegerProduct: a scale for every row");
    for (const Tensor *each : {&scales, &offsets}) {
      if (each->count() != layer.strips() * strip_outputs) return context.failure("IntegerProduct: misshapen scales or offsets");
    }
    std::vector<int64_t> shape = x.shape;
    shape.back() = outputs_;
    float *const y = static_cast<float *>(context.output(0, shape));
    const int64_t stride = layer.blocks * block_inputs;
    const uint8_t *quanta = static_cast<const uint8_t *>(x.data);
    // Rows of whole blocks: what stands beyond a row's end weighs nothing, but nothing may be read beyond the last one's.
    static thread_local std::vector<uint8_t> padded;
    if (stride != width) {
      padded.resize(std::max<size_t>(padded.size(), rows * stride));
      for (int64_t row = 0; row < rows; row++) std::memcpy(padded.data() + row * stride, quanta + row * width, width);
      quanta = padded.data();
    }
    const Quanta all{quanta, quanta_scale.floats(), rows, stride};
    const size_t units = (layer.strips() + unit_strips - 1) / unit_strips;
    if (rows == 0) return nullptr;
    return share_out(context, units, [&](size_t unit) { unit_of_strips(layer, static_cast<int64_t>(unit), all, way_, y); });
  }

 private:
  int64_t outputs_;
  Way way_;
};

}  // namespace

const OperatorRecord *integer_product_record() { return operator_record<IntegerProduct>(); }

/** Whether the above beats what compilers make of it plainly. */
bool fast_integer_products() {
#ifdef TILLER_AMX
  if (amx::available()) return true;
#endif
#ifdef TILLER_VNNI
  return true;
#else
  return false;
#endif
}

}  // namespace tiller
