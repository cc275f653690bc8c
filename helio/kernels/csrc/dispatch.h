// Which instance of a template an operation runs: the type of its numbers, and the widest vectors that fit.
#pragma once

#include "operands.h"
#include "vector.h"

namespace helio {

// Calls run(number) with the type of the operand's numbers.
template <class Run>
ffi::Error with_type(const Operand& numbers, Run&& run) {
  if (numbers.element_type() == ffi::F32) run(float());
  else if (numbers.element_type() == ffi::F64) run(double());
  else return ffi::Error::InvalidArgument("numbers must be float32 or float64");
  return ffi::Error::Success();
}

// Calls run(Simd) with the widest vectors of which `width` is a multiple; false if even four numbers are too many.
template <class T, int Lanes = kRegisterBytes / sizeof(T), class Run>
bool with_lanes(int64_t width, Run&& run) {
  if (width % Lanes == 0) {
    run(Simd<T, Lanes>());
    return true;
  }
  if constexpr (Lanes * sizeof(T) > 16) return with_lanes<T, Lanes / 2>(width, run);
  return false;
}

// Calls run(Simd) with vectors of the operand's type that divide `width`.
template <class Run>
ffi::Error with_vectors(const Operand& numbers, int64_t width, Run&& run) {
  bool fits = false;
  const ffi::Error error = with_type(numbers, [&](auto number) { fits = with_lanes<decltype(number)>(width, run); });
  if (error.failure() || fits) return error;
  return ffi::Error::InvalidArgument("widths must be multiples of 4");
}

}  // namespace helio
