// Attention of one layer, backward, derived by hand: each atom's gradient gathers over its own row.
//
// With x' = dL/dX, c' = dL/dC of all atoms, for each pair and both directions:
//   A^1_ij,h = sum_(f in h) x'_i v_j,  A^2_ij,l = sum_m c'_i,lm Y_lm(u_ij),  P = A c/n
//   q'_i += P_ij w k_j,  k'_i += P_ji w q_j,  v'_i += a^1_ji x'_j
//   w' = P_ij q_i k_j + P_ji q_j k_i
//   d' = sum w' R'(d) + c'(d)/n sum (A_ij a_ij + A_ji a_ji)   (a without c/n)
//   s'_l from w' through the spherical network,  chi'_i += sum_l -2 / sqrt(2l+1) s'_l (chi_j - chi_i)_l
//   Y'_lm = a^2_ij,l c'_i,lm + (-1)^l a^2_ji,l c'_j,lm,  r'_ij = d' u + (dY/dr)^T Y'
// w, w', d', s', Y' and -r' are the same seen from j.
#pragma once

#include "filter.h"

namespace helio {

template <class S>
class Backward {
  using T = typename S::T;
  using V = typename S::V;

 public:
  Backward(const Shape& shape, const Filters<T>& filters, const Atoms<T>& atoms, const T* features_gradient,
           const T* euclidean_gradient, const BackwardResult<T>& result)
      : shape_(shape),
        atoms_(atoms),
        dx_(features_gradient),
        dc_(euclidean_gradient),
        result_(result),
        filters_(shape, filters) {}

  void run(const Order& order, int chunk) {
    const int begin = order.begin(chunk), end = order.begin(chunk + 1);
    for (int place = begin; place < end; ++place) clear(order.atom[place]);
    std::fill_n(result_.cell, 9, 0.0);
    for (int place = begin; place < end; ++place) {
      const int64_t row = order.atom[place];
      find_neighbors(atoms_, order, chunk, row, T(shape_.cutoff), neighbors_);
      for (size_t n = 0; n < neighbors_.size(); n += kTile)
        add_tile(row, neighbors_.data() + n, int(std::min<size_t>(kTile, neighbors_.size() - n)));
    }
  }

 private:
  void clear(int64_t row) {
    const int features = shape_.features;
    for (int g = 0; g < 2; ++g) {
      std::fill_n(result_.query[g] + row * features, features, T(0));
      std::fill_n(result_.key[g] + row * features, features, T(0));
    }
    std::fill_n(result_.value + row * features, features, T(0));
    std::fill_n(result_.positions + row * 3, 3, T(0));
    if (result_.chi) std::fill_n(result_.chi + row * shape_.components, shape_.components, T(0));
  }

  void add_tile(int64_t row, const Neighbor<T>* neighbors, int pairs) {
    const int64_t i = atoms_.row_start + row;
    tile_.measure(shape_, neighbors, pairs);
    filters_.template look_up<true>(tile_);
    if (atoms_.chi) {
      tile_.compare(shape_, atoms_.chi, atoms_.chi + i * shape_.components);
      filters_.template add_spherical<true>(tile_);
    }
    gather_euclidean(i);
    V along[kTile] = {};
    for (int n = 0; n < pairs; ++n) {
      prefetch(n + 1);
      weigh(i, n);
      along[n] = add_filters(row, i, n);
      finish_scores(n);
      add_values(row, i, n);
    }
    for (int n = pairs; n < kTile; ++n) clear_lane(n);
    for (int n = 0; n < kTile; n += S::L)
      S::store(distance_gradient_ + n, S::load(distance_gradient_ + n) + sums_of_rows<S>(along + n));
    if (atoms_.chi) add_chi(row);
    add_positions(row, i);
  }

  // Asks for the rows of a neighbour, which lie anywhere, while the pair before it is worked on.
  void prefetch(int n) const {
    if (n >= tile_.count) return;
    const int64_t j = int64_t(tile_.neighbor[n].atom) * shape_.features;
    for (const T* row : {atoms_.query[0], atoms_.query[1], atoms_.key[0], atoms_.key[1], atoms_.value, dx_})
      prefetch_row(row + j, shape_.features);
  }

  // c'_j with the parity of Y, and A^2 in both directions.
  void gather_euclidean(int64_t i) {
    const T* ci = dc_ + i * shape_.components;
    for (int n = 0; n < kTile; ++n) {
      const T* cj = n < tile_.count ? dc_ + int64_t(tile_.neighbor[n].atom) * shape_.components : ci;
      for (int c = 0; c < shape_.components; ++c) cj_[c][n] = cj[c];
    }
    for (int l = 0, c0 = 0; l < shape_.degrees; c0 += 2 * shape_.degree[l++] + 1) {
      const T parity = shape_.degree[l] % 2 ? -1 : 1;
      for (int n = 0; n < kTile; n += S::L) {
        V forward{}, backward{};
        for (int c = c0; c < c0 + 2 * shape_.degree[l] + 1; ++c) {
          V harmonic = S::load(tile_.harmonics[c] + n), there = S::load(cj_[c] + n) * parity;
          S::store(cj_[c] + n, there);
          forward += harmonic * ci[c];
          backward += harmonic * there;
        }
        S::store(towards_i_[l] + n, forward);
        S::store(towards_j_[l] + n, backward);
      }
    }
  }

