// The long-range energies of vectors of pairs and their derivatives: what they compute stands in `helio.physics`
// (coulomb, dispersion, switching), here in forms that need few and cheap operations.
#pragma once

#include <cmath>
#include <numbers>

#include "vector.h"

namespace helio {

// Constants of both terms; lengths in A, energies in eV. A term is left out where `coulomb` or `hartree` is zero.
struct PairTerms {
  double cutoff;                     // zero: none
  double coulomb, sigma, onset;      // k_e in eV A; smearing; where the force shift sets in, over the cutoff
  double hartree, bohr;              // units
  double damping;                    // p in bohr = damping * alpha^(1/7)
  double length[4];                  // oscillator length in bohr: a polynomial in alpha^(1/7)
  double switch_width;               // of dispersion
};

// f(s) = 1 / (1 + exp(1/(1-s) - 1/s)) and df/ds: a step from 1 at s = 0 to 0 at s = 1.
template <class S>
struct Step {
  using T = typename S::T;
  using V = typename S::V;

  V value, rest, slope;  // f, 1 - f, f'

  explicit Step(V s) {
    // Beyond these margins f is 0 or 1 to the last digit. Smaller ones would make denormal numbers, which are slow.
    constexpr T margin = sizeof(T) == 4 ? T(1.0 / 40) : T(1.0 / 200);
    s = s < margin ? S::all(margin) : s;
    s = s > 1 - margin ? S::all(1 - margin) : s;
    const V product = s - s * s, inverse = reciprocal<S>(product);  // of s (1 - s)
    const V e = exponential_in_range<S>((2 * s - 1) * inverse);
    value = reciprocal<S>(1 + e);
    rest = e * value;
    slope = (2 * product - 1) * (inverse * inverse) * (rest * value);
  }
};

// exp(x^2) erfc(x) for x >= 0, as a polynomial in (1 - c x) / (1 + c x): least squares weighted towards the smallest
// error of erfc(x), which is 8e-10 (float) and 2e-15 (double).
template <class S>
inline typename S::V scaled_erfc(typename S::V x) {
  using T = typename S::T;
  using V = typename S::V;
  constexpr bool single = sizeof(T) == 4;
  constexpr double coefficients[] = {0.2108063640611286,      0.37173673394848927,    0.25171319324459723,
                                     0.12503305198465409,     0.039922541789046716,   0.0039936914801851544,
                                     -0.0026423522956550939,  -0.00087589111956437615, 0.00022824130665453408,
                                     0.00012909951733632748,  -3.4199391112573584e-05, -1.9098179417666744e-05,
                                     8.304280330728837e-06,   1.9782618742067215e-06, -2.2446022518809163e-06,
                                     6.5844921050013613e-07,  -7.2735506841245957e-08};
  constexpr float few[] = {0.296287481f,   0.469181f,        0.216339257f,  0.0345842845f,
                           -0.0146694427f, -0.00425376727f, 0.0030682109f, -0.000537025139f};
  constexpr int order = single ? 7 : 16;
  const V t = 2 * reciprocal<S>(1 + x * T(single ? 0.6 : 0.4)) - 1;
  V sum = S::all(T(single ? few[7] : coefficients[16]));
  for (int k = order - 1; k >= 0; --k) sum = sum * t + T(single ? few[single ? k : 0] : coefficients[k]);
  return sum;
}

// The potential of a smeared unit charge: erf(r/sigma)/r, shifted such that value and slope vanish at a cutoff.
template <class S>
class SmearedPotential {
 public:
  using T = typename S::T;
  using V = typename S::V;

  explicit SmearedPotential(const PairTerms& terms)
      : inverse_sigma_(T(1 / terms.sigma)),
        cutoff_(T(terms.cutoff)),
        onset_(T(terms.onset / (1 - terms.onset))),
        gaussian_(2 / (std::sqrt(std::numbers::pi) * terms.sigma)),
        per_length_(T(1 / (terms.cutoff * (1 - terms.onset)))) {
    const double x = terms.cutoff / terms.sigma;
    value_ = std::erf(x) / terms.cutoff;
    slope_ = (gaussian_ * std::exp(-x * x) - value_) / terms.cutoff;
  }

  // V and dV/dr.
  template <bool kCutoff>
  void evaluate(V distance, V inverse, V& value, V& slope) const {
    const V x = distance * inverse_sigma_;
    constexpr T far = sizeof(T) == 4 ? T(80) : T(700);
    V exponent = x * x;
    exponent = exponent > far ? S::all(far) : exponent;
    const V e = exponential_in_range<S>(-exponent);
    value = (1 - e * scaled_erfc<S>(x)) * inverse;
    slope = (T(gaussian_) * e - value) * inverse;
    if constexpr (kCutoff) {
      const Step<S> step(distance * per_length_ - onset_);
      const V left = distance - cutoff_;
      value -= T(value_) + T(slope_) * (step.rest * left);
      slope -= T(slope_) * (step.rest - step.slope * per_length_ * left);
    }
  }

