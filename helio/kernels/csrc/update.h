// What a layer does to single atoms after its attention; the plain version is `helio.network.layer`.
//
// a = x + dx, c = chi + dchi, y = norm(a), h = W1 silu(y) + b1, z = y + W2 silu(h) + b2, m = We [z, inv(c)] + be,
// p = z + m_features, x' = norm(p), chi'_l = c_l (1 + m_l).
#pragma once

#include <cmath>
#include <cstdint>

#include "dense.h"

namespace helio {

constexpr int kMaxUpdateDegrees = 16;

// Sizes of a layer and its numbers: of the matrices (in, out).
template <class T>
struct UpdateWeights {
  int features, degrees, components, degree[kMaxUpdateDegrees];
  const T *first_scale, *first_bias, *residual1, *bias1, *residual2, *bias2, *exchange, *exchange_bias, *last_scale,
      *last_bias;
  double epsilon;

  int saved() const { return 2 * features + degrees; }
};

// Arrays over atoms; chi null where it is zero.
template <class T>
struct UpdateAtoms {
  const T *x, *dx, *chi, *dchi;
};

template <class S>
class Update {
 public:
  using T = typename S::T;
  using V = typename S::V;
  static constexpr int kRows = 32;

  Update(const UpdateWeights<T>& w, bool backward)
      : w_(w),
        first_(w.first_scale, w.first_bias, w.features, w.epsilon),
        last_(w.last_scale, w.last_bias, w.features, w.epsilon),
        residual1_(w.residual1, w.features, w.features, backward),
        residual2_(w.residual2, w.features, w.features, backward),
        exchange_(w.exchange, w.features + w.degrees, w.features + w.degrees, backward),
        stride_(exchange_.stride) {}

  // Memory of one thread: `count` arrays of kRows rows.
  struct Scratch {
    explicit Scratch(const Update& update, int count = 4) : numbers(size_t(count) * kRows * update.stride_), size(kRows * update.stride_) {}
    T* operator[](int n) { return numbers.data() + n * size; }
    std::vector<T> numbers;
    size_t size;
  };

  // Rows first ... first + rows - 1, at most kRows; `saved` keeps h, p and m_l of each for the derivative.
  void forward(int64_t first, int rows, const UpdateAtoms<T>& atoms, T* x, T* chi, T* saved, Scratch& scratch) const {
    const int F = w_.features, width = w_.saved();
    T *y = scratch[0], *z = scratch[1], *s = scratch[2], *m = scratch[3];
    add_attention(first, rows, atoms, y);
    first_.forward(rows, y, stride_, y);
    each(rows, [&](int at) { S::store(s + at, silu<S>(S::load(y + at))); });
    fill_rows(rows, w_.bias1, F, m, stride_);
    residual1_.add_to(rows, s, stride_, m, stride_);
    keep(first, rows, m, saved, width);
    each(rows, [&](int at) { S::store(s + at, silu<S>(S::load(m + at))); });
    fill_rows(rows, w_.bias2, F, z, stride_);
    residual2_.add_to(rows, s, stride_, z, stride_);
    each(rows, [&](int at) { S::add(z + at, S::load(y + at)); });

    for (int r = 0; r < rows; ++r) {
      invariants(chi_row(first + r, atoms, chi + (first + r) * w_.components), z + r * stride_ + F);
      std::fill(m + r * stride_ + F, m + (r + 1) * stride_, T(0));
    }
    fill_rows(rows, w_.exchange_bias, F + w_.degrees, m, stride_);
    exchange_.add_to(rows, z, stride_, m, stride_);
    for (int r = 0; r < rows; ++r) {
      const T* scale = m + r * stride_ + F;
      std::copy(scale, scale + w_.degrees, saved + (first + r) * width + 2 * F);
      scale_degrees(scale, chi + (first + r) * w_.components);
    }
    each(rows, [&](int at) { S::add(z + at, S::load(m + at)); });
    keep(first, rows, z, saved + F, width);
    clear(rows, z);
    last_.forward(rows, z, stride_, z);
    keep(first, rows, z, x, F);
  }