  // A of both attentions and directions, and P = A c/n.
  void weigh(int64_t i, int n) {
    const int features = shape_.features, heads = shape_.heads, width = features / heads;
    const int64_t j = tile_.neighbor[n].atom;
    const T *xi = dx_ + i * features, *xj = dx_ + j * features;
    const T *vi = atoms_.value + i * features, *vj = atoms_.value + j * features;
    V sums[2 * kMaxHeads];
    for (int head = 0; head < heads; ++head) {
      V forward{}, backward{};
      for (int c = head * width; c < (head + 1) * width; c += S::L) {
        forward += S::load(xi + c) * S::load(vj + c);
        backward += S::load(xj + c) * S::load(vi + c);
      }
      sums[head] = forward;
      sums[heads + head] = backward;
    }
    store_sums<S>(sums, 2 * heads, towards_);
    const T envelope = tile_.envelope[n];
    for (int h = 0; h < heads; ++h) {
      p_ij_[h] = towards_[h] * envelope;
      p_ji_[h] = towards_[heads + h] * envelope;
    }
    for (int l = 0; l < shape_.degrees; ++l) {
      p_ij_[heads + l] = towards_i_[l][n] * envelope;
      p_ji_[heads + l] = towards_j_[l][n] * envelope;
    }
  }

  // q', k', w' (in the place of w) and a of one pair in one pass; returns lanes whose sum is sum w' R'.
  V add_filters(int64_t row, int64_t i, int n) {
    const int features = shape_.features, all_heads = shape_.all_heads();
    const Neighbor<T>& neighbor = tile_.neighbor[n];
    const int64_t j = neighbor.atom, row_j = j - atoms_.row_start;
    T* w = filters_.value(n);
    const T* slope = filters_.slope(n);
    V along{}, sums[2 * kMaxHeads];
    for (int g = 0, head = 0; g < 2; ++g, w += features, slope += features) {
      const T *qi = atoms_.query[g] + i * features, *qj = atoms_.query[g] + j * features;
      const T *ki = atoms_.key[g] + i * features, *kj = atoms_.key[g] + j * features;
      T *dqi = result_.query[g] + row * features, *dki = result_.key[g] + row * features;
      T *dqj = result_.query[g] + row_j * features, *dkj = result_.key[g] + row_j * features;
      const int width = features / (g ? shape_.degrees : shape_.heads);
      for (int from = 0; from < features; from += width, ++head) {
        const V p_ij = S::all(p_ij_[head]), p_ji = S::all(p_ji_[head]);
        V forward{}, backward{};
        for (int c = from; c < from + width; c += S::L) {
          V filter = S::load(w + c), q = S::load(qi + c), k = S::load(ki + c);
          V other_q = S::load(qj + c), other_k = S::load(kj + c);
          V weighted_ij = p_ij * filter, weighted_ji = p_ji * filter;
          S::add(dqi + c, weighted_ij * other_k);
          S::add(dki + c, weighted_ji * other_q);
          if (neighbor.both) {
            S::add(dqj + c, weighted_ji * k);
            S::add(dkj + c, weighted_ij * q);
          }
          V product_ij = q * other_k, product_ji = k * other_q;
          forward += product_ij * filter;
          backward += product_ji * filter;
          V gradient = p_ij * product_ij + p_ji * product_ji;
          S::store(w + c, gradient);
          along += gradient * S::load(slope + c);
        }
        sums[head] = forward;
        sums[all_heads + head] = backward;
      }
    }
    store_sums<S>(sums, 2 * all_heads, scores_);
    return along;
  }

  // The part of d' that comes from the cutoff function; a with c/n.
  void finish_scores(int n) {
    const int heads = shape_.heads, all_heads = shape_.all_heads();
    const T envelope = tile_.envelope[n];
    T *a_ij = scores_, *a_ji = scores_ + all_heads;
    T cutoff_part = 0;
    for (int h = 0; h < heads; ++h) cutoff_part += towards_[h] * a_ij[h] + towards_[heads + h] * a_ji[h];
    for (int l = 0; l < shape_.degrees; ++l)
      cutoff_part += towards_i_[l][n] * a_ij[heads + l] + towards_j_[l][n] * a_ji[heads + l];
    distance_gradient_[n] = cutoff_part * tile_.envelope_slope[n];
    for (int h = 0; h < 2 * all_heads; ++h) scores_[h] *= envelope;
    for (int l = 0; l < shape_.degrees; ++l) {
      to_i_[l][n] = a_ij[heads + l];
      to_j_[l][n] = a_ji[heads + l];
    }
  }

