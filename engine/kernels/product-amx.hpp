// Product on processors with a matrix extension (AMX, of x86): 16 by 16 sums of 32 bfloat16 products in one instruction.
//
// Nothing is lost for it. A float32 is exactly the sum of three bfloat16 numbers (its significand's 24 bits, 8 each), and so are the
// products with weights that are bfloat16 themselves, or small integers that a scale multiplies afterwards; sums are float32. A row's
// sums are made in the same order whatever rows share the step.
#pragma once

#include "tiles.hpp"

#if defined(__AMX_BF16__) && defined(__AVX512BW__) && defined(__linux__)
#define TILLER_AMX 1

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace tiller {
namespace amx {

/** Rows of a tile of inputs, and the numbers it holds. */
constexpr int64_t tile_rows = 16;
constexpr int64_t tile_numbers = tile_rows * tile_inputs;
constexpr int64_t pieces = 3;
/** Rows whose sums are kept beside each other while a strip's weights pass by. */
constexpr int64_t panel_rows = 128;

/** Whether this process may use the extension: Linux hands it out on request, once for all threads. */
inline bool available() {
  static const bool granted = [] {
    constexpr int request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return granted;
}

/** The inputs of a node. */
struct Inputs {
  int64_t rows;
  /** [tiles of 16 rows, blocks, 3 pieces from small to large, 16, 32]; rows beyond the last are whatever. */
  const uint16_t *numbers;
  /** [rows, blocks]: sums over blocks. */
  const float *sums;
};

inline int64_t numbers_of(int64_t rows, int64_t blocks) {
  return (rows + tile_rows - 1) / tile_rows * blocks * pieces * tile_numbers;
}

/** The compiler does not know that loading tiles reads memory: what was written before this is there afterwards. */
inline void written() { asm volatile("" ::: "memory"); }

/** Takes a row apart. */
inline void take_apart(const float *x, int64_t row, int64_t blocks, uint16_t *numbers, float *sums) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  for (int64_t block = 0; block < blocks; block++) {
    uint16_t *const to = numbers + ((row / tile_rows) * blocks + block) * pieces * tile_numbers + row % tile_rows * tile_inputs;
    __m512 total = _mm512_setzero_ps();
    for (int half = 0; half < tile_inputs; half += 16) {
      __m512 rest = _mm512_loadu_ps(x + block * tile_inputs + half);
      total = _mm512_add_ps(total, rest);
      for (int64_t piece = pieces - 1; piece >= 0; piece--) {
        const __m512i cut = _mm512_and_si512(_mm512_castps_si512(rest), upper);
        const __m256i stored = _mm512_cvtepi32_epi16(_mm512_srli_epi32(cut, 16));
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to + piece * tile_numbers + half), stored);
        rest = _mm512_sub_ps(rest, _mm512_castsi512_ps(cut));
      }
    }
    sums[row * blocks + block] = _mm512_reduce_add_ps(total);
  }
  written();
}

/** Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7 weights. */
inline void configure(int64_t rows) {
  struct alignas(64) {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  } shape;
  for (int tile = 0; tile < 8; tile++) {
    shape.row_bytes[tile] = 64;
    shape.rows[tile] = static_cast<uint8_t>(tile < 6 ? std::min(rows, tile_rows) : tile_rows);
  }
  written();
  _tile_loadconfig(&shape);
}

