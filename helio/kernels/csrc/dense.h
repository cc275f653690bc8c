// Steps of networks on single atoms, for a few rows at a time that stay in the cache.
#pragma once

#include <algorithm>
#include <vector>

#include "product.h"

namespace helio {

// silu(x) = x / (1 + exp(-x)).
template <class S>
inline typename S::V silu(typename S::V x) {
  return x * reciprocal<S>(1 + exponential<S>(-x));
}

template <class S>
inline typename S::V silu_slope(typename S::V x) {
  const typename S::V sigmoid = reciprocal<S>(1 + exponential<S>(-x));
  return sigmoid * (1 + x * (1 - sigmoid));
}

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias over the features of each row, and its derivative.
template <class S>
class RowNorm {
 public:
  using T = typename S::T;
  using V = typename S::V;

  RowNorm(const T* scale, const T* bias, int features, double epsilon)
      : scale_(scale), bias_(bias), features_(features), epsilon_(T(epsilon)) {}

  // S::L rows at a time; there is memory for rows up to a multiple of that.
  void forward(int rows, const T* x, int stride, T* y) const {
    for (int first = 0; first < rows; first += S::L) {
      V mean, inverse;
      moments(x + first * stride, stride, mean, inverse);
      for (int r = 0; r < S::L; ++r)
        for (int f = 0; f < features_; f += S::L) {
          const V centred = S::load(x + (first + r) * stride + f) - mean[r];
          S::store(y + (first + r) * stride + f, centred * inverse[r] * S::load(scale_ + f) + S::load(bias_ + f));
        }
    }
  }

  // dx from dy: inverse * (g - mean(g) - n mean(g n)) with g = scale dy and n the normalised row. dx may be dy.
  void backward(int rows, const T* x, const T* dy, int stride, T* dx) const {
    for (int first = 0; first < rows; first += S::L) {
      V mean, inverse, sum[S::L], along[S::L];
      moments(x + first * stride, stride, mean, inverse);
      for (int r = 0; r < S::L; ++r) {
        sum[r] = along[r] = V{};
        for (int f = 0; f < features_; f += S::L) {
          const V g = S::load(dy + (first + r) * stride + f) * S::load(scale_ + f);
          sum[r] += g;
          along[r] += g * (S::load(x + (first + r) * stride + f) - mean[r]);
        }
      }
      const V mean_g = sums_of_rows<S>(sum) * (T(1) / features_);
      const V mean_gn = sums_of_rows<S>(along) * inverse * (T(1) / features_);
      for (int r = 0; r < S::L; ++r)
        for (int f = 0; f < features_; f += S::L) {
          const int at = (first + r) * stride + f;
          const V g = S::load(dy + at) * S::load(scale_ + f), n = (S::load(x + at) - mean[r]) * inverse[r];
          S::store(dx + at, inverse[r] * (g - mean_g[r] - n * mean_gn[r]));
        }
    }
  }

 private:
  void moments(const T* x, int stride, V& mean, V& inverse) const {
    V sum[S::L];
    for (int r = 0; r < S::L; ++r) {
      sum[r] = V{};
      for (int f = 0; f < features_; f += S::L) sum[r] += S::load(x + r * stride + f);
    }
    mean = sums_of_rows<S>(sum) * (T(1) / features_);
    for (int r = 0; r < S::L; ++r) {
      sum[r] = V{};
      for (int f = 0; f < features_; f += S::L) {
        const V centred = S::load(x + r * stride + f) - mean[r];
        sum[r] += centred * centred;
      }
    }
    inverse = inverse_root<S>(sums_of_rows<S>(sum) * (T(1) / features_) + epsilon_);
  }

  const T *scale_, *bias_;
  int features_;
  T epsilon_;
};

// The matrix with its columns padded by zeros to a multiple of S::L, or transposed and padded.
template <class S>
struct Matrix {
  using T = typename S::T;
  int depth, columns, stride;
  std::vector<T> numbers;

  Matrix(const T* from, int rows, int width, bool transposed = false)
      : depth(transposed ? width : rows), columns(transposed ? rows : width) {
    stride = (columns + S::L - 1) / S::L * S::L;
    numbers.resize(size_t(depth) * stride);
    constexpr int tile = 16;  // of a transpose: both sides stay in the cache
    for (int r0 = 0; r0 < rows; r0 += tile)
      for (int c0 = 0; c0 < width; c0 += tile)
        for (int r = r0; r < std::min(rows, r0 + tile); ++r)
          for (int c = c0; c < std::min(width, c0 + tile); ++c)
            numbers[transposed ? c * stride + r : r * stride + c] = from[r * width + c];
  }

  // out += left @ this, or with kFresh out = left @ this; padding of the columns included.
  template <bool kFresh = false>
  void add_to(int rows, const T* left, int left_stride, T* out, int out_stride) const {
    add_product<S, kFresh>(rows, depth, stride, left, left_stride, numbers.data(), stride, out, out_stride);
  }
};

template <class T>
inline void fill_rows(int rows, const T* values, int width, T* out, int stride) {
  for (int r = 0; r < rows; ++r) std::copy(values, values + width, out + r * stride);
}

}  // namespace helio