  void add_values(int64_t row, int64_t i, int n) {
    const int features = shape_.features, width = features / shape_.heads;
    const Neighbor<T>& neighbor = tile_.neighbor[n];
    const int64_t j = neighbor.atom;
    const T *a_ij = scores_, *a_ji = scores_ + shape_.all_heads();
    T* to_i = result_.value + row * features;
    const T* xj = dx_ + j * features;
    for (int head = 0; head < shape_.heads; ++head)
      for (int c = head * width; c < (head + 1) * width; c += S::L) S::add(to_i + c, a_ji[head] * S::load(xj + c));
    if (!neighbor.both) return;
    T* to_j = result_.value + (j - atoms_.row_start) * features;
    const T* xi = dx_ + i * features;
    for (int head = 0; head < shape_.heads; ++head)
      for (int c = head * width; c < (head + 1) * width; c += S::L) S::add(to_j + c, a_ij[head] * S::load(xi + c));
  }

  void clear_lane(int n) {
    for (int l = 0; l < shape_.degrees; ++l) to_i_[l][n] = to_j_[l][n] = 0;
    distance_gradient_[n] = 0;
  }

  void add_chi(int64_t row) {
    alignas(64) T gradient[kMaxDegrees][kTile];
    filters_.invariant_gradient(tile_, gradient);
    V sums[kRoomForComponents] = {};
    for (int l = 0, c = 0; l < shape_.degrees; ++l) {
      const T factor = T(-2 / std::sqrt(2 * shape_.degree[l] + 1.0));
      for (int m = 0; m < 2 * shape_.degree[l] + 1; ++m, ++c) {
        for (int n = 0; n < kTile; n += S::L) {
          V part = factor * S::load(gradient[l] + n) * S::load(tile_.difference[c] + n);
          S::store(tile_.difference[c] + n, part);
          sums[c] += part;
        }
      }
    }
    add_sums<S>(sums, shape_.components, result_.chi + row * shape_.components);
    for (int n = 0; n < tile_.count; ++n) {
      if (!tile_.neighbor[n].both) continue;
      T* to_j = result_.chi + (tile_.neighbor[n].atom - atoms_.row_start) * shape_.components;
      for (int c = 0; c < shape_.components; ++c) to_j[c] -= tile_.difference[c][n];
    }
  }

  // r'_ij: to the positions of both atoms and to the cell.
  void add_positions(int64_t row, int64_t i) {
    const T* ci = dc_ + i * shape_.components;
    alignas(64) T force[3][kTile];
    for (int n = 0; n < kTile; n += S::L) {
      V u[3] = {S::load(tile_.unit[0] + n), S::load(tile_.unit[1] + n), S::load(tile_.unit[2] + n)};
      Harmonics<S> polynomials(shape_.norms, u[0], u[1], u[2], shape_.highest);
      V g[3] = {};
      for (int l = 0, c = 0; l < shape_.degrees; ++l) {
        V to_i = S::load(to_i_[l] + n), to_j = S::load(to_j_[l] + n);
        for (int m = -shape_.degree[l]; m <= shape_.degree[l]; ++m, ++c)
          polynomials.add_gradient(shape_.degree[l], m, to_i * ci[c] + to_j * S::load(cj_[c] + n), g[0], g[1], g[2]);
      }
      V radial = u[0] * g[0] + u[1] * g[1] + u[2] * g[2];
      V inverse = S::load(tile_.inverse + n), along = S::load(distance_gradient_ + n);
      for (int axis = 0; axis < 3; ++axis)
        S::store(force[axis] + n, along * u[axis] + inverse * (g[axis] - radial * u[axis]));
    }
    for (int n = 0; n < tile_.count; ++n) {
      const Neighbor<T>& neighbor = tile_.neighbor[n];
      for (int axis = 0; axis < 3; ++axis) {
        result_.positions[3 * row + axis] -= force[axis][n];
        if (neighbor.both) result_.positions[3 * (neighbor.atom - atoms_.row_start) + axis] += force[axis][n];
      }
      if (!atoms_.shift) continue;
      for (int a = 0; a < 3; ++a) {
        const double turns = neighbor.shift[a] * (neighbor.both ? 1.0 : 0.5);  // the other half is in the other row
        for (int axis = 0; axis < 3; ++axis) result_.cell[3 * a + axis] += turns * double(force[axis][n]);
      }
    }
  }

  const Shape& shape_;
  const Atoms<T>& atoms_;
  const T *dx_, *dc_;  // x', c' of all atoms
  const BackwardResult<T>& result_;
  TileFilters<S> filters_;
  Tile<S> tile_;
  std::vector<Neighbor<T>> neighbors_;
  alignas(64) T cj_[kMaxComponents][kTile];
  alignas(64) T towards_i_[kMaxDegrees][kTile], towards_j_[kMaxDegrees][kTile];  // A^2
  alignas(64) T to_i_[kMaxDegrees][kTile], to_j_[kMaxDegrees][kTile];            // a^2
  alignas(64) T distance_gradient_[kTile];
  alignas(64) T towards_[2 * kMaxHeads], scores_[2 * kMaxHeads];  // A^1; a of both attentions
  T p_ij_[kMaxHeads], p_ji_[kMaxHeads];
};

}  // namespace helio
