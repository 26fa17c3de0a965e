// Product on processors with a matrix extension (AMX, of x86): 16 by 16 sums of 32 bfloat16 products in one instruction.
//
// Nothing is lost for it. A float32 is exactly the sum of three bfloat16 numbers (its significand's 24 bits, 8 each), and so are the
// products with weights that are bfloat16 themselves, or small integers that a scale multiplies afterwards; sums are float32. A row's
// sums are made in the same order whatever rows share the step.
#pragma once

#include "amx.hpp"
#include "plain-rows.hpp"
#include "tiles.hpp"

#ifdef TILLER_AMX

#include <algorithm>
#include <vector>

namespace tiller {
namespace amx {

/** Numbers of a tile of inputs. */
constexpr int64_t tile_numbers = tile_rows * tile_inputs;
constexpr int64_t pieces = 3;
/** Strips that one piece of work covers: the inputs of a block are loaded once for all of them. */
constexpr int64_t unit_strips = 3;
/** Rows whose sums are kept beside each other while weights pass by. */
constexpr int64_t panel_rows = 128;
/** Blocks that weights, and their scales, are asked for before they are used: memory and arithmetic then work at the same time. */
constexpr int64_t tiles_ahead = 2, scales_ahead = 4;

/** As many rows as a tile of inputs holds with all their pieces: a product of few rows is then one instruction in place of three. */
constexpr int64_t stacked_rows = tile_rows / pieces;

/** The inputs of a node, in pieces. */
struct Inputs {
  int64_t rows;
  /**
   * [tiles of 16 rows, blocks, 3 pieces from small to large, 16, 32], or where they are stacked [blocks, 3 pieces of each row below
   * those of the rows before, 32]; rows beyond the last are whatever.
   */
  const uint16_t *numbers;
  /** [rows, blocks]: sums over blocks. */
  const float *sums;
  bool stacked;
};

inline int64_t numbers_of(int64_t rows, int64_t blocks) {
  return (rows + tile_rows - 1) / tile_rows * blocks * pieces * tile_numbers;
}

/** Takes a row of `rows` apart. */
inline void take_apart(const float *x, int64_t row, int64_t rows, bool stacked, int64_t blocks, uint16_t *numbers, float *sums) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  const int64_t next_block = (stacked ? 1 : pieces) * tile_numbers, next_piece = stacked ? rows * tile_inputs : tile_numbers;
  uint16_t *const first = numbers + (stacked ? row : row / tile_rows * blocks * pieces * tile_rows + row % tile_rows) * tile_inputs;
  for (int64_t block = 0; block < blocks; block++) {
    uint16_t *const to = first + block * next_block;
    __m512 total = _mm512_setzero_ps();
    for (int half = 0; half < tile_inputs; half += 16) {
      __m512 rest = _mm512_loadu_ps(x + block * tile_inputs + half);
      total = _mm512_add_ps(total, rest);
      for (int64_t piece = pieces - 1; piece >= 0; piece--) {
        const __m512i cut = _mm512_and_si512(_mm512_castps_si512(rest), upper);
        const __m256i stored = _mm512_cvtepi32_epi16(_mm512_srli_epi32(cut, 16));
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to + piece * next_piece + half), stored);
        rest = _mm512_sub_ps(rest, _mm512_castsi512_ps(cut));
      }
    }
    sums[row * blocks + block] = _mm512_reduce_add_ps(total);
  }
  written();
}

/** −8 … 7 as bfloat16, twice: of a word's 16 bits a look-up takes the lowest five. */
alignas(64) constexpr uint16_t four_bit_numbers[32] = {
    0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80, 0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0,
    0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80, 0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0};

/** The integers of a tile as bfloat16. */
template <int bits>
inline void widen(const uint8_t *tile, uint16_t *to) {
  if constexpr (bits == 4) {
    const __m512i table = _mm512_load_si512(four_bit_numbers);
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
    const auto numbers = [&](int input) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(tile + input * tile_outputs));
      return _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)));
    };
    for (int input = 0; input < tile_inputs; input += 2) {
      const __m512i low = _mm512_srli_epi32(numbers(input), 16);
      // low | (numbers & upper)
      _mm512_store_si512(to + input * tile_outputs, _mm512_ternarylogic_epi32(low, numbers(input + 1), upper, 0xf8));
    }
  }
}

/** What a thread keeps. */
struct Desk {
  /** Weights of two blocks of a unit: one is read while the other is written, which the processor does at the same time. */
  alignas(64) uint16_t widened[2][2 * unit_strips][tile_numbers];
  /** Sums of one block, as they come out of a tile: [16 rows, 16 outputs]. */
  alignas(64) float raw[2][tile_rows * tile_outputs];
  /** [strips, rows, 32] */
  alignas(64) float totals[unit_strips * panel_rows * strip_outputs];
  /** The step's inputs, taken apart by this thread for itself, and which node's they are. */
  std::vector<uint16_t> numbers;
  std::vector<float> sums;
  /** Of a strip, [blocks, 32]. */
  std::vector<float> offsets;
  uint64_t owner = 0;
};

