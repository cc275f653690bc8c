// The two operations of the long-range terms as handlers of XLA's foreign function interface.

#include <algorithm>
#include <type_traits>
#include <vector>

#include "dispatch.h"
#include "operands.h"
#include "pair_rows.h"
#include "rows.h"

namespace helio {
namespace {

// The operands that both directions share, in the order of the call.
struct Operands {
  Batched positions, cell, index, shift, row_start, charge, polarizability, c6;

  template <class T>
  PairList<T> list(int64_t b) const {
    return {positions.dim(0),
            index.dim(0),
            index.dim(1),
            *row_start.at<const int32_t>(b),
            positions.at<const T>(b),
            cell.at<const T>(b),
            index.at<const int32_t>(b),
            shift.empty() ? nullptr : shift.at<const int16_t>(b)};
  }
};

template <class T>
using Lanes = Simd<T, (kRegisterBytes / sizeof(T) > 4 ? kRegisterBytes / sizeof(T) : 4)>;

// Calls run with the type of PairRows for these terms.
template <class T, class Run>
void with_terms(const PairTerms& terms, Run&& run) {
  using S = Lanes<T>;
  const bool electrostatics = terms.coulomb != 0, dispersion = terms.hartree != 0, cutoff = terms.cutoff != 0;
  const auto with_cutoff = [&](auto first, auto second) {
    constexpr bool e = decltype(first)::value, d = decltype(second)::value;
    if (cutoff) run(static_cast<PairRows<S, e, d, true>*>(nullptr));
    else run(static_cast<PairRows<S, e, d, false>*>(nullptr));
  };
  if (electrostatics && dispersion) with_cutoff(std::true_type(), std::true_type());
  else if (electrostatics) with_cutoff(std::true_type(), std::false_type());
  else with_cutoff(std::false_type(), std::true_type());
}

PairTerms terms_of(double cutoff, double coulomb, double sigma, double onset, double hartree, double bohr,
                   double damping, ffi::Span<const double> length, double switch_width) {
  return {cutoff, coulomb, sigma, onset, hartree, bohr, damping, {length[0], length[1], length[2], length[3]},
          switch_width};
}

#define HELIO_OPERANDS                                                                                              \
  Operand positions, Operand cell, Operand index, Operand shift, Operand row_start, Operand charge,                 \
      Operand polarizability, Operand c6
#define HELIO_SETTINGS                                                                                              \
  double cutoff, double coulomb, double sigma, double onset, double hartree, double bohr, double damping,           \
      ffi::Span<const double> length, double switch_width
#define HELIO_GATHERED                                                                                              \
  const Operands operands{{positions, 2, batch}, {cell, 2, batch}, {index, 2, batch}, {shift, 3, batch},            \
                          {row_start, 0, batch}, {charge, 1, batch}, {polarizability, 1, batch}, {c6, 1, batch}};   \
  const PairTerms terms = terms_of(cutoff, coulomb, sigma, onset, hartree, bohr, damping, length, switch_width)

ffi::Error forward(ffi::ThreadPool pool, HELIO_OPERANDS, Result electrostatics, Result dispersion, HELIO_SETTINGS) {
  const Numbers batch = batch_of(*electrostatics, 1);
  HELIO_GATHERED;
  const Batched e(*electrostatics, 1, batch), d(*dispersion, 1, batch);
  return with_type(positions, [&](auto number) {
    using T = decltype(number);
    std::vector<std::vector<Record<T>>> records;
    for (int64_t b = 0; b < product(batch); ++b)
      records.push_back(make_records<T>(operands.list<T>(b), operands.charge.at<const T>(b),
                                        operands.polarizability.at<const T>(b), operands.c6.at<const T>(b), nullptr,
                                        nullptr));
    with_terms<T>(terms, [&](auto* kind) {
      over_pair_rows(pool, product(batch), operands.index.dim(0), [&](int64_t b, int64_t, int64_t begin, int64_t end) {
        const std::remove_pointer_t<decltype(kind)> rows(terms, operands.list<T>(b), records[b].data());
        for (int64_t row = begin; row < end; ++row) rows.forward(row, e.at<T>(b)[row], d.at<T>(b)[row]);
      });
    });
  });
}

// Where gradients go.
struct Gradients {
  Batched charge, polarizability, c6, positions, cell;