/** The integers of a tile as bfloat16. */
template <int bits>
inline void widen(const uint8_t *tile, uint16_t *to) {
  if constexpr (bits == 4) {
    // −8 … 7, twice: of a word's 16 bits a look-up takes the lowest five
    alignas(64) static constexpr uint16_t numbers[32] = {
        0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80, 0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0,
        0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80, 0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0};
    const __m512i table = _mm512_load_si512(numbers);
    for (int row = 0; row < 4; row++) {
      const __m512i words = _mm512_loadu_si512(tile + 64 * row);
      uint16_t *const rows = to + 32 * 4 * row;
      _mm512_store_si512(rows, _mm512_permutexvar_epi16(words, table));
      _mm512_store_si512(rows + 32, _mm512_permutexvar_epi16(_mm512_srli_epi16(words, 4), table));
      _mm512_store_si512(rows + 64, _mm512_permutexvar_epi16(_mm512_srli_epi16(words, 8), table));
      _mm512_store_si512(rows + 96, _mm512_permutexvar_epi16(_mm512_srli_epi16(words, 12), table));
    }
  } else {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    const auto number = [](__m512i bytes) { return _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_srai_epi32(bytes, 24))); };
    for (int row = 0; row < 8; row++) {
      const __m512i words = _mm512_loadu_si512(tile + 64 * row);
      const __m512i first = number(_mm512_slli_epi32(words, 24)), second = number(_mm512_slli_epi32(words, 16));
      const __m512i third = number(_mm512_slli_epi32(words, 8)), fourth = number(words);
      const auto beside = [&](__m512i low, __m512i high) {
        return _mm512_or_si512(_mm512_srli_epi32(low, 16), _mm512_and_si512(high, upper));
      };
      _mm512_store_si512(to + 64 * row, beside(first, second));
      _mm512_store_si512(to + 64 * row + 32, beside(third, fourth));
    }
  }
}

