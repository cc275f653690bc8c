// Operands of XLA's foreign function interface.
//
// Arrays may have leading axes of a batch; an operand that does not vary along one has length 1 there.
#pragma once

#include <cstdint>

#include "xla/ffi/api/ffi.h"

namespace helio {

namespace ffi = xla::ffi;
using Operand = ffi::AnyBuffer;
using Result = ffi::Result<ffi::AnyBuffer>;
using Numbers = ffi::Span<const int64_t>;

// Where each element of a batch lies in an operand: axes of length 1 are repeated.
class Batched {
 public:
  Batched(const Operand& operand, int rank, Numbers batch) : dims_(operand.dimensions()), batch_(batch) {
    leading_ = int(dims_.size()) - rank;
    size_ = 1;
    for (int axis = leading_; axis < int(dims_.size()); ++axis) size_ *= dims_[axis];
    data_ = operand.untyped_data();
  }

  template <class T>
  T* at(int64_t element) const {
    int64_t offset = 0, stride = 1;
    for (int axis = leading_ - 1; axis >= 0; --axis) {
      const int64_t here = element % batch_[axis];
      element /= batch_[axis];
      if (dims_[axis] != 1) offset += here * stride;
      stride *= dims_[axis];
    }
    return static_cast<T*>(data_) + offset * size_;
  }

  int64_t dim(int axis) const { return dims_[leading_ + axis]; }
  bool empty() const { return size_ == 0; }

 private:
  Numbers dims_, batch_;
  int leading_;
  int64_t size_;
  void* data_;
};

inline Numbers batch_of(const ffi::AnyBuffer& result, int rank) {
  return Numbers(result.dimensions().begin(), result.dimensions().size() - rank);
}

inline int64_t product(Numbers dims) {
  int64_t size = 1;
  for (int64_t dim : dims) size *= dim;
  return size;
}

}  // namespace helio
