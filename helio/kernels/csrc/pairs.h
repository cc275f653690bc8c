// The pairs of one atom: which neighbours lie within the cutoff, and what is known of them in tiles of kTile.
#pragma once

#include <vector>

#include "problem.h"
#include "schedule.h"
#include "vector.h"

namespace helio {

template <class T>
struct Neighbor {
  int32_t atom;
  bool both;  // the neighbour's own row is in this chunk and leaves the pair to us: we add to both rows
  int16_t shift[3];
  T vector[3];  // A, from the row's atom
};

// Pairs of which both rows lie in one chunk are met twice and computed once, from the row with the lower place.
template <class T>
void find_neighbors(const Atoms<T>& atoms, const Order& order, int chunk, int64_t row, T cutoff,
                    std::vector<Neighbor<T>>& found) {
  found.clear();
  const int begin = order.begin(chunk), end = order.begin(chunk + 1), place = order.place[row];
  const int32_t* index = atoms.index + row * atoms.places;
  const int16_t* shift = atoms.shift ? atoms.shift + 3 * row * atoms.places : nullptr;
  const T* here = atoms.positions + 3 * (atoms.row_start + row);
  for (int64_t k = 0; k < atoms.places; ++k) {
    const int64_t j = index[k];
    if (j < 0 || j >= atoms.atoms) continue;
    const int64_t its_row = j - atoms.row_start;
    bool both = false;
    if (its_row >= 0 && its_row < atoms.rows) {
      const int its_place = order.place[its_row];
      const bool in_chunk = its_place >= begin && its_place < end;
      if (in_chunk && its_place < place) continue;
      both = in_chunk && its_place != place;  // images of the atom itself stand in this row twice
    }
    Neighbor<T> neighbor;
    neighbor.atom = int32_t(j);
    neighbor.both = both;
    for (int axis = 0; axis < 3; ++axis) {
      neighbor.vector[axis] = atoms.positions[3 * j + axis] - here[axis];
      neighbor.shift[axis] = shift ? shift[3 * k + axis] : int16_t(0);
    }
    if (shift)
      for (int a = 0; a < 3; ++a)
        for (int axis = 0; axis < 3; ++axis) neighbor.vector[axis] += T(neighbor.shift[a]) * atoms.cell[3 * a + axis];
    T square = 0;
    for (int axis = 0; axis < 3; ++axis) square += neighbor.vector[axis] * neighbor.vector[axis];
    if (square < cutoff * cutoff) found.push_back(neighbor);
  }
}

// Geometry of up to kTile pairs, one lane each; lanes without a pair have an envelope of zero.
template <class S>
struct Tile {
  using T = typename S::T;
  using V = typename S::V;

  int count;
  const Neighbor<T>* neighbor;
  alignas(64) T unit[3][kTile], inverse[kTile];                    // u, 1 / d
  alignas(64) T envelope[kTile], envelope_slope[kTile];            // c / n, c' / n
  alignas(64) T weight[4][kTile], slope_weight[4][kTile];          // of the four table rows, for value and d/dd
  alignas(64) typename S::I knot[kTile];
  alignas(64) T harmonics[kMaxComponents][kTile];
  alignas(64) T difference[kMaxComponents][kTile];  // chi_j - chi_i
  alignas(64) T invariant[kMaxDegrees][kTile];      // of the difference

  void measure(const Shape& shape, const Neighbor<T>* first, int pairs);
  void compare(const Shape& shape, const T* chi, const T* chi_i);