  Gradients(const Operand& q, const Operand& a, const Operand& c, const Operand& r, const Operand& h, Numbers batch)
      : charge(q, 1, batch), polarizability(a, 1, batch), c6(c, 1, batch), positions(r, 2, batch), cell(h, 2, batch) {}

  // Calls use(numbers, count) of each array of one element of a batch.
  template <class T, class Use>
  void each(int64_t b, int64_t rows, Use&& use) const {
    for (const Batched* one : {&charge, &polarizability, &c6}) use(one->at<T>(b), rows);
    use(positions.at<T>(b), 3 * rows);
    use(cell.at<T>(b), 9);
  }
};

// Gradients of some elements of the batch, and their energies if they are asked for.
template <class T>
void find_gradients(ffi::ThreadPool& pool, const PairTerms& terms, const Operands& operands,
                    const std::vector<int64_t>& elements, const std::vector<std::vector<Record<T>>>& records,
                    const Gradients& to, const Batched* electrostatics, const Batched* dispersion) {
  const int64_t owned = operands.index.dim(0);
  CellSums cells(elements.size(), owned);
  with_terms<T>(terms, [&](auto* kind) {
    over_pair_rows(pool, int64_t(elements.size()), owned, [&](int64_t n, int64_t task, int64_t begin, int64_t end) {
      const int64_t b = elements[n];
      const std::remove_pointer_t<decltype(kind)> rows(terms, operands.list<T>(b), records[n].data());
      T *q = to.charge.at<T>(b), *a = to.polarizability.at<T>(b), *c = to.c6.at<T>(b), *r = to.positions.at<T>(b);
      for (int64_t row = begin; row < end; ++row) {
        const RowGradients<T> gradients = rows.backward(row);
        q[row] = gradients.charge;
        a[row] = gradients.polarizability;
        c[row] = gradients.c6;
        for (int axis = 0; axis < 3; ++axis) r[3 * row + axis] = gradients.position[axis];
        for (int k = 0; k < 9; ++k) cells.of_task(task)[k] += double(gradients.cell[k]);
        if (electrostatics) electrostatics->at<T>(b)[row] = gradients.electrostatics;
        if (dispersion) dispersion->at<T>(b)[row] = gradients.dispersion;
      }
    });
  });
  for (size_t n = 0; n < elements.size(); ++n) cells.store(n, to.cell.at<T>(elements[n]));
}

// Energies, and gradients of their sum: what a force evaluation needs, in one pass.
ffi::Error forward_with_gradients(ffi::ThreadPool pool, HELIO_OPERANDS, Result electrostatics, Result dispersion,
                                  Result charge_gradient, Result polarizability_gradient, Result c6_gradient,
                                  Result positions_gradient, Result cell_gradient, HELIO_SETTINGS) {
  const Numbers batch = batch_of(*electrostatics, 1);
  HELIO_GATHERED;
  const Batched e(*electrostatics, 1, batch), d(*dispersion, 1, batch);
  const Gradients to(*charge_gradient, *polarizability_gradient, *c6_gradient, *positions_gradient, *cell_gradient, batch);
  return with_type(positions, [&](auto number) {
    using T = decltype(number);
    std::vector<int64_t> elements;
    std::vector<std::vector<Record<T>>> records;
    for (int64_t b = 0; b < product(batch); ++b) {
      elements.push_back(b);
      records.push_back(make_records<T>(operands.list<T>(b), operands.charge.at<const T>(b),
                                        operands.polarizability.at<const T>(b), operands.c6.at<const T>(b), nullptr,
                                        nullptr, T(1)));
    }
    find_gradients<T>(pool, terms, operands, elements, records, to, &e, &d);
  });
}

// Writes known gradients times the cotangent that all atoms and terms have in common; false if there is none.
template <class T>
bool scaled(const PairTerms& terms, const PairList<T>& list, int64_t b, const T* electrostatics, const T* dispersion,
            const Gradients& known, const Gradients& to) {
  const T scale = terms.coulomb != 0 ? *electrostatics : *dispersion;
  const auto all = [&](const T* numbers) {
    return std::all_of(numbers, numbers + list.atoms, [&](T number) { return number == scale; });
  };
  if ((terms.coulomb != 0 && !all(electrostatics)) || (terms.hartree != 0 && !all(dispersion))) return false;
  std::vector<const T*> from;
  known.each<const T>(b, list.rows, [&](const T* numbers, int64_t) { from.push_back(numbers); });
  auto next = from.begin();
  to.each<T>(b, list.rows, [&](T* numbers, int64_t count) {
    std::transform(*next, *next + count, numbers, [&](T number) { return scale * number; });
    ++next;
  });
  return true;
}

// From the cotangents of all atoms, and what `forward_with_gradients` found.
ffi::Error backward(ffi::ThreadPool pool, HELIO_OPERANDS, Operand electrostatics, Operand dispersion,
                    Operand known_charge, Operand known_polarizability, Operand known_c6, Operand known_positions,
                    Operand known_cell, Result charge_gradient, Result polarizability_gradient, Result c6_gradient,
                    Result positions_gradient, Result cell_gradient, HELIO_SETTINGS) {
  const Numbers batch = batch_of(*charge_gradient, 1);
  HELIO_GATHERED;
  const Batched e(electrostatics, 1, batch), d(dispersion, 1, batch);
  const Gradients known(known_charge, known_polarizability, known_c6, known_positions, known_cell, batch);
  const Gradients to(*charge_gradient, *polarizability_gradient, *c6_gradient, *positions_gradient, *cell_gradient, batch);
  return with_type(positions, [&](auto number) {
    using T = decltype(number);
    std::vector<int64_t> elements;
    std::vector<std::vector<Record<T>>> records;
    for (int64_t b = 0; b < product(batch); ++b) {
      const PairList<T> list = operands.list<T>(b);
      const T *to_e = e.at<const T>(b), *to_d = d.at<const T>(b);
      if (list.atoms == 0 || scaled<T>(terms, list, b, to_e, to_d, known, to)) continue;
      elements.push_back(b);
      records.push_back(make_records<T>(list, operands.charge.at<const T>(b), operands.polarizability.at<const T>(b),
                                        operands.c6.at<const T>(b), to_e, to_d));
    }
    find_gradients<T>(pool, terms, operands, elements, records, to, nullptr, nullptr);
  });
}

#define HELIO_BIND_OPERANDS(bind)                                                                                   \
  bind.Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>()     \
      .Arg<Operand>()
#define HELIO_BIND_SETTINGS(bind)                                                                                   \
  bind.Attr<double>("cutoff").Attr<double>("coulomb").Attr<double>("sigma").Attr<double>("onset")                   \
      .Attr<double>("hartree").Attr<double>("bohr").Attr<double>("damping").Attr<ffi::Span<const double>>("length") \
      .Attr<double>("switch_width")

}  // namespace

using Any = ffi::AnyBuffer;

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_long_range_forward, forward,
                              HELIO_BIND_SETTINGS(HELIO_BIND_OPERANDS(ffi::Ffi::Bind().Ctx<ffi::ThreadPool>())
                                                      .Ret<Any>().Ret<Any>()));

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_long_range_with_gradients, forward_with_gradients,
                              HELIO_BIND_SETTINGS(HELIO_BIND_OPERANDS(ffi::Ffi::Bind().Ctx<ffi::ThreadPool>())
                                                      .Ret<Any>().Ret<Any>()
                                                      .Ret<Any>().Ret<Any>().Ret<Any>().Ret<Any>().Ret<Any>()));

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_long_range_backward, backward,
                              HELIO_BIND_SETTINGS(HELIO_BIND_OPERANDS(ffi::Ffi::Bind().Ctx<ffi::ThreadPool>())
                                                      .Arg<Any>().Arg<Any>()
                                                      .Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>()
                                                      .Ret<Any>().Ret<Any>().Ret<Any>().Ret<Any>().Ret<Any>()));

}  // namespace helio