  // dL/da and dL/dc from those of x' and chi'; this object was made with the matrices transposed.
  void backward(int64_t first, int rows, const UpdateAtoms<T>& atoms, const T* saved, const T* x_gradient,
                const T* chi_gradient, T* a_gradient, T* c_gradient, Scratch& scratch) const {
    const int F = w_.features, width = w_.saved(), M = w_.components;
    T *g = scratch[0], *u = scratch[1], *s = scratch[2], *y = scratch[3];
    take(first, rows, saved + F, width, s);
    take(first, rows, x_gradient, F, g);
    last_.backward(rows, s, g, stride_, g);
    std::vector<T> c(M);
    for (int r = 0; r < rows; ++r)
      to_scales(chi_row(first + r, atoms, c.data()), chi_gradient + (first + r) * M, g + r * stride_ + F);
    exchange_.template add_to<true>(rows, g, stride_, u, stride_);
    for (int r = 0; r < rows; ++r)
      to_euclidean(chi_row(first + r, atoms, c.data()), chi_gradient + (first + r) * M,
                   saved + (first + r) * width + 2 * F, u + r * stride_ + F, c_gradient + (first + r) * M);
    each(rows, [&](int at) { S::add(g + at, S::load(u + at)); });  // dL/dz

    take(first, rows, saved, width, s);
    residual2_.template add_to<true>(rows, g, stride_, u, stride_);
    each(rows, [&](int at) { S::store(u + at, S::load(u + at) * silu_slope<S>(S::load(s + at))); });
    residual1_.template add_to<true>(rows, u, stride_, s, stride_);
    add_attention(first, rows, atoms, u);
    first_.forward(rows, u, stride_, y);
    each(rows, [&](int at) { S::add(g + at, S::load(s + at) * silu_slope<S>(S::load(y + at))); });
    clear(rows, g);
    first_.backward(rows, u, g, stride_, g);
    keep(first, rows, g, a_gradient, F);
  }

 private:
  template <class Use>
  void each(int rows, Use&& use) const {
    for (int r = 0; r < rows; ++r)
      for (int f = 0; f < w_.features; f += S::L) use(r * stride_ + f);
  }

  // Rows between the last one and the next multiple of S::L hold numbers, too.
  void clear(int rows, T* out) const {
    for (int r = rows; r % S::L; ++r) std::fill(out + r * stride_, out + (r + 1) * stride_, T(0));
  }

  void add_attention(int64_t first, int rows, const UpdateAtoms<T>& atoms, T* out) const {
    const int F = w_.features;
    for (int r = 0; r < rows; ++r)
      for (int f = 0; f < F; f += S::L)
        S::store(out + r * stride_ + f, S::load(atoms.x + (first + r) * F + f) + S::load(atoms.dx + (first + r) * F + f));
    clear(rows, out);
  }

  void keep(int64_t first, int rows, const T* from, T* to, int width) const {
    for (int r = 0; r < rows; ++r) std::copy(from + r * stride_, from + r * stride_ + w_.features, to + (first + r) * width);
  }

  void take(int64_t first, int rows, const T* from, int width, T* to) const {
    for (int r = 0; r < rows; ++r)
      std::copy(from + (first + r) * width, from + (first + r) * width + w_.features, to + r * stride_);
    clear(rows, to);
  }

  // c = chi + dchi of one atom.
  const T* chi_row(int64_t atom, const UpdateAtoms<T>& atoms, T* c) const {
    const int64_t at = atom * w_.components;
    for (int m = 0; m < w_.components; ++m) c[m] = atoms.dchi[at + m] + (atoms.chi ? atoms.chi[at + m] : T(0));
    return c;
  }

  // Calls use(degree's number, first component, their count).
  template <class Use>
  void over_degrees(Use&& use) const {
    for (int l = 0, at = 0; l < w_.degrees; at += 2 * w_.degree[l] + 1, ++l) use(l, at, 2 * w_.degree[l] + 1);
  }

  void invariants(const T* c, T* out) const {
    std::fill(out, out + stride_ - w_.features, T(0));
    over_degrees([&](int l, int at, int count) {
      for (int m = at; m < at + count; ++m) out[l] += c[m] * c[m];
      out[l] /= std::sqrt(T(count));
    });
  }

  void scale_degrees(const T* scale, T* c) const {
    over_degrees([&](int l, int at, int count) {
      for (int m = at; m < at + count; ++m) c[m] += scale[l] * c[m];
    });
  }

  void to_scales(const T* c, const T* gradient, T* out) const {
    over_degrees([&](int l, int at, int count) {
      out[l] = 0;
      for (int m = at; m < at + count; ++m) out[l] += gradient[m] * c[m];
    });
  }

  void to_euclidean(const T* c, const T* gradient, const T* scale, const T* invariant, T* out) const {
    over_degrees([&](int l, int at, int count) {
      const T factor = 2 * invariant[l] / std::sqrt(T(count));
      for (int m = at; m < at + count; ++m) out[m] = gradient[m] * (1 + scale[l]) + factor * c[m];
    });
  }

  const UpdateWeights<T> w_;
  const RowNorm<S> first_, last_;
  const Matrix<S> residual1_, residual2_, exchange_;
  const int stride_;
};

}  // namespace helio
