// The matrix extension of x86 processors (AMX): tiles of 16 rows of 64 bytes, and products of them in one instruction.
#pragma once

#if defined(__AMX_BF16__) && defined(__AMX_INT8__) && defined(__AVX512BW__) && defined(__linux__)
#define TILLER_AMX 1

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace tiller {
namespace amx {

constexpr int64_t tile_rows = 16;
constexpr int64_t row_bytes = 64;

/** Whether this process may use the extension: Linux hands it out on request, once for all threads. */
inline bool available() {
  static const bool granted = [] {
    constexpr int request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return granted;
}

/** The compiler does not know that loading tiles reads memory: what was written before this is there afterwards. */
inline void written() { asm volatile("" ::: "memory"); }

/** Gives each of the eight tiles its rows, `rows(tile)`, of 64 bytes each; all of them are zero afterwards. */
template <typename Rows>
inline void configure(const Rows &rows) {
  struct alignas(64) {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  } shape;
  for (int tile = 0; tile < 8; tile++) {
    shape.row_bytes[tile] = row_bytes;
    shape.rows[tile] = static_cast<uint8_t>(rows(tile));
  }
  written();
  _tile_loadconfig(&shape);
}

}  // namespace amx
}  // namespace tiller
#endif