 private:
  void place_in_table(const Shape& shape, int lane, V distance);
};

template <class S>
void Tile<S>::measure(const Shape& shape, const Neighbor<T>* first, int pairs) {
  count = pairs;
  neighbor = first;
  alignas(64) T r[3][kTile];
  for (int n = 0; n < kTile; ++n)
    for (int axis = 0; axis < 3; ++axis) r[axis][n] = n < pairs ? first[n].vector[axis] : T(axis ? 0 : shape.cutoff);
  const T tiny = sizeof(T) == 4 ? T(1e-12) : T(1e-24);  // two atoms in one place: no direction, nothing infinite
  for (int n = 0; n < kTile; n += S::L) {
    V x = S::load(r[0] + n), y = S::load(r[1] + n), z = S::load(r[2] + n);
    V square = x * x + y * y + z * z;
    square = square < tiny ? S::all(tiny) : square;
    V inverse_d = inverse_root<S>(square), d = square * inverse_d;
    S::store(inverse + n, inverse_d);
    x *= inverse_d, y *= inverse_d, z *= inverse_d;
    S::store(unit[0] + n, x), S::store(unit[1] + n, y), S::store(unit[2] + n, z);

    V s = d * T(1 / shape.cutoff), rest = 1 - s;
    const T scale = T(1 / shape.average_neighbors);
    V inside = rest > 0 ? S::all(scale) : V{};
    S::store(envelope + n, inside * (1 + s * s * s * (T(-10) + s * (T(15) - T(6) * s))));
    S::store(envelope_slope + n, inside * (T(-30 / shape.cutoff) * s * s * rest * rest));
    place_in_table(shape, n, d);

    Harmonics<S> polynomials(shape.norms, x, y, z, shape.highest);
    for (int l = 0, c = 0; l < shape.degrees; ++l)
      for (int m = -shape.degree[l]; m <= shape.degree[l]; ++m, ++c)
        S::store(harmonics[c] + n, polynomials.value(shape.degree[l], m));
  }
}

// Knots are equidistant in y = exp(-decay d), from y(cutoff) to y(0) = 1: every distance has its place.
template <class S>
void Tile<S>::place_in_table(const Shape& shape, int n, V distance) {
  const T last = T(std::exp(-shape.decay * shape.cutoff)), per_y = T((shape.knots - 1) / (1 - std::exp(-shape.decay * shape.cutoff)));
  V y = exponential<S>(distance * T(-shape.decay));
  V t = (y - last) * per_y;
  const T most = T(shape.knots) - T(1.5);
  t = t < 0 ? V{} : t;
  typename S::M whole = __builtin_convertvector(t < most ? t : S::all(most), typename S::M);
  *reinterpret_cast<typename S::M*>(knot + n) = whole;
  t -= __builtin_convertvector(whole, V);
  V u = 1 - t, slope = y * (per_y * T(-shape.decay));  // dt / dd
  S::store(weight[0] + n, u * u * (1 + 2 * t));        // cubic Hermite: value, slope, next value, next slope
  S::store(weight[1] + n, t * u * u);
  S::store(weight[2] + n, t * t * (3 - 2 * t));
  S::store(weight[3] + n, -t * t * u);
  S::store(slope_weight[0] + n, slope * (-6 * t * u));
  S::store(slope_weight[1] + n, slope * (u * (1 - 3 * t)));
  S::store(slope_weight[2] + n, slope * (6 * t * u));
  S::store(slope_weight[3] + n, slope * (t * (3 * t - 2)));
}

template <class S>
void Tile<S>::compare(const Shape& shape, const T* chi, const T* chi_i) {
  for (int n = 0; n < kTile; ++n) {
    const T* chi_j = n < count ? chi + int64_t(neighbor[n].atom) * shape.components : chi_i;
    for (int c = 0; c < shape.components; ++c) difference[c][n] = chi_j[c] - chi_i[c];
  }
  for (int n = 0; n < kTile; n += S::L)
    for (int l = 0, c = 0; l < shape.degrees; ++l) {
      V sum{};
      for (int m = 0; m < 2 * shape.degree[l] + 1; ++m, ++c) {
        V x = S::load(difference[c] + n);
        sum += x * x;
      }
      S::store(invariant[l] + n, sum * T(1 / std::sqrt(2 * shape.degree[l] + 1.0)));
    }
}

}  // namespace helio