inline Desk &own_desk() {
  static thread_local Desk desk;
  return desk;
}

/** A tile of sums on its way into the totals. */
template <bool stacked>
struct Settling {
  const uint16_t *scales = nullptr;
  float *totals = nullptr;
  int64_t rows = 0;

  /** totals += scale·raw */
  void settle(const float *raw) const {
    const __m512 scale = load(scales);
    for (int64_t row = 0; row < rows; row++) {
      float *const to = totals + row * strip_outputs;
      __m512 sum = _mm512_load_ps(raw + row * tile_outputs);
      // as the tile would have added them
      for (int64_t piece = 1; stacked && piece < pieces; piece++) {
        sum = _mm512_add_ps(sum, _mm512_load_ps(raw + (piece * rows + row) * tile_outputs));
      }
      _mm512_store_ps(to, _mm512_fmadd_ps(scale, sum, _mm512_load_ps(to)));
    }
  }
};

/** Sums of a block into tile 3 + `turn`: the pieces of 16 rows (tiles 0 to 2; where they are stacked, tile 0) times a tile of weights. */
template <int turn, bool stacked>
inline void multiply(const uint16_t *weights) {
  if constexpr (turn == 0) {
    _tile_loadd(6, weights, 64);
    _tile_zero(3);
    _tile_dpbf16ps(3, 0, 6);
    if constexpr (!stacked) {
      _tile_dpbf16ps(3, 1, 6);
      _tile_dpbf16ps(3, 2, 6);
    }
  } else {
    _tile_loadd(7, weights, 64);
    _tile_zero(4);
    _tile_dpbf16ps(4, 0, 7);
    if constexpr (!stacked) {
      _tile_dpbf16ps(4, 1, 7);
      _tile_dpbf16ps(4, 2, 7);
    }
  }
}

/**
 * Strips of a panel of rows into `desk.totals`, weights in blocks of integers: each block's sums are scaled by themselves. While the
 * products of one tile run, those of the tile before leave it, and those before them are scaled.
 */
template <int bits, bool stacked>
void integer_strips(const Weights &weights, int64_t strip, int64_t strips, const Inputs &inputs, int64_t from, int64_t rows, Desk &desk) {
  const int64_t blocks = weights.blocks, tiles = 2 * strips;
  std::fill(desk.totals, desk.totals + strips * rows * strip_outputs, 0.0f);
  if (weights.minima) {
    desk.offsets.resize(blocks * strip_outputs);
    for (int64_t at = 0; at < strips; at++) {
      const uint16_t *const scales = weights.scales_of(strip + at), *const minima = weights.minima_of(strip + at);
      for (int64_t i = 0; i < blocks * strip_outputs; i += lanes) store(desk.offsets.data() + i, offset_of(load(scales + i), minima + i));
      add_rows(inputs.sums + from * blocks, rows, blocks, blocks, desk.offsets.data(), desk.totals + at * rows * strip_outputs);
    }
  }
  const auto prepare = [&](int64_t block, int64_t tile) {
    const int64_t own = strip + tile / 2, side = tile % 2;
    const uint8_t *const packed = weights.tiles_of(own) + (2 * block + side) * tile_bytes(bits);
    for (int64_t line = 0; line < tile_bytes(bits); line += 64) __builtin_prefetch(packed + tiles_ahead * 2 * tile_bytes(bits) + line);
    if (side == 0) __builtin_prefetch(weights.scales_of(own) + (block + scales_ahead) * strip_outputs);
    // a unit begins with its minima
    if (weights.minima && side == 0) __builtin_prefetch(weights.minima_of(own + strips) + block * strip_outputs);
    widen<bits>(packed, desk.widened[block & 1][tile]);
    written();
  };
  Settling<stacked> last, before;
  const auto pass = [&](auto turn, const uint16_t *widened, const Settling<stacked> &next) {
    constexpr int now = decltype(turn)::value;
    multiply<now, stacked>(widened);
    if (before.rows > 0) before.settle(desk.raw[now]);
    if (last.rows > 0) {
      if constexpr (now == 0) {
        _tile_stored(4, desk.raw[1], 64);
      } else {
        _tile_stored(3, desk.raw[0], 64);
      }
    }
    before = last;
    last = next;
  };
  for (int64_t tile = 0; tile < tiles; tile++) prepare(0, tile);
  for (int64_t block = 0; block < blocks; block++) {
    for (int64_t row = 0; row < rows; row += tile_rows) {
      if constexpr (stacked) {
        _tile_loadd(0, inputs.numbers + block * tile_numbers, 64);
      } else {
        const uint16_t *const own = inputs.numbers + ((from + row) / tile_rows * blocks + block) * pieces * tile_numbers;
        _tile_loadd(0, own, 64);
        _tile_loadd(1, own + tile_numbers, 64);
        _tile_loadd(2, own + 2 * tile_numbers, 64);
      }
      const int64_t count = std::min(rows - row, tile_rows);
      for (int64_t at = 0; at < strips; at++) {
        const uint16_t *const scales = weights.scales_of(strip + at) + block * strip_outputs;
        float *const totals = desk.totals + (at * rows + row) * strip_outputs;
        const bool prepares = row == 0 && block + 1 < blocks;
        pass(std::integral_constant<int, 0>(), desk.widened[block & 1][2 * at], {scales, totals, count});
        if (prepares) prepare(block + 1, 2 * at);
        pass(std::integral_constant<int, 1>(), desk.widened[block & 1][2 * at + 1], {scales + tile_outputs, totals + tile_outputs, count});
        if (prepares) prepare(block + 1, 2 * at + 1);
      }
    }
  }
  before.settle(desk.raw[0]);
  _tile_stored(4, desk.raw[1], 64);
  last.settle(desk.raw[1]);
}

