// Screened repulsion of nuclei over the rows of a list, as handlers of XLA's foreign function interface.
//
// e(d) = w(d / reach) c(d) k Z_i Z_j / d sum_n c_n exp(-a_n d (s_i + s_j)); the plain version is `helio.physics.zbl`. Only
// bonded atoms are within reach, so rows are searched with little arithmetic and the few pairs left computed one by one.

#include <array>
#include <cmath>

#include "dispatch.h"
#include "operands.h"
#include "rows.h"

namespace helio {
namespace {

constexpr int kTerms = 4;

struct Operands {
  Batched positions, cell, index, shift, row_start, charge, screening, weights, exponents;
};

struct Constants {
  double cutoff, reach, coulomb;
};

// One element of the batch.
template <class T>
struct List {
  int64_t atoms, places, row_start;
  const T *positions, *cell;
  const int32_t* index;
  const int16_t* shift;
  const T *charge, *screening, *weights, *exponents;

  List(const Operands& operands, int64_t b)
      : atoms(operands.positions.dim(0)),
        places(operands.index.dim(1)),
        row_start(*operands.row_start.at<const int32_t>(b)),
        positions(operands.positions.at<const T>(b)),
        cell(operands.cell.at<const T>(b)),
        index(operands.index.at<const int32_t>(b)),
        shift(operands.shift.empty() ? nullptr : operands.shift.at<const int16_t>(b)),
        charge(operands.charge.at<const T>(b)),
        screening(operands.screening.at<const T>(b)),
        weights(operands.weights.at<const T>(b)),
        exponents(operands.exponents.at<const T>(b)) {}

  // Calls use(j, vector to j, distance, shift) for all neighbours closer than `reach`.
  template <class Use>
  void over_pairs(int64_t row, T reach, Use&& use) const {
    const T* here = positions + 3 * (row_start + row);
    const int16_t none[3] = {0, 0, 0};
    for (int64_t k = 0; k < places; ++k) {
      const int64_t j = index[row * places + k];
      if (j < 0 || j >= atoms) continue;
      const int16_t* turns = shift ? shift + 3 * (row * places + k) : none;
      T r[3], square = 0;
      for (int axis = 0; axis < 3; ++axis) {
        r[axis] = positions[3 * j + axis] - here[axis];
        for (int a = 0; a < 3; ++a) r[axis] += T(turns[a]) * cell[3 * a + axis];
        square += r[axis] * r[axis];
      }
      if (!(square >= reach * reach)) use(j, r, std::sqrt(std::max(square, T(1e-12))), turns);
    }
  }

