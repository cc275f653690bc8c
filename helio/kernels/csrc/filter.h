// The filters w of both attentions for the pairs of a tile, from the table and the spherical networks.
#pragma once

#include "pairs.h"
#include "product.h"

namespace helio {

template <class S>
class TileFilters {
  using T = typename S::T;
  using V = typename S::V;

 public:
  TileFilters(const Shape& shape, const Filters<T>& filters)
      : shape_(shape),
        filters_(filters),
        stride_(2 * shape.features),
        width_(2 * shape.hidden),
        value_(size_t(kTile) * stride_),
        slope_(value_.size()),
        hidden_(size_t(kTile) * width_),
        hidden_slope_(hidden_.size()) {}

  T* value(int pair) { return value_.data() + pair * stride_; }        // (2F); overwritten by the caller with w'
  const T* slope(int pair) const { return slope_.data() + pair * stride_; }  // of the radial part, dR/dd

  // The part that depends on the distance alone. In the first layer, that is all.
  template <bool WithSlope>
  void look_up(const Tile<S>& tile) {
    for (int n = 0; n < tile.count; ++n) {
      const T* row = filters_.table + int64_t(tile.knot[n]) * 2 * stride_;  // value, slope, next value, next slope
      V weight[4], slope_weight[4];
      for (int k = 0; k < 4; ++k) {
        weight[k] = S::all(tile.weight[k][n]);
        slope_weight[k] = S::all(tile.slope_weight[k][n]);
      }
      T *value = value_.data() + n * stride_, *slope = slope_.data() + n * stride_;
      for (int c = 0; c < stride_; c += S::L) {
        V sum{}, slope_sum{};
        for (int k = 0; k < 4; ++k) {
          V entry = S::load(row + k * stride_ + c);
          sum += weight[k] * entry;
          if constexpr (WithSlope) slope_sum += slope_weight[k] * entry;
        }
        S::store(value + c, sum);
        if constexpr (WithSlope) S::store(slope + c, slope_sum);
      }
    }
  }

  // Adds the spherical part, and keeps the derivative of the hidden layer if asked to.
  template <bool WithSlope>
  void add_spherical(const Tile<S>& tile) {
    for (int n = 0; n < tile.count; ++n)
      for (int c = 0; c < width_; c += S::L) {
        V x = S::load(filters_.bias + c);
        for (int l = 0; l < shape_.degrees; ++l) x += tile.invariant[l][n] * S::load(filters_.first + l * width_ + c);
        V sigmoid = reciprocal<S>(1 + exponential<S>(-x));
        V silu = x * sigmoid;
        S::store(hidden_.data() + n * width_ + c, silu);
        if constexpr (WithSlope) S::store(hidden_slope_.data() + n * width_ + c, sigmoid + silu * (1 - sigmoid));
      }
    const int hidden = shape_.hidden, features = shape_.features;
    for (int g = 0; g < 2; ++g)
      add_product<S>(tile.count, hidden, features, hidden_.data() + g * hidden, width_,
                     filters_.second + g * hidden * features, features, value_.data() + g * features, stride_);
  }

  // Gradient of the invariants, gradient[l][n], from w' in the place of w; needs what add_spherical<true> kept.
  void invariant_gradient(const Tile<S>& tile, T (*gradient)[kTile]) {
    const int hidden = shape_.hidden, features = shape_.features;
    std::fill(hidden_.begin(), hidden_.end(), T(0));
    for (int g = 0; g < 2; ++g)
      add_product<S>(tile.count, features, hidden, value_.data() + g * features, stride_,
                     filters_.second_transposed + g * hidden * features, hidden, hidden_.data() + g * hidden, width_);
    for (int l = 0; l < shape_.degrees; ++l)
      for (int n = 0; n < kTile; n += S::L) {
        V sums[S::L] = {};
        for (int lane = 0; lane < S::L && n + lane < tile.count; ++lane)
          for (int c = 0; c < width_; c += S::L) {
            const size_t at = size_t(n + lane) * width_ + c;
            sums[lane] += S::load(hidden_.data() + at) * S::load(hidden_slope_.data() + at) *
                          S::load(filters_.first + l * width_ + c);
          }
        S::store(gradient[l] + n, sums_of_rows<S>(sums));
      }
  }

 private:
  const Shape& shape_;
  const Filters<T>& filters_;
  int stride_, width_;
  std::vector<T> value_, slope_, hidden_, hidden_slope_;
};

}  // namespace helio
