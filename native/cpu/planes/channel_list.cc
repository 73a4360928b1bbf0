// Which channels are active: as bytes, and as an ascending list.
#include "cpu/isa.h"
#include "cpu/planes/planes.h"

namespace ftwt::FTWT_ISA {
namespace {

constexpr int kGroup = 8;  // channels of one look-up

// The places of the bits of each byte, ascending; what is behind them is of no meaning.
struct Places {
  uint8_t of[256][kGroup] = {};
  constexpr Places() {
    for (int byte = 0; byte < 256; ++byte) {
      for (int bit = 0, count = 0; bit < kGroup; ++bit) {
        if (byte >> bit & 1) of[byte][count++] = static_cast<uint8_t>(bit);
      }
    }
  }
};
constexpr Places kPlaces;

}  // namespace

void positive_channels(const float* x, int64_t count, uint8_t* mask) {
  for (int64_t i = 0; i < count; ++i) mask[i] = x[i] > 0;
}

int64_t list_channels(const uint8_t* mask, int64_t count, int32_t* list) {
  int64_t listed = 0, i = 0;
#if defined(FTWT_ISA_avx512)
  IVec channels = lane_numbers();
  for (; i + kLanes <= count; i += kLanes, channels += kLanes) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(mask + i));
    const __mmask16 active = _mm_test_epi8_mask(bytes, bytes);
    const __m512i places = _mm512_maskz_compress_epi32(active, reinterpret_cast<__m512i>(channels));
    _mm512_storeu_si512(list + listed, places);  // listed <= i, so that all fit
    listed += __builtin_popcount(active);
  }
#endif
  for (; i + kGroup <= count; i += kGroup) {
    uint64_t bytes;
    memcpy(&bytes, mask + i, sizeof bytes);
    const auto bits = static_cast<uint8_t>(bytes * 0x0102040810204080 >> 56);  // bit k is byte k's
    const uint8_t* places = kPlaces.of[bits];
    int32_t* to = list + listed;  // at most i, so that a whole group fits
    for (int k = 0; k < kGroup; ++k) to[k] = static_cast<int32_t>(i) + places[k];
    listed += __builtin_popcount(bits);
  }
  for (; i < count; ++i) {
    list[listed] = static_cast<int32_t>(i);
    listed += mask[i] != 0;
  }
  return listed;
}

}  // namespace ftwt::FTWT_ISA
