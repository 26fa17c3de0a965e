// Some floats at a time, in the compiler's own vector types: they become whatever registers the processor has.
#pragma once

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace tiller {

/** A vector is one register of AVX-512 or AVX2, two of the 128-bit kinds. */
#if defined(__AVX512F__)
constexpr int lanes = 16;
#else
constexpr int lanes = 8;
#endif
/** Vectors that a loop over products keeps beside each other, so that six rows of them fit the registers. */
constexpr int abreast = lanes == 16 ? 4 : 2;

typedef float Floats __attribute__((vector_size(4 * lanes)));
typedef int32_t Integers __attribute__((vector_size(4 * lanes)));
typedef uint32_t Words __attribute__((vector_size(4 * lanes)));
typedef uint16_t Halves __attribute__((vector_size(2 * lanes)));
typedef int8_t Bytes __attribute__((vector_size(lanes)));

/** What no number is below. */
constexpr float nothing = -std::numeric_limits<float>::infinity();

inline Floats load(const float *from) {
  Floats value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void store(float *to, Floats value) { std::memcpy(to, &value, sizeof value); }

/** As many IEEE half-precision numbers. */
inline Floats load(const uint16_t *from) {
#if defined(__AVX512F__)
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)));
#elif defined(__F16C__)
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from)));
#else
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const Words words = __builtin_convertvector(halves, Words);
  // sign, then exponent and mantissa moved to their places; 2^112 makes up for the difference of the exponents' biases
  const Words moved = ((words & 0x8000u) << 16) | ((words & 0x7fffu) << 13);
  const Words endless = moved | 0x7f800000u;
  Floats value, special;
  std::memcpy(&value, &moved, sizeof value);
  std::memcpy(&special, &endless, sizeof special);
  return (words & 0x7c00u) == 0x7c00u ? special : value * 0x1p112f;
#endif
}

/** To half precision, to nearest with ties to even; what is too large becomes infinity, which shows in what is computed of it. */
inline uint16_t half(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  bits &= 0x7fffffffu;
  if (bits >= 0x477ff000u) return static_cast<uint16_t>(sign | (bits > 0x7f800000u ? 0x7e00u : 0x7c00u));
  // below 2^-14 halves are multiples of 2^-24, which adding 2^-1 rounds to
  if (bits < 0x38800000u) {
    float magnitude;
    std::memcpy(&magnitude, &bits, sizeof magnitude);
    const float shifted = magnitude + 0.5f;
    uint32_t rounded;
    std::memcpy(&rounded, &shifted, sizeof rounded);
    return static_cast<uint16_t>(sign | (rounded - 0x3f000000u));
  }
  return static_cast<uint16_t>(sign | ((bits - 0x38000000u + 0xfffu + ((bits >> 13) & 1u)) >> 13));
}

/** The same of a vector. */
inline void store(uint16_t *to, Floats value) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__F16C__)
  _mm_storeu_si128(reinterpret_cast<__m128i *>(to), _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#else
  for (int at = 0; at < lanes; at++) to[at] = half(value[at]);
#endif
}

/** The same number in every lane; subtracting zero changes none. */
inline Floats all(float value) { return value - Floats{}; }

inline Floats greater(Floats one, Floats other) { return one > other ? one : other; }

/** The lanes' sum, always in the same order. */
inline float sum(Floats value) {
  float each[lanes];
  store(each, value);
  for (int half = lanes / 2; half > 0; half /= 2) {
    for (int at = 0; at < half; at++) each[at] += each[at + half];
  }
  return each[0];
}

inline float largest(Floats value) {
  float each[lanes];
  store(each, value);
  for (int half = lanes / 2; half > 0; half /= 2) {
    for (int at = 0; at < half; at++) each[at] = each[at] > each[at + half] ? each[at] : each[at + half];
  }
  return each[0];
}

/**
 * e^x to about 2 units in the last place: x = n·ln 2 + r with |r| ≤ ln 2 / 2, e^r by its Taylor polynomial of degree 7, times 2^n. Below
 * −87 (where float32 ends) it is e^−87, above 88 it is e^88; NaN stays NaN.
 */
inline Floats exponential(Floats x) {
  const Floats bounded = x < all(-87.0f) ? all(-87.0f) : (x > all(88.0f) ? all(88.0f) : x);
  // adding 1.5·2^23 rounds to an integer, which then stands in the lowest bits
  const Floats shifted = bounded * all(1.44269504088896341f) + all(12582912.0f);
  const Floats n = shifted - all(12582912.0f);
  const Floats r = (bounded - n * all(0.693359375f)) - n * all(-2.12194440e-4f);
  Floats p = all(1.0f / 5040.0f);
  p = p * r + all(1.0f / 720.0f);
  p = p * r + all(1.0f / 120.0f);
  p = p * r + all(1.0f / 24.0f);
  p = p * r + all(1.0f / 6.0f);
  p = p * r + all(0.5f);
  p = p * r + all(1.0f);
  p = p * r + all(1.0f);
  Integers bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  const Integers exponent = (bits << 23) + (127 << 23);
  Floats power;
  std::memcpy(&power, &exponent, sizeof power);
  return p * power;
}

/** Σ one_i · other_i over `count` floats, always in the same order. */
inline float dot(const float *one, const float *other, int64_t count) {
  Floats even = all(0), odd = all(0);
  int64_t at = 0;
  for (; at + 2 * lanes <= count; at += 2 * lanes) {
    even += load(one + at) * load(other + at);
    odd += load(one + at + lanes) * load(other + at + lanes);
  }
  for (; at + lanes <= count; at += lanes) even += load(one + at) * load(other + at);
  float total = sum(even + odd);
  for (; at < count; at++) total += one[at] * other[at];
  return total;
}

}  // namespace tiller
