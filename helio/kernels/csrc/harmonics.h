// Real spherical harmonics up to degree 4 and their gradients, for L unit vectors at once.
//
// Y_lm = norm * P_l^(|m|)(z) * {cos, sin}-like polynomial of degree |m| in x and y, the same polynomials of a unit vector
// as in helio/network/harmonics.py. d/dz of the m-th derivative of the Legendre polynomial is its (m+1)-th derivative.
#pragma once

#include <cmath>

namespace helio {

constexpr int kMaxDegree = 4;
constexpr int kMaxDegrees = 4;
constexpr int kMaxComponents = 24, kRoomForComponents = 32;  // a multiple of all widths of vectors

// Normalisation of component m of degree l, with the factor sqrt(2) of m != 0.
struct HarmonicNorms {
  double value[kMaxDegree + 1][kMaxDegree + 1];

  HarmonicNorms() {
    double factorial[2 * kMaxDegree + 1] = {1};
    for (int n = 1; n <= 2 * kMaxDegree; ++n) factorial[n] = n * factorial[n - 1];
    for (int l = 0; l <= kMaxDegree; ++l)
      for (int m = 0; m <= l; ++m)
        value[l][m] = std::sqrt((2 * l + 1) / (4 * M_PI) * factorial[l - m] / factorial[l + m] * (m ? 2 : 1));
  }
};

template <class S>
class Harmonics {
  using T = typename S::T;
  using V = typename S::V;

 public:
  Harmonics(const HarmonicNorms& norms, V x, V y, V z, int highest) : norms_(norms) {
    cosine_[0] = S::all(1);
    sine_[0] = V{};
    for (int m = 1; m <= highest; ++m) {
      cosine_[m] = x * cosine_[m - 1] - y * sine_[m - 1];
      sine_[m] = x * sine_[m - 1] + y * cosine_[m - 1];
    }
    T product = 1;
    for (int m = 0; m <= highest; ++m) {
      if (m) product *= T(2 * m - 1);
      legendre_[m][m] = S::all(product);
      legendre_[m][m + 1] = V{};
      if (m < highest) legendre_[m + 1][m] = z * T(2 * m + 1) * legendre_[m][m];
      for (int l = m + 2; l <= highest; ++l)
        legendre_[l][m] = (z * T(2 * l - 1) * legendre_[l - 1][m] - T(l + m - 1) * legendre_[l - 2][m]) * (T(1) / T(l - m));
    }
  }

  V value(int l, int m) const {
    int order = m < 0 ? -m : m;
    return T(norms_.value[l][order]) * legendre_[l][order] * (m < 0 ? sine_ : cosine_)[order];
  }

  // Adds weight * dY_lm / d(x, y, z), of Y as a polynomial in three independent variables.
  void add_gradient(int l, int m, V weight, V& gx, V& gy, V& gz) const {
    int order = m < 0 ? -m : m;
    weight *= T(norms_.value[l][order]);
    gz += weight * legendre_[l][order + 1] * (m < 0 ? sine_ : cosine_)[order];
    if (order == 0) return;
    V along = weight * legendre_[l][order] * T(order);
    gx += along * (m < 0 ? sine_ : cosine_)[order - 1];
    if (m < 0)
      gy += along * cosine_[order - 1];
    else
      gy -= along * sine_[order - 1];
  }

 private:
  const HarmonicNorms& norms_;
  V cosine_[kMaxDegree + 1], sine_[kMaxDegree + 1];
  V legendre_[kMaxDegree + 1][kMaxDegree + 2];  // legendre_[l][m]: m-th derivative of P_l; zero for m = l + 1
};

}  // namespace helio
