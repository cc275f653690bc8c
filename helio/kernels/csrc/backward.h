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
#include "heads.h"

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
    rows_.find(tile_, shape_.features, atoms_.row_start);
    int head = 0;
    over_heads<S>(shape_, 0, head, [&](auto width, int from, int h, bool more) { weigh<width()>(i, from, h, more); });
    finish_weights();
    std::fill_n(along_, kTile, V{});
    head = 0;
    for (int g = 0; g < 2; ++g)
      over_heads<S>(shape_, g, head,
                    [&](auto width, int from, int h, bool more) { add_filters<width()>(row, i, g, from, h, more); });
    for (int n = 0; n < pairs; ++n) finish_scores(n);
    for (int n = pairs; n < kTile; ++n) clear_lane(n);
    head = 0;
    over_heads<S>(shape_, 0, head, [&](auto width, int from, int h, bool) { add_values<width()>(row, i, from, h); });
    for (int n = 0; n < kTile; n += S::L)
      S::store(distance_gradient_ + n, S::load(distance_gradient_ + n) + sums_of_rows<S>(along_ + n));
    if (atoms_.chi) add_chi(row);
    add_positions(row, i);
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

  int sums_stride() const { return whole_vectors<S>(2 * shape_.all_heads()); }

  // Lanes whose sums are A^1 of both directions, of one head.
  template <int kVectors>
  void weigh(int64_t i, int from, int head, bool more) {
    const int features = shape_.features, heads = shape_.heads;
    const T *gradient = dx_ + from, *value = atoms_.value + from;
    const Vectors<S, kVectors> xi(gradient + i * features), vi(value + i * features);
    for (int n = 0; n < tile_.count; ++n) {
      const T *xj = gradient + rows_.there[n], *vj = value + rows_.there[n];
      V* sum = sums_ + n * sums_stride();
      V forward = more ? sum[head] : V{}, backward = more ? sum[heads + head] : V{};
      for (int v = 0; v < kVectors; ++v) {
        forward += xi[v] * S::load(vj + v * S::L);
        backward += vi[v] * S::load(xj + v * S::L);
      }
      sum[head] = forward;
      sum[heads + head] = backward;
    }
  }

  // P = A c/n of both attentions and directions.
  void finish_weights() {
    const int heads = shape_.heads;
    for (int n = 0; n < tile_.count; ++n) {
      store_sums<S>(sums_ + n * sums_stride(), 2 * heads, towards_[n]);
      const T envelope = tile_.envelope[n];
      for (int h = 0; h < heads; ++h) {
        p_ij_[h][n] = towards_[n][h] * envelope;
        p_ji_[h][n] = towards_[n][heads + h] * envelope;
      }
      for (int l = 0; l < shape_.degrees; ++l) {
        p_ij_[heads + l][n] = towards_i_[l][n] * envelope;
        p_ji_[heads + l][n] = towards_j_[l][n] * envelope;
      }
    }
  }

  // q', k', w' (in the place of w), and lanes whose sums are a and sum w' R', of one head.
  template <int kVectors>
  void add_filters(int64_t row, int64_t i, int g, int from, int head, bool more) {
    const int features = shape_.features, all_heads = shape_.all_heads();
    const T *query = atoms_.query[g] + from, *key = atoms_.key[g] + from;
    T *to_query = result_.query[g] + from, *to_key = result_.key[g] + from;
    const Vectors<S, kVectors> qi(query + i * features), ki(key + i * features);
    Vectors<S, kVectors> dqi(to_query + row * features), dki(to_key + row * features);
    for (int n = 0; n < tile_.count; ++n) {
      const V p_ij = S::all(p_ij_[head][n]), p_ji = S::all(p_ji_[head][n]);
      T* w = filters_.value(n) + g * features + from;
      const T* slope = filters_.slope(n) + g * features + from;
      const T *qj = query + rows_.there[n], *kj = key + rows_.there[n];
      T *dqj = rows_.target(to_query, n), *dkj = rows_.target(to_key, n);
      V* sum = sums_ + n * sums_stride();
      V forward = more ? sum[head] : V{}, backward = more ? sum[all_heads + head] : V{}, along = along_[n];
      for (int v = 0; v < kVectors; ++v) {
        const int c = v * S::L;
        const V filter = S::load(w + c), other_q = S::load(qj + c), other_k = S::load(kj + c);
        const V weighted_ij = p_ij * filter, weighted_ji = p_ji * filter;
        dqi[v] += weighted_ij * other_k;
        dki[v] += weighted_ji * other_q;
        S::add(dqj + c, weighted_ji * ki[v]);
        S::add(dkj + c, weighted_ij * qi[v]);
        const V product_ij = qi[v] * other_k, product_ji = ki[v] * other_q;
        forward += product_ij * filter;
        backward += product_ji * filter;
        const V gradient = p_ij * product_ij + p_ji * product_ji;
        S::store(w + c, gradient);
        along += gradient * S::load(slope + c);
      }
      sum[head] = forward;
      sum[all_heads + head] = backward;
      along_[n] = along;
    }
    dqi.store(to_query + row * features);
    dki.store(to_key + row * features);
  }

  // The part of d' that comes from the cutoff function; a with c/n.
  void finish_scores(int n) {
    const int heads = shape_.heads, all_heads = shape_.all_heads();
    const T envelope = tile_.envelope[n], *towards = towards_[n];
    T *a_ij = scores_[n], *a_ji = a_ij + all_heads;
    store_sums<S>(sums_ + n * sums_stride(), 2 * all_heads, a_ij);
    T cutoff_part = 0;
    for (int h = 0; h < heads; ++h) cutoff_part += towards[h] * a_ij[h] + towards[heads + h] * a_ji[h];
    for (int l = 0; l < shape_.degrees; ++l)
      cutoff_part += towards_i_[l][n] * a_ij[heads + l] + towards_j_[l][n] * a_ji[heads + l];
    distance_gradient_[n] = cutoff_part * tile_.envelope_slope[n];
    for (int h = 0; h < 2 * all_heads; ++h) a_ij[h] *= envelope;
    for (int l = 0; l < shape_.degrees; ++l) {
      to_i_[l][n] = a_ij[heads + l];
      to_j_[l][n] = a_ji[heads + l];
    }
  }

  // As in the forward pass, with the directions changed.
  template <int kVectors>
  void add_values(int64_t row, int64_t i, int from, int head) {
    const T* gradient = dx_ + from;
    T* to_value = result_.value + from;
    add_both_ways<S, kVectors>(
        rows_, tile_.count, gradient, gradient + i * shape_.features, to_value, to_value + row * shape_.features,
        [&](int n) { return scores_[n][shape_.all_heads() + head]; }, [&](int n) { return scores_[n][head]; });
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
  PairedRows<T> rows_;
  V sums_[kTile * 2 * kMaxHeads], along_[kTile];
  alignas(64) T towards_[kTile][2 * kMaxHeads], scores_[kTile][2 * kMaxHeads];  // A^1; a of both attentions
  T p_ij_[kMaxHeads][kTile], p_ji_[kMaxHeads][kTile];
};

}  // namespace helio