  // Energy of a pair in eV, and its derivative.
  std::array<T, 2> evaluate(const Constants& constants, int64_t i, int64_t j, T d) const {
    const T s = d / T(constants.reach), margin = T(1e-6);
    const T x = std::clamp(s, margin, 1 - margin);
    // w = 1 / (1 + exp(-u)) with u = 1/x - 1/(1-x); beyond the range of exp it is one or zero.
    const T u = 1 / x - 1 / (1 - x), limit = sizeof(T) == 4 ? T(80) : T(700);
    const T window = 1 / (1 + std::exp(std::clamp(-u, -limit, limit)));
    const T window_slope = window * (1 - window) * (-1 / (x * x) - 1 / ((1 - x) * (1 - x))) / T(constants.reach);
    const T c = d / T(constants.cutoff), rest = 1 - c;
    const T cut = c < 1 ? 1 + c * c * c * (T(-10) + c * (T(15) - T(6) * c)) : T(0);
    const T cut_slope = c < 1 ? T(-30 / constants.cutoff) * c * c * rest * rest : T(0);
    T screened = 0, screened_slope = 0;
    for (int n = 0; n < kTerms; ++n) {
      const T rate = exponents[n] * (screening[i] + screening[j]), part = weights[n] * std::exp(-rate * d);
      screened += part;
      screened_slope -= rate * part;
    }
    const T bare = T(constants.coulomb) * charge[i] * charge[j] / d;
    const T slope = bare * (window_slope * cut * screened + window * cut_slope * screened + window * cut * screened_slope -
                            window * cut * screened / d);
    return {bare * window * cut * screened, slope};
  }
};

#define HELIO_OPERANDS                                                                                             \
  Operand positions, Operand cell, Operand index, Operand shift, Operand row_start, Operand charge,                \
      Operand screening, Operand weights, Operand exponents
#define HELIO_GATHERED                                                                                              \
  const Operands operands{{positions, 2, batch}, {cell, 2, batch}, {index, 2, batch}, {shift, 3, batch},            \
                          {row_start, 0, batch}, {charge, 1, batch}, {screening, 1, batch}, {weights, 1, batch},    \
                          {exponents, 1, batch}};                                                                   \
  const Constants constants{cutoff, reach, coulomb}

ffi::Error forward(ffi::ThreadPool pool, HELIO_OPERANDS, Result energies, double cutoff, double reach, double coulomb) {
  const Numbers batch = batch_of(*energies, 1);
  HELIO_GATHERED;
  const Batched e(*energies, 1, batch);
  return with_type(positions, [&](auto number) {
    using T = decltype(number);
    over_pair_rows(pool, product(batch), operands.index.dim(0), [&](int64_t b, int64_t, int64_t begin, int64_t end) {
      const List<T> list(operands, b);
      for (int64_t row = begin; row < end; ++row) {
        T sum = 0;
        list.over_pairs(row, T(reach), [&](int64_t j, const T*, T d, const int16_t*) {
          sum += list.evaluate(constants, list.row_start + row, j, d)[0];
        });
        e.at<T>(b)[row] = sum / 2;
      }
    });
  });
}

// Each pair has the mean of the cotangents of its two atoms.
ffi::Error backward(ffi::ThreadPool pool, HELIO_OPERANDS, Operand cotangent, Result positions_gradient,
                    Result cell_gradient, double cutoff, double reach, double coulomb) {
  const Numbers batch = batch_of(*positions_gradient, 2);
  HELIO_GATHERED;
  const Batched e(cotangent, 1, batch), r(*positions_gradient, 2, batch), h(*cell_gradient, 2, batch);
  return with_type(positions, [&](auto number) {
    using T = decltype(number);
    const int64_t count = product(batch), owned = operands.index.dim(0);
    CellSums cells(count, owned);
    over_pair_rows(pool, count, owned, [&](int64_t b, int64_t task, int64_t begin, int64_t end) {
      const List<T> list(operands, b);
      const T* weight = e.at<const T>(b);
      auto& cell = cells.of_task(task);
      for (int64_t row = begin; row < end; ++row) {
        const int64_t i = list.row_start + row;
        T* to = r.at<T>(b) + 3 * row;
        to[0] = to[1] = to[2] = 0;
        list.over_pairs(row, T(reach), [&](int64_t j, const T* vector, T d, const int16_t* turns) {
          const T along = (weight[i] + weight[j]) / 2 * list.evaluate(constants, i, j, d)[1] / d;
          for (int axis = 0; axis < 3; ++axis) {
            to[axis] -= along * vector[axis];
            // The other half is in the other row.
            for (int a = 0; a < 3; ++a) cell[3 * a + axis] += 0.5 * double(turns[a]) * double(along * vector[axis]);
          }
        });
      }
    });
    for (int64_t b = 0; b < count; ++b) cells.store(b, h.at<T>(b));
  });
}

using Any = ffi::AnyBuffer;

}  // namespace

#define HELIO_BIND_OPERANDS                                                                                         \
  ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>()         \
      .Arg<Any>().Arg<Any>().Arg<Any>()

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_repulsion_forward, forward,
                              HELIO_BIND_OPERANDS.Ret<Any>().Attr<double>("cutoff").Attr<double>("reach")
                                  .Attr<double>("coulomb"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_repulsion_backward, backward,
                              HELIO_BIND_OPERANDS.Arg<Any>().Ret<Any>().Ret<Any>().Attr<double>("cutoff")
                                  .Attr<double>("reach").Attr<double>("coulomb"));

}  // namespace helio
