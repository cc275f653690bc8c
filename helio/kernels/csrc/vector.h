// Vectors of L numbers of type T, by the vector extensions of GCC and Clang: one source for AVX2, AVX-512 and NEON.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace helio {

// Bytes of one register, and how many accumulators a product keeps in registers beside its operands.
#if defined(__AVX512F__)
constexpr int kRegisterBytes = 64, kAccumulators = 16;
#elif defined(__AVX__)
constexpr int kRegisterBytes = 32, kAccumulators = 8;
#elif defined(__aarch64__)
constexpr int kRegisterBytes = 16, kAccumulators = 16;
#else
constexpr int kRegisterBytes = 16, kAccumulators = 8;
#endif

// L is at most what one register holds: wider vectors make the compilers keep accumulators in memory.
template <class Scalar, int Lanes>
struct Simd {
  using T = Scalar;
  using I = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  static constexpr int L = Lanes;
  typedef T V __attribute__((vector_size(sizeof(T) * Lanes)));
  typedef I M __attribute__((vector_size(sizeof(T) * Lanes)));
  typedef T Unaligned __attribute__((vector_size(sizeof(T) * Lanes), aligned(alignof(T)), may_alias));

  static V load(const T* from) { return *reinterpret_cast<const Unaligned*>(from); }
  static void store(T* to, V value) { *reinterpret_cast<Unaligned*>(to) = value; }
  static void add(T* to, V value) { store(to, load(to) + value); }
  static V all(T value) { return value - V{}; }
};

// exp(x) for |x| <= kLargestExponent: 2^n times a Taylor polynomial on |r| <= ln(2) / 2. The magic number pushes x / ln 2
// into the lowest bits of the mantissa, rounded: this file must not be compiled with -ffast-math.
template <class T>
constexpr T kLargestExponent = sizeof(T) == 4 ? T(87) : T(708);

template <class S>
inline typename S::V exponential_in_range(typename S::V x) {
  using T = typename S::T;
  using V = typename S::V;
  constexpr bool single = sizeof(T) == 4;
  constexpr int mantissa = single ? 23 : 52;
  constexpr T magic = single ? T(12582912.0) : T(6755399441055744.0);  // 1.5 * 2^mantissa
  constexpr T high = single ? T(0.693359375) : T(0.693145751953125);   // ln 2 in two parts, the first with few bits
  constexpr T low = single ? T(-2.12194440054690583e-4) : T(1.42860682030941723212e-6);
  V shifted = x * T(1.4426950408889634) + magic;
  V n = shifted - magic;
  V r = (x - n * high) - n * low;
  constexpr int order = single ? 7 : 13;
  T factorial[order + 1] = {1};
  for (int k = 1; k <= order; ++k) factorial[k] = factorial[k - 1] * T(k);
  V series = S::all(1 / factorial[order]);
  for (int k = order - 1; k >= 0; --k) series = series * r + 1 / factorial[k];
  // Casts between vectors of one size keep the bits.
  return (V)((typename S::M)series + ((typename S::M)shifted << mantissa));
}

// exp(x) for any x, as if x lay within the range of the type.
template <class S>
inline typename S::V exponential(typename S::V x) {
  constexpr auto most = kLargestExponent<typename S::T>;
  x = x < -most ? S::all(-most) : x;
  x = x > most ? S::all(most) : x;
  return exponential_in_range<S>(x);
}

template <class S>
inline typename S::V square_root(typename S::V x) {
  typename S::V root;
  for (int lane = 0; lane < S::L; ++lane)
    root[lane] = sizeof(typename S::T) == 4 ? __builtin_sqrtf(x[lane]) : __builtin_sqrt(x[lane]);
  return root;
}

// 1 / x and 1 / sqrt(x) of positive numbers to about one unit in the last place. AVX-512 has estimates good to 14 bits,
// which one Newton step doubles in less time than a division takes.
template <class S>
inline typename S::V reciprocal(typename S::V x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(typename S::T) == 4 && S::L == 16) {
    typename S::V y = (typename S::V)_mm512_rcp14_ps((__m512)x);
    return y + y * (1 - x * y);
  }
#endif
  return 1 / x;
}

template <class S>
inline typename S::V inverse_root(typename S::V x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(typename S::T) == 4 && S::L == 16) {
    typename S::V y = (typename S::V)_mm512_rsqrt14_ps((__m512)x);
    return y + (typename S::T(0.5) * y) * (1 - (x * y) * y);
  }
#endif
  return 1 / square_root<S>(x);
}

// One step of a tree of sums: adjacent groups of `Group` lanes are added, those of a go to the first half of a block of
// the result and those of b to the second. Blocks are 128 bits where groups are smaller: such shuffles are cheapest.
template <class S, int Group, int... Lane>
inline typename S::V add_groups(typename S::V a, typename S::V b, std::integer_sequence<int, Lane...>) {
  constexpr int in_128_bits = 16 / int(sizeof(typename S::T));
  constexpr int block = Group < in_128_bits ? in_128_bits : S::L, half = block / 2;
  constexpr auto source = [](int lane, int odd) {
    const int in_half = lane % half;
    return lane / block * block + (2 * (in_half / Group) + odd) * Group + in_half % Group +
           (lane % block < half ? 0 : S::L);
  };
#if defined(__clang__)
  return __builtin_shufflevector(a, b, source(Lane, 0)...) + __builtin_shufflevector(a, b, source(Lane, 1)...);
#else
  return __builtin_shuffle(a, b, typename S::M{source(Lane, 0)...}) +
         __builtin_shuffle(a, b, typename S::M{source(Lane, 1)...});
#endif
}

template <class S, int Group>
inline void add_level(typename S::V* rows) {
  for (int k = 0; k < Group; ++k)
    rows[k] = add_groups<S, Group>(rows[2 * k], rows[2 * k + 1], std::make_integer_sequence<int, S::L>());
  if constexpr (Group > 1) add_level<S, Group / 2>(rows);
}

// Lane k of the result is the sum over all lanes of rows[k], for L rows.
template <class S>
inline typename S::V sums_of_rows(const typename S::V* rows) {
  constexpr int in_128_bits = 16 / int(sizeof(typename S::T)), blocks = S::L / in_128_bits;
  typename S::V ordered[S::L];
  for (int k = 0; k < S::L; ++k) ordered[k] = rows[k % blocks * in_128_bits + k / blocks];
  add_level<S, S::L / 2>(ordered);
  return ordered[0];
}

// to[k] = sum over all lanes of rows[k]; both have room for a multiple of L.
template <class S>
inline void store_sums(typename S::V* rows, int count, typename S::T* to) {
  for (int k = count; k % S::L; ++k) rows[k] = typename S::V{};
  for (int k = 0; k < count; k += S::L) S::store(to + k, sums_of_rows<S>(rows + k));
}

// to[k] += sum over all lanes of rows[k]; `rows` has free places up to a multiple of L.
template <class S>
inline void add_sums(typename S::V* rows, int count, typename S::T* to) {
  for (int k = count; k % S::L; ++k) rows[k] = typename S::V{};
  for (int k = 0; k < count; k += S::L) {
    const typename S::V sums = sums_of_rows<S>(rows + k);
    for (int lane = 0; lane < S::L && k + lane < count; ++lane) to[k + lane] += sums[lane];
  }
}

}  // namespace helio