 private:
  T inverse_sigma_, cutoff_, onset_;
  double gaussian_, value_, slope_;  // 2 / (sqrt(pi) sigma); erf(R/sigma)/R and its derivative
  T per_length_;
};

// x^(-1/7) for x > 0: a guess that divides the exponent, then steps of third order.
template <class S>
inline typename S::V inverse_seventh_root(typename S::V x) {
  using T = typename S::T;
  using V = typename S::V;
  using M = typename S::M;
  constexpr bool single = sizeof(T) == 4;
  constexpr T unit = single ? T(1 << 23) : T(int64_t(1) << 52);
  constexpr T one = (single ? 127 : 1023) * unit;                  // the bits of 1
  constexpr T middle = one * 8 / 7 - T(0.0595) * unit;             // largest error of the guess as small as can be
  V y = (V)__builtin_convertvector(middle - __builtin_convertvector((M)x, V) * T(1.0 / 7), M);
  for (int step = 0; step < (single ? 2 : 3); ++step) {
    const V y2 = y * y, rest = 1 - (x * y) * (y2 * (y2 * y2));
    y += (y * rest) * (T(1.0 / 7) + T(4.0 / 49) * rest);
  }
  return y;
}

// Dispersion of quantum Drude oscillators. With y = alpha^(-1/7) of the mean polarizability, v = (r/p)^2 and
// g = (oscillator length / p)^2 * 2: E = -C6 / p^6 [1/(1+v^3) + 5 g/(1+v^4) + 245/8 g^2/(1+v^5)].
template <class S>
class DrudeDispersion {
 public:
  using T = typename S::T;
  using V = typename S::V;

  explicit DrudeDispersion(const PairTerms& terms)
      : per_square_(T(std::pow(terms.damping * terms.bohr, -2))),
        twice_per_square_(T(2 * std::pow(terms.damping, -2))),
        energy_(T(-2 * terms.hartree * std::pow(terms.damping, -6))),
        onset_(T(terms.cutoff / terms.switch_width - 1)),
        per_width_(T(1 / terms.switch_width)) {
    for (int k = 0; k < 4; ++k) length_[k] = T(terms.length[k]);
  }

  struct Pair {
    V energy;
    V slope;    // dE/dr / r
    V to_c6;    // dE/d ln C6_i = E * this
    V to_mean;  // dE/d alpha, of the mean polarizability alone
  };

  // The energy; with kDerivatives, everything. `first` and `second` are polarizabilities, c6_* the atoms' C6.
  template <bool kCutoff, bool kDerivatives>
  Pair evaluate(V square, V distance, V inverse, T first, V second, T c6_first, V c6_second) const {
    Pair pair{};
    const V crossed = (first * first) * c6_second;
    const V share = reciprocal<S>(second * second * c6_first + crossed);
    const V c6 = (second * c6_second) * share * (first * c6_first);  // half of it
    pair.to_c6 = crossed * share;

    const V mean = T(0.5) * first + T(0.5) * second;
    const V y = inverse_seventh_root<S>(mean), root = reciprocal<S>(y), y2 = y * y;
    const V length = length_[0] * y + (length_[1] + root * (length_[2] + root * length_[3]));  // times y
    const V g = twice_per_square_ * (length * length);
    const V rising = per_square_ * y2;  // v / r^2
    V v = rising * square;
    constexpr T far = sizeof(T) == 4 ? T(1e3) : T(1e6);  // nothing is left to the last digit, and no power overflows
    v = v > far ? S::all(far) : v;
    const V v2 = v * v, v3 = v2 * v;
    const V d6 = 1 + v3, d8 = 1 + v2 * v2, d10 = 1 + v2 * v3;
    const V d8d10 = d8 * d10, all = reciprocal<S>(d6 * d8d10);
    const V a6 = d8d10 * all, a8 = d6 * d10 * all, a10 = d6 * d8 * all;
    const V sum = a6 + g * (5 * a8 + T(245.0 / 8) * g * a10);
    const V scale = energy_ * c6 * (y2 * y2 * y2);
    pair.energy = scale * sum;
    if constexpr (kDerivatives) {
      // Minus the derivative of the sum in v; with dv/dr = 2 v / r it gives dE/dr / r without a division.
      const V g2 = g * g;
      const V falling = v2 * (3 * (a6 * a6) + v * (20 * g * (a8 * a8) + v * (T(5 * 245.0 / 8) * g2 * (a10 * a10))));
      pair.slope = -2 * scale * rising * falling;
      const V stretch = length_[1] + root * (2 * length_[2] + root * (3 * length_[3]));  // its slope in ln root
      const V by_g = 5 * a8 + T(2 * 245.0 / 8) * g * a10;
      const V g_slope = 2 * twice_per_square_ * length * (length - stretch);  // dg / d ln y
      const V slope = 6 * sum - 2 * v * falling + by_g * g_slope;             // dE / d ln y, over `scale`
      pair.to_mean = T(-1.0 / 7) * scale * slope * (y * y2 * (y2 * y2));      // 1 / alpha = y^7
    }
    if constexpr (kCutoff) {
      const Step<S> step(distance * per_width_ - onset_);
      pair.slope = pair.slope * step.value + pair.energy * (step.slope * per_width_) * inverse;
      pair.to_mean *= step.value;
      pair.energy *= step.value;
    }
    return pair;
  }

 private:
  T per_square_, twice_per_square_, energy_, onset_, per_width_, length_[4];
};

}  // namespace helio
