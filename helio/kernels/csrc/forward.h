// Attention of one layer, forward: one pass over the pairs of each atom, nothing stored per pair.
//
// a^g_h = c / n sum_(f in h) q_i w k_j,  X_i = sum_j a^1_ij v_j,  C_i = sum_j a^2_ij Y(u_ij)
#pragma once

#include "filter.h"

namespace helio {

template <class S>
class Forward {
  using T = typename S::T;
  using V = typename S::V;

 public:
  Forward(const Shape& shape, const Filters<T>& filters, const Atoms<T>& atoms, const ForwardResult<T>& result)
      : shape_(shape), atoms_(atoms), result_(result), filters_(shape, filters) {}

  // All rows of a chunk. No other chunk writes to them.
  void run(const Order& order, int chunk) {
    const int begin = order.begin(chunk), end = order.begin(chunk + 1);
    for (int place = begin; place < end; ++place) {
      const int64_t row = order.atom[place];
      std::fill_n(result_.features + row * shape_.features, shape_.features, T(0));
      std::fill_n(result_.euclidean + row * shape_.components, shape_.components, T(0));
    }
    for (int place = begin; place < end; ++place) {
      const int64_t row = order.atom[place];
      find_neighbors(atoms_, order, chunk, row, T(shape_.cutoff), neighbors_);
      for (size_t n = 0; n < neighbors_.size(); n += kTile)
        add_tile(row, neighbors_.data() + n, int(std::min<size_t>(kTile, neighbors_.size() - n)));
    }
  }

 private:
  void add_tile(int64_t row, const Neighbor<T>* neighbors, int pairs) {
    const int64_t i = atoms_.row_start + row;
    tile_.measure(shape_, neighbors, pairs);
    filters_.template look_up<false>(tile_);
    if (atoms_.chi) {
      tile_.compare(shape_, atoms_.chi, atoms_.chi + i * shape_.components);
      filters_.template add_spherical<false>(tile_);
    }
    for (int n = 0; n < kTile; ++n) {
      if (n < pairs) {
        prefetch(n + 1);
        score(i, n);
        add_values(row, i, n);
      } else {
        for (int l = 0; l < shape_.degrees; ++l) to_i_[l][n] = to_j_[l][n] = 0;
      }
    }
    add_harmonics(row, pairs);
  }

  // Asks for the rows of a neighbour, which lie anywhere, while the pair before it is worked on.
  void prefetch(int n) const {
    if (n >= tile_.count) return;
    const int64_t j = int64_t(tile_.neighbor[n].atom) * shape_.features;
    for (const T* row : {atoms_.query[0], atoms_.query[1], atoms_.key[0], atoms_.key[1], atoms_.value})
      prefetch_row(row + j, shape_.features);
  }

  // a_ij and a_ji of both attentions.
  void score(int64_t i, int n) {
    const int features = shape_.features, all_heads = shape_.all_heads();
    const int64_t j = tile_.neighbor[n].atom;
    const T* w = filters_.value(n);
    V sums[2 * kMaxHeads];
    for (int g = 0, head = 0; g < 2; ++g, w += features) {
      const T *qi = atoms_.query[g] + i * features, *qj = atoms_.query[g] + j * features;
      const T *ki = atoms_.key[g] + i * features, *kj = atoms_.key[g] + j * features;
      const int width = features / (g ? shape_.degrees : shape_.heads);
      for (int from = 0; from < features; from += width, ++head) {
        V forward{}, backward{};
        for (int c = from; c < from + width; c += S::L) {
          V filter = S::load(w + c);
          forward += S::load(qi + c) * filter * S::load(kj + c);
          backward += S::load(qj + c) * filter * S::load(ki + c);
        }
        sums[head] = forward;
        sums[all_heads + head] = backward;
      }
    }
    store_sums<S>(sums, 2 * all_heads, scores_);
    for (int head = 0; head < 2 * all_heads; ++head) scores_[head] *= tile_.envelope[n];
    for (int l = 0; l < shape_.degrees; ++l) {
      to_i_[l][n] = scores_[shape_.heads + l];
      to_j_[l][n] = scores_[all_heads + shape_.heads + l] * (shape_.degree[l] % 2 ? -1 : 1);
    }
  }

  void add_values(int64_t row, int64_t i, int n) {
    const int features = shape_.features, width = features / shape_.heads;
    const Neighbor<T>& neighbor = tile_.neighbor[n];
    const int64_t j = neighbor.atom;
    const T *vi = atoms_.value + i * features, *vj = atoms_.value + j * features;
    T* xi = result_.features + row * features;
    for (int head = 0; head < shape_.heads; ++head)
      for (int c = head * width; c < (head + 1) * width; c += S::L) S::add(xi + c, scores_[head] * S::load(vj + c));
    if (!neighbor.both) return;
    T* xj = result_.features + (j - atoms_.row_start) * features;
    const T* backward = scores_ + shape_.all_heads();
    for (int head = 0; head < shape_.heads; ++head)
      for (int c = head * width; c < (head + 1) * width; c += S::L) S::add(xj + c, backward[head] * S::load(vi + c));
  }

  void add_harmonics(int64_t row, int pairs) {
    T* ci = result_.euclidean + row * shape_.components;
    V sums[kRoomForComponents] = {};
    for (int l = 0, c = 0; l < shape_.degrees; ++l)
      for (int m = 0; m < 2 * shape_.degree[l] + 1; ++m, ++c)
        for (int n = 0; n < kTile; n += S::L) {
          V harmonic = S::load(tile_.harmonics[c] + n);
          sums[c] += S::load(to_i_[l] + n) * harmonic;
          S::store(tile_.harmonics[c] + n, S::load(to_j_[l] + n) * harmonic);
        }
    add_sums<S>(sums, shape_.components, ci);
    for (int n = 0; n < pairs; ++n) {
      if (!tile_.neighbor[n].both) continue;
      T* cj = result_.euclidean + (tile_.neighbor[n].atom - atoms_.row_start) * shape_.components;
      for (int c = 0; c < shape_.components; ++c) cj[c] += tile_.harmonics[c][n];
    }
  }

  const Shape& shape_;
  const Atoms<T>& atoms_;
  const ForwardResult<T>& result_;
  TileFilters<S> filters_;
  Tile<S> tile_;
  std::vector<Neighbor<T>> neighbors_;
  alignas(64) T scores_[2 * kMaxHeads];
  alignas(64) T to_i_[kMaxDegrees][kTile], to_j_[kMaxDegrees][kTile];  // a^2_ij, and a^2_ji with its parity
};

}  // namespace helio