/** Adds the products of a block, two tiles of rows by two of outputs, to tiles 0 to 3; those of one tile of rows where `two` is false. */
template <bool two>
inline void multiply(const uint16_t *first, const uint16_t *second, const void *left, const void *right) {
  _tile_loadd(6, left, 64);
  _tile_loadd(7, right, 64);
  for (int64_t piece = 0; piece < pieces; piece++) {
    _tile_loadd(4, first + piece * tile_numbers, 64);
    if constexpr (two) _tile_loadd(5, second + piece * tile_numbers, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (two) {
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
}

inline void clear() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

/** Sums of a block as they come out of the tiles: two tiles of rows by two of outputs. */
struct Raw {
  alignas(64) float values[4][tile_rows * tile_outputs];

  template <bool two>
  void take() {
    _tile_stored(0, values[0], 64);
    _tile_stored(1, values[1], 64);
    if constexpr (two) {
      _tile_stored(2, values[2], 64);
      _tile_stored(3, values[3], 64);
    }
  }
};

/** What a thread needs for a strip. */
struct Desk {
  /** Weights of two blocks: one is read while the other is written, which the processor does at the same time. */
  alignas(64) uint16_t widened[2][2][tile_numbers];
  Raw raw[2];
  alignas(64) float totals[panel_rows * strip_outputs];
};

/** totals += scale·raw + offset·sum, for the rows of one or two tiles. */
inline void settle(const Weights &weights, int64_t strip, int64_t block, const Inputs &inputs, int64_t from, int64_t rows, const Raw &raw,
                   float *totals) {
  const float *const scales = weights.scales_of(strip) + block * strip_outputs;
  const float *const offsets = weights.offsets_of(strip);
  const __m512 left = _mm512_loadu_ps(scales), right = _mm512_loadu_ps(scales + tile_outputs);
  for (int64_t row = 0; row < rows; row++) {
    const float *const got = raw.values[row / tile_rows * 2] + row % tile_rows * tile_outputs;
    float *const to = totals + row * strip_outputs;
    __m512 one = _mm512_fmadd_ps(left, _mm512_load_ps(got), _mm512_load_ps(to));
    __m512 other = _mm512_fmadd_ps(right, _mm512_load_ps(got + tile_rows * tile_outputs), _mm512_load_ps(to + tile_outputs));
    if (offsets) {
      const __m512 sum = _mm512_set1_ps(inputs.sums[(from + row) * weights.blocks + block]);
      one = _mm512_fmadd_ps(_mm512_loadu_ps(offsets + block * strip_outputs), sum, one);
      other = _mm512_fmadd_ps(_mm512_loadu_ps(offsets + block * strip_outputs + tile_outputs), sum, other);
    }
    _mm512_store_ps(to, one);
    _mm512_store_ps(to + tile_outputs, other);
  }
}

/** A strip of a panel of rows, weights in blocks of integers: each block's sums are scaled by themselves. */
template <int bits>
void integer_strip(const Weights &weights, int64_t strip, const Inputs &inputs, int64_t from, int64_t rows, Desk &desk) {
  const int64_t blocks = weights.blocks, stride = blocks * pieces * tile_numbers;
  const uint8_t *const tiles = weights.tiles_of(strip);
  std::fill(desk.totals, desk.totals + rows * strip_outputs, 0.0f);
  const auto prepare = [&](int64_t block) {
    for (int side = 0; side < 2; side++) widen<bits>(tiles + (2 * block + side) * tile_bytes(bits), desk.widened[block & 1][side]);
    written();
  };
  // what came out of the tiles last is settled while the next products run
  int64_t pending_block = -1, pending_row = 0, turn = 0;
  const auto settle_pending = [&] {
    if (pending_block < 0) return;
    const int64_t count = std::min(rows - pending_row, 2 * tile_rows);
    settle(weights, strip, pending_block, inputs, from + pending_row, count, desk.raw[(turn + 1) & 1], desk.totals + pending_row * strip_outputs);
  };
  prepare(0);
  for (int64_t block = 0; block < blocks; block++) {
    for (int64_t row = 0; row < rows; row += 2 * tile_rows, turn++) {
      const bool two = rows - row > tile_rows;
      const uint16_t *const first = inputs.numbers + (from + row) / tile_rows * stride + block * pieces * tile_numbers;
      const auto &widened = desk.widened[block & 1];
      clear();
      if (two) {
        multiply<true>(first, first + stride, widened[0], widened[1]);
      } else {
        multiply<false>(first, nullptr, widened[0], widened[1]);
      }
      if (row == 0 && block + 1 < blocks) prepare(block + 1);
      settle_pending();
      if (two) {
        desk.raw[turn & 1].take<true>();
      } else {
        desk.raw[turn & 1].take<false>();
      }
      pending_block = block;
      pending_row = row;
    }
  }
  settle_pending();
}

/** The same of bfloat16 weights, whose sums stay in the tiles to the end. */
inline void number_strip(const Weights &weights, int64_t strip, const Inputs &inputs, int64_t from, int64_t rows, Desk &desk) {
  const int64_t blocks = weights.blocks, stride = blocks * pieces * tile_numbers;
  const uint8_t *const tiles = weights.tiles_of(strip);
  for (int64_t row = 0; row < rows; row += 2 * tile_rows) {
    const bool two = rows - row > tile_rows;
    const uint16_t *const first = inputs.numbers + (from + row) / tile_rows * stride;
    clear();
    for (int64_t block = 0; block < blocks; block++) {
      const uint16_t *const at = first + block * pieces * tile_numbers;
      const uint8_t *const left = tiles + 2 * block * tile_bytes(16), *const right = left + tile_bytes(16);
      if (two) {
        multiply<true>(at, at + stride, left, right);
      } else {
        multiply<false>(at, nullptr, left, right);
      }
    }
    Raw &raw = desk.raw[0];
    if (two) {
      raw.take<true>();
    } else {
      raw.take<false>();
    }
    for (int64_t r = 0; r < std::min(rows - row, 2 * tile_rows); r++) {
      const float *const got = raw.values[r / tile_rows * 2] + r % tile_rows * tile_outputs;
      float *const to = desk.totals + (row + r) * strip_outputs;
      std::copy(got, got + tile_outputs, to);
      std::copy(got + tile_rows * tile_outputs, got + tile_rows * tile_outputs + tile_outputs, to + tile_outputs);
    }
  }
}

/** One strip of outputs for all rows of `inputs`, written to y [rows, outputs]. */
inline void product_strip(const Weights &weights, int64_t strip, const Inputs &inputs, float *y) {
  static thread_local Desk desk;
  const int64_t first = strip * strip_outputs, count = std::min<int64_t>(strip_outputs, weights.outputs - first);
  configure(inputs.rows);
  for (int64_t from = 0; from < inputs.rows; from += panel_rows) {
    const int64_t rows = std::min(panel_rows, inputs.rows - from);
    switch (weights.bits) {
      case 4: integer_strip<4>(weights, strip, inputs, from, rows, desk); break;
      case 8: integer_strip<8>(weights, strip, inputs, from, rows, desk); break;
      default: number_strip(weights, strip, inputs, from, rows, desk);
    }
    for (int64_t row = 0; row < rows; row++) {
      const float *const got = desk.totals + row * strip_outputs;
      std::copy(got, got + count, y + (from + row) * weights.outputs + first);
    }
  }
  // the system then has nothing of them to save when it switches threads
  _tile_release();
}

}  // namespace amx
}  // namespace tiller
#endif
