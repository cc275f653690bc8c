// Loops over the heads of an attention and the pairs of a tile: what belongs to the row's atom stays in registers.
#pragma once

#include <vector>

#include "pairs.h"

namespace helio {

// The next multiple of S::L.
template <class S>
constexpr int whole_vectors(int count) {
  return (count + S::L - 1) / S::L * S::L;
}

// A few vectors that lie side by side in memory.
template <class S, int kVectors>
struct Vectors {
  using V = typename S::V;
  V part[kVectors];

  explicit Vectors(const typename S::T* from) {
    for (int v = 0; v < kVectors; ++v) part[v] = S::load(from + v * S::L);
  }
  void store(typename S::T* to) const {
    for (int v = 0; v < kVectors; ++v) S::store(to + v * S::L, part[v]);
  }
  V& operator[](int v) { return part[v]; }
  V operator[](int v) const { return part[v]; }
};

// Calls use(vectors at once, first feature, number of the head, whether the head has come before) for all heads of
// attention g; `head` is the number of its first one, and afterwards of the first one of the next attention.
template <class S, class Use>
inline void over_heads(const Shape& shape, int g, int& head, Use&& use) {
  const int heads = g ? shape.degrees : shape.heads, width = shape.features / heads;
  const auto each = [&](auto vectors) {
    for (int h = 0; h < heads; ++h)
      for (int c = 0; c < width; c += vectors() * S::L) use(vectors, h * width + c, head + h, c > 0);
  };
  if (width == 2 * S::L) each(std::integral_constant<int, 2>());
  else if (width % (4 * S::L) == 0) each(std::integral_constant<int, 4>());
  else each(std::integral_constant<int, 1>());
  head += heads;
}

// Where the rows of the neighbours in a tile begin.
template <class T>
struct PairedRows {
  int64_t there[kTile];  // in arrays of all atoms
  int64_t own[kTile];    // in results; negative where the neighbour's own row adds up the pair itself
  std::vector<T> unused;

  template <class Tile>
  void find(const Tile& tile, int features, int64_t row_start) {
    unused.resize(features);
    for (int n = 0; n < tile.count; ++n) {
      there[n] = int64_t(tile.neighbor[n].atom) * features;
      own[n] = tile.neighbor[n].both ? there[n] - row_start * features : -1;
    }
  }

  // The neighbour's row of a result, or one that nobody reads.
  T* target(T* result, int n) { return own[n] < 0 ? unused.data() : result + own[n]; }
};

// Adds to each other's results what the row's atom and its neighbours hold: to the row with a factor forward(n), to the
// neighbour's own row with backward(n). `held_here` and `to_here` are the row's part of one head in `held` and `to`.
template <class S, int kVectors, class T, class Forward, class Backward>
inline void add_both_ways(PairedRows<T>& rows, int count, const T* held, const T* held_here, T* to, T* to_here,
                          Forward&& forward, Backward&& backward) {
  const Vectors<S, kVectors> here(held_here);
  Vectors<S, kVectors> sum(to_here);
  for (int n = 0; n < count; ++n) {
    const auto towards_here = S::all(forward(n)), towards_there = S::all(backward(n));
    const T* there = held + rows.there[n];
    T* to_there = rows.target(to, n);
    for (int v = 0; v < kVectors; ++v) {
      sum[v] += towards_here * S::load(there + v * S::L);
      S::add(to_there + v * S::L, towards_there * here[v]);
    }
  }
  sum.store(to_here);
}

}  // namespace helio