/** The same of bfloat16 weights, whose sums stay in the tiles to the end: two tiles of rows, or one, by two of outputs. */
template <bool two>
inline void multiply_numbers(const uint16_t *first, const uint16_t *second, const uint8_t *left, const uint8_t *right) {
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

inline void number_strip(const Weights &weights, int64_t strip, const Inputs &inputs, int64_t from, int64_t rows, float *totals) {
  const int64_t blocks = weights.blocks, stride = blocks * pieces * tile_numbers;
  const uint8_t *const tiles = weights.tiles_of(strip);
  alignas(64) float raw[4][tile_rows * tile_outputs];
  for (int64_t row = 0; row < rows; row += 2 * tile_rows) {
    const bool two = rows - row > tile_rows;
    const uint16_t *const first = inputs.numbers + (from + row) / tile_rows * stride;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t block = 0; block < blocks; block++) {
      const uint16_t *const at = first + block * pieces * tile_numbers;
      const uint8_t *const left = tiles + 2 * block * tile_bytes(16), *const right = left + tile_bytes(16);
      if (two) {
        multiply_numbers<true>(at, at + stride, left, right);
      } else {
        multiply_numbers<false>(at, nullptr, left, right);
      }
    }
    _tile_stored(0, raw[0], 64);
    _tile_stored(1, raw[1], 64);
    _tile_stored(2, raw[2], 64);
    _tile_stored(3, raw[3], 64);
    for (int64_t r = 0; r < std::min(rows - row, 2 * tile_rows); r++) {
      const float *const got = raw[r / tile_rows * 2] + r % tile_rows * tile_outputs;
      float *const to = totals + (row + r) * strip_outputs;
      std::copy(got, got + tile_outputs, to);
      std::copy(got + tile_rows * tile_outputs, got + tile_rows * tile_outputs + tile_outputs, to + tile_outputs);
    }
  }
}

inline int64_t units(const Weights &weights) { return (weights.strips() + unit_strips - 1) / unit_strips; }

/** A unit of strips for all rows, written to y [rows, outputs]. */
inline void product_unit(const Weights &weights, int64_t unit, const Inputs &inputs, float *y, Desk &desk) {
  const int64_t strip = unit * unit_strips, strips = std::min(unit_strips, weights.strips() - strip);
  // tiles 6 and 7 are weights, the others hold as many rows as there are at most
  const int64_t together = std::min(inputs.stacked ? pieces * inputs.rows : inputs.rows, tile_rows);
  configure([=](int tile) { return tile < 6 ? together : tile_rows; });
  const auto integers = [&](auto bits, int64_t from, int64_t rows) {
    constexpr int each = decltype(bits)::value;
    if (inputs.stacked) {
      integer_strips<each, true>(weights, strip, strips, inputs, from, rows, desk);
    } else {
      integer_strips<each, false>(weights, strip, strips, inputs, from, rows, desk);
    }
  };
  for (int64_t from = 0; from < inputs.rows; from += panel_rows) {
    const int64_t rows = std::min(panel_rows, inputs.rows - from);
    if (weights.bits == 4) {
      integers(std::integral_constant<int, 4>(), from, rows);
    } else if (weights.bits == 8) {
      integers(std::integral_constant<int, 8>(), from, rows);
    } else {
      for (int64_t at = 0; at < strips; at++) {
        number_strip(weights, strip + at, inputs, from, rows, desk.totals + at * rows * strip_outputs);
      }
    }
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t at = 0; at < strips; at++) {
        const int64_t first = (strip + at) * strip_outputs, count = std::min<int64_t>(strip_outputs, weights.outputs - first);
        const float *const got = desk.totals + (at * rows + row) * strip_outputs;
        std::copy(got, got + count, y + (from + row) * weights.outputs + first);
      }
    }
  }
  // the system then has nothing of them to save when it switches threads
  _tile_release();
}

}  // namespace amx
}  // namespace tiller
#endif
