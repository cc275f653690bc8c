// Rows of a list through the long-range terms: one vector of neighbours after the other, nothing stored per pair.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "pair_terms.h"

namespace helio {

// Atoms and the rows of the list that this call owns: atoms row_start ... row_start + rows - 1.
template <class T>
struct PairList {
  int64_t atoms, rows, places, row_start;
  const T* positions;    // (N, 3)
  const T* cell;         // (3, 3)
  const int32_t* index;  // (R, K); N and more: no neighbour
  const int16_t* shift;  // (R, K, 3), or null
};

// What a pair needs to know of either atom, side by side in memory.
template <class T>
struct alignas(8 * sizeof(T)) Record {
  T x, y, z, charge, polarizability, c6, electrostatics, dispersion;  // the last two: cotangents of the energies
};

// The records of all atoms, and one for free places: so far away that it is beyond any cutoff.
template <class T>
std::vector<Record<T>> make_records(const PairList<T>& list, const T* charge, const T* polarizability, const T* c6,
                                    const T* electrostatics, const T* dispersion, T otherwise = 0) {
  std::vector<Record<T>> records(list.atoms + 1);
  for (int64_t n = 0; n < list.atoms; ++n) {
    const T* r = list.positions + 3 * n;
    records[n] = {r[0], r[1], r[2], charge[n], polarizability[n], c6[n],
                  electrostatics ? electrostatics[n] : otherwise, dispersion ? dispersion[n] : otherwise};
  }
  records[list.atoms] = {T(1e18), 0, 0, 0, 1, 1, 0, 0};
  return records;
}

// Concatenates four numbers of the records at every fourth place; a place counts numbers, not records.
template <class S, int kBlocks = S::L / 4>
inline auto four_of_each(const typename S::T* records, const uint32_t* place) {
  typedef typename S::T Four __attribute__((vector_size(4 * sizeof(typename S::T)), may_alias));
  if constexpr (kBlocks == 1) {
    return *reinterpret_cast<const Four*>(records + *place);
  } else {
    const auto a = four_of_each<S, kBlocks / 2>(records, place);
    const auto b = four_of_each<S, kBlocks / 2>(records, place + 2 * kBlocks);
    if constexpr (kBlocks == 2) return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
    else return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
}

// Of every block of four lanes: a0 b0 a1 b1, or with kFirst = 2, a2 b2 a3 b3.
template <class S, int kFirst, int... Lane>
inline typename S::V interleaved(typename S::V a, typename S::V b, std::integer_sequence<int, Lane...>) {
  return __builtin_shufflevector(a, b, (Lane / 4 * 4 + kFirst + Lane % 4 / 2 + Lane % 2 * S::L)...);
}

// Four numbers of the records at L places, one vector each: in memory they stand side by side, so this is a transpose
// of blocks of 4 x 4, several times faster than gathering each number by itself.
template <class S>
inline void gather_four(const typename S::T* records, const uint32_t* place, typename S::V* out) {
  typename S::V row[4];
  for (int m = 0; m < 4; ++m) row[m] = four_of_each<S>(records, place + m);
  constexpr auto lanes = std::make_integer_sequence<int, S::L>();
  const typename S::V even[2] = {interleaved<S, 0>(row[0], row[2], lanes), interleaved<S, 2>(row[0], row[2], lanes)};
  const typename S::V odd[2] = {interleaved<S, 0>(row[1], row[3], lanes), interleaved<S, 2>(row[1], row[3], lanes)};
  for (int half = 0; half < 2; ++half) {
    out[2 * half] = interleaved<S, 0>(even[half], odd[half], lanes);
    out[2 * half + 1] = interleaved<S, 2>(even[half], odd[half], lanes);
  }
}

// Gradients of one row, the sums over its pairs; and its energies, right where all cotangents are one.
template <class T>
struct RowGradients {
  T charge, polarizability, c6, position[3], cell[9], electrostatics, dispersion;
};

// kElectrostatics, kDispersion: which terms there are. Pairs of one row, S::L at once.
template <class S, bool kElectrostatics, bool kDispersion, bool kCutoff>
class PairRows {
 public:
  using T = typename S::T;
  using V = typename S::V;
  static constexpr int L = S::L;

  PairRows(const PairTerms& terms, const PairList<T>& list, const Record<T>* records)
      : terms_(terms), potential_(terms), dispersion_(terms), list_(list), records_(records) {
    limit_ = kCutoff ? T(terms.cutoff) * T(terms.cutoff) : T(1e30);
    safe_ = kCutoff ? limit_ : T(1);
  }

  // Half of the energy of each pair.
  void forward(int64_t row, T& electrostatics, T& dispersion) const {
    const Record<T>& own = records_[list_.row_start + row];
    V sums[L] = {};
    over_groups(row, own, [&](const Group& pairs) {
      if constexpr (kElectrostatics) {
        V value, slope;
        potential_.template evaluate<kCutoff>(pairs.distance, pairs.inverse, value, slope);
        sums[0] += pairs.inside(pairs.charge * value);
      }
      if constexpr (kDispersion)
        sums[1] += pairs.inside(
            dispersion_
                .template evaluate<kCutoff, false>(pairs.square, pairs.distance, pairs.inverse, own.polarizability,
                                                   pairs.polarizability, own.c6, pairs.c6)
                .energy);
    });
    T total[2] = {};
    add_sums<S>(sums, 2, total);
    electrostatics = T(0.5 * terms_.coulomb) * own.charge * total[0];
    dispersion = T(0.5) * total[1];
  }

  // From the cotangents of all atoms: each pair has the mean of those of its two atoms.
  RowGradients<T> backward(int64_t row) const {
    const Record<T>& own = records_[list_.row_start + row];
    V sums[(16 + L - 1) / L * L] = {};
    bool any = false;
    over_groups(row, own, [&](const Group& pairs) {
      V along{};  // dL/dr / r
      any = true;
      if constexpr (kElectrostatics) {
        V value, slope;
        potential_.template evaluate<kCutoff>(pairs.distance, pairs.inverse, value, slope);
        const V weight = pairs.inside((own.electrostatics + pairs.electrostatics) * pairs.charge);
        sums[3] += weight * value;
        along += T(0.5 * terms_.coulomb) * own.charge * weight * slope * pairs.inverse;
      }
      if constexpr (kDispersion) {
        const auto pair = dispersion_.template evaluate<kCutoff, true>(
            pairs.square, pairs.distance, pairs.inverse, own.polarizability, pairs.polarizability, own.c6, pairs.c6);
        const V weight = pairs.inside(T(0.5) * own.dispersion + T(0.5) * pairs.dispersion);
        const V energy = weight * pair.energy;
        sums[4] += energy;
        sums[5] += energy * pair.to_c6;
        sums[6] += weight * pair.to_mean;
        along += weight * pair.slope;
      }
      for (int axis = 0; axis < 3; ++axis) {
        const V force = along * pairs.vector[axis];
        sums[axis] += force;
        if (pairs.turned)
          for (int a = 0; a < 3; ++a) sums[7 + 3 * a + axis] += pairs.turns[a] * force;
      }
    });
    T total[16] = {};
    if (any) add_sums<S>(sums, 16, total);
    return gradients(own, any, total);
  }

 private:
  // L pairs: those beyond the cutoff and free places have a safe distance.
  struct Group {
    V vector[3], square, distance, inverse;
    V charge, polarizability, c6, electrostatics, dispersion;
    V turns[3];
    bool turned;  // whether any shift is not zero
    typename S::M outside;

    V inside(V value) const { return outside ? V{} : value; }
  };

  template <class Use>
  void over_groups(int64_t row, const Record<T>& own, Use&& use) const {
    const int32_t* index = list_.index + row * list_.places;
    const int16_t* shift = list_.shift ? list_.shift + 3 * row * list_.places : nullptr;
    int64_t places = list_.places;
    while (places > 0 && uint32_t(index[places - 1]) >= uint32_t(list_.atoms)) --places;
    alignas(64) int32_t rest[L];
    alignas(64) int16_t turns[3 * L] = {};
    for (int64_t k = 0; k < places; k += L) {
      if (places - k < L) {
        std::fill(std::copy(index + k, index + places, rest), rest + L, int32_t(list_.atoms));
        if (shift) std::copy(shift + 3 * k, shift + 3 * places, turns);
      }
      const bool whole = places - k >= L;
      Group pairs;
      measure(own, whole ? index + k : rest, !shift ? nullptr : whole ? shift + 3 * k : turns, pairs);
      use(pairs);
    }
  }

  void measure(const Record<T>& own, const int32_t* index, const int16_t* turns, Group& pairs) const {
    typedef uint32_t Places __attribute__((vector_size(4 * L)));
    typedef uint32_t Unaligned __attribute__((vector_size(4 * L), aligned(4), may_alias));
    const Places places = *reinterpret_cast<const Unaligned*>(index), free = uint32_t(list_.atoms) - Places{};
    alignas(64) uint32_t place[L];
    *reinterpret_cast<Places*>(place) = (places < free ? places : free) * (sizeof(Record<T>) / sizeof(T));
    V first[4], second[4];
    gather_four<S>(&records_->x, place, first);
    gather_four<S>(&records_->polarizability, place, second);
    pairs.vector[0] = first[0] - own.x, pairs.vector[1] = first[1] - own.y, pairs.vector[2] = first[2] - own.z;
    pairs.charge = first[3], pairs.polarizability = second[0], pairs.c6 = second[1];
    pairs.electrostatics = second[2], pairs.dispersion = second[3];
    pairs.turned = turns && any_of(turns);
    if (pairs.turned) {
      constexpr auto lanes = std::make_integer_sequence<int, L>();
      pairs.turns[0] = every_third<0>(turns, lanes);
      pairs.turns[1] = every_third<1>(turns, lanes);
      pairs.turns[2] = every_third<2>(turns, lanes);
      for (int a = 0; a < 3; ++a)
        for (int axis = 0; axis < 3; ++axis) pairs.vector[axis] += pairs.turns[a] * list_.cell[3 * a + axis];
    }
    const V *r = pairs.vector, square = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
    pairs.outside = square >= limit_;  // what is not a number counts as inside, and is seen in the result
    const T tiny = sizeof(T) == 4 ? T(1e-12) : T(1e-24);  // two atoms in one place: nothing infinite
    pairs.square = pairs.outside ? S::all(safe_) : square < tiny ? S::all(tiny) : square;
    pairs.inverse = inverse_root<S>(pairs.square);
    pairs.distance = pairs.square * pairs.inverse;
  }

  static bool any_of(const int16_t* turns) {
    uint64_t words[3 * L / 4], any = 0;
    std::memcpy(words, turns, sizeof(words));
    for (uint64_t word : words) any |= word;
    return any != 0;
  }

  // turns[3 n + kFirst] for n = 0 ... L - 1: in words of two, whose other half is shifted out.
  template <int kFirst, int... Lane>
  static V every_third(const int16_t* turns, std::integer_sequence<int, Lane...>) {
    typedef int32_t Words __attribute__((vector_size(4 * L)));
    typedef int32_t Unaligned __attribute__((vector_size(4 * L), aligned(2), may_alias));
    const Words low = *reinterpret_cast<const Unaligned*>(turns), high = *reinterpret_cast<const Unaligned*>(turns + L);
    constexpr auto word = [](int lane) { return (3 * lane + kFirst) / 2; };
    Words both = __builtin_shufflevector(low, high, (word(Lane) < L ? word(Lane) : word(Lane) + L / 2)...);
    both = both << Words{((3 * Lane + kFirst) % 2 ? 0 : 16)...};
    return __builtin_convertvector(both >> 16, V);
  }

  // dL/dalpha_i goes through C6_ij and through the mean polarizability; an atom without pairs may have any values.
  RowGradients<T> gradients(const Record<T>& own, bool any, const T* total) const {
    RowGradients<T> result{};
    if (!any) return result;
    for (int axis = 0; axis < 3; ++axis) result.position[axis] = -total[axis];
    for (int k = 0; k < 9; ++k) result.cell[k] = T(0.5) * total[7 + k];
    if constexpr (kElectrostatics) {
      result.charge = T(0.5 * terms_.coulomb) * total[3];
      result.electrostatics = T(0.5) * own.charge * result.charge;
    }
    if constexpr (kDispersion) {
      result.dispersion = T(0.5) * total[4];
      result.polarizability = (total[4] - 2 * total[5]) / own.polarizability + T(0.5) * total[6];
      result.c6 = total[5] / own.c6;
    }
    return result;
  }

  const PairTerms terms_;
  const SmearedPotential<S> potential_;
  const DrudeDispersion<S> dispersion_;
  const PairList<T> list_;
  const Record<T>* records_;
  T limit_, safe_;
};

}  // namespace helio
