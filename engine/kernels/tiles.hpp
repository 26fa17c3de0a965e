// How a linear layer's weights lie in memory for Product (product.cpp).
//
// A tile is 32 inputs of 16 outputs; two tiles beside each other, 32 outputs, are a strip; an array is [strips, width / 32, 2, tile], so
// that a strip is read from its begin to its end. Outputs that fill up the last strip have weights, scales and minima of zero. A tile
// is rows of 16 words of 32 bits, a word for each output, least significant bits first:
//
//   bits | rows | a word of row r                                                              | w =
//   16   | 16   | inputs 2r and 2r + 1 as bfloat16                                             | the number
//    4   | 4    | halves of 16 bits: inputs 8r, 8r + 2, 8r + 4, 8r + 6 as q + 8, and those after them | scale·q, or scale·q + (8·scale + minimum)
//
// A tile of 8 bits is signed bytes q, [32 inputs, 16 outputs]; w = scale·q.
//
// Scales and minima are float16 [strips, width / 32, 32]. The rows of 16 words are what the matrix extension of x86 processors (AMX)
// wants of bfloat16 numbers; every q is such a number.
#pragma once

#include "vectors.hpp"

namespace tiller {

constexpr int tile_outputs = 16;
constexpr int tile_inputs = 32;
constexpr int strip_outputs = 2 * tile_outputs;
constexpr int64_t tile_bytes(int bits) { return tile_outputs * tile_inputs * bits / 8; }

/** The linear layer of one node. */
struct Weights {
  int bits;
  int64_t outputs;
  /** Blocks of 32 inputs. */
  int64_t blocks;
  const uint8_t *tiles;
  /** Null for bfloat16. */
  const uint16_t *scales;
  /** Null but for 4 bits, where there are any. */
  const uint16_t *minima;

  int64_t strips() const { return (outputs + strip_outputs - 1) / strip_outputs; }
  const uint8_t *tiles_of(int64_t strip) const { return tiles + strip * blocks * 2 * tile_bytes(bits); }
  const uint16_t *scales_of(int64_t strip) const { return scales + strip * blocks * strip_outputs; }
  const uint16_t *minima_of(int64_t strip) const { return minima ? minima + strip * blocks * strip_outputs : nullptr; }
};

/** One word of each of `lanes` outputs → input `at` of those that it holds: a number before scale and offset. Of 4 and 16 bits. */
template <int bits>
inline Floats number(Words words, int at) {
  Floats value;
  if constexpr (bits == 16) {
    const Words moved = at == 0 ? words << 16 : words & 0xffff0000u;
    std::memcpy(&value, &moved, sizeof value);
  } else {
    Integers whole;
    const Words moved = (words >> (16 * (at & 1) + 4 * (at >> 1))) & 15u;
    std::memcpy(&whole, &moved, sizeof whole);
    whole -= 8;
    value = __builtin_convertvector(whole, Floats);
  }
  return value;
}

/** What is added to scale·q of 4 bits. */
inline Floats offset_of(Floats scale, const uint16_t *minima) { return scale * 8 + load(minima); }

/** The weights of a tile as float32, [32 inputs] rows of `stride`; with `scales` and `minima` of its 16 outputs, where it has such. */
template <int bits>
inline void unpack(const uint8_t *tile, const uint16_t *scales, const uint16_t *minima, float *to, int64_t stride) {
  for (int part = 0; part < tile_outputs; part += lanes) {
    const Floats scale = scales ? load(scales + part) : all(1), offset = minima ? offset_of(scale, minima + part) : all(0);
    if constexpr (bits == 8) {
      for (int input = 0; input < tile_inputs; input++) {
        Bytes bytes;
        std::memcpy(&bytes, tile + input * tile_outputs + part, sizeof bytes);
        store(to + input * stride + part, __builtin_convertvector(bytes, Floats) * scale);
      }
    } else {
      constexpr int per_word = 32 / bits;
      for (int row = 0; row < tile_inputs / per_word; row++) {
        Words words;
        std::memcpy(&words, tile + 4 * (row * tile_outputs + part), sizeof words);
        for (int at = 0; at < per_word; at++) {
          const Floats value = number<bits>(words, at);
          store(to + (row * per_word + at) * stride + part, bits == 16 ? value : value * scale + offset);
        }
      }
    }
  }
}

}  // namespace tiller
