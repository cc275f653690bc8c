// Attention of one layer, forward: one pass over the pairs of each atom, nothing stored per pair.
//
// a^g_h = c / n sum_(f in h) q_i w k_j,  X_i = sum_j a^1_ij v_j,  C_i = sum_j a^2_ij Y(u_ij)
#pragma once

#include "filter.h"
#include "heads.h"

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
    rows_.find(tile_, shape_.features, atoms_.row_start);
    for (int g = 0, head = 0; g < 2; ++g)
      over_heads<S>(shape_, g, head, [&](auto width, int from, int h, bool more) { score<width()>(i, g, from, h, more); });
    finish_scores(pairs);
    int head = 0;
    over_heads<S>(shape_, 0, head, [&](auto width, int from, int h, bool) { add_values<width()>(row, i, from, h); });
    add_harmonics(row, pairs);
  }

  // Lanes whose sums are q_i w k_j and q_j w k_i, of one head: what belongs to i stays in registers.
  template <int kVectors>
  void score(int64_t i, int g, int from, int head, bool more) {
    const int features = shape_.features, all_heads = shape_.all_heads();
    const T *query = atoms_.query[g] + from, *key = atoms_.key[g] + from;
    const Vectors<S, kVectors> qi(query + i * features), ki(key + i * features);
    for (int n = 0; n < tile_.count; ++n) {
      const T *w = filters_.value(n) + g * features + from, *qj = query + rows_.there[n], *kj = key + rows_.there[n];
      V* sum = sums_ + n * sums_stride();
      V forward = more ? sum[head] : V{}, backward = more ? sum[all_heads + head] : V{};
      for (int v = 0; v < kVectors; ++v) {
        const V filter = S::load(w + v * S::L);
        forward += qi[v] * filter * S::load(kj + v * S::L);
        backward += ki[v] * filter * S::load(qj + v * S::L);
      }
      sum[head] = forward;
      sum[all_heads + head] = backward;
    }
  }

  int sums_stride() const { return whole_vectors<S>(2 * shape_.all_heads()); }

  // a_ij and a_ji of both attentions.
  void finish_scores(int pairs) {
    const int all_heads = shape_.all_heads();
    for (int n = 0; n < kTile; ++n) {
      T* scores = scores_[n];
      if (n < pairs) store_sums<S>(sums_ + n * sums_stride(), 2 * all_heads, scores);
      const T envelope = n < pairs ? tile_.envelope[n] : T(0);
      for (int head = 0; head < 2 * all_heads; ++head) scores[head] = n < pairs ? scores[head] * envelope : T(0);
      for (int l = 0; l < shape_.degrees; ++l) {
        to_i_[l][n] = scores[shape_.heads + l];
        to_j_[l][n] = scores[all_heads + shape_.heads + l] * (shape_.degree[l] % 2 ? -1 : 1);
      }
    }
  }

  template <int kVectors>
  void add_values(int64_t row, int64_t i, int from, int head) {
    const T* value = atoms_.value + from;
    T* result = result_.features + from;
    add_both_ways<S, kVectors>(
        rows_, tile_.count, value, value + i * shape_.features, result, result + row * shape_.features,
        [&](int n) { return scores_[n][head]; }, [&](int n) { return scores_[n][shape_.all_heads() + head]; });
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
  PairedRows<T> rows_;
  V sums_[kTile * 2 * kMaxHeads];
  alignas(64) T scores_[kTile][2 * kMaxHeads];
  alignas(64) T to_i_[kMaxDegrees][kTile], to_j_[kMaxDegrees][kTile];  // a^2_ij, and a^2_ji with its parity
};

}  // namespace helio
