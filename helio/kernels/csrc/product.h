// Small matrix products whose block of the result stays in registers.
#pragma once

#include "vector.h"

namespace helio {

// out[r][c] += sum_k left[r][k] * right[k][c], for Rows rows and Columns vectors of columns; kFresh: = instead of +=.
template <class S, int Rows, int Columns, bool kFresh>
inline void add_block(int depth, const typename S::T* left, int left_stride, const typename S::T* right, int right_stride,
                      typename S::T* out, int out_stride) {
  using V = typename S::V;
  V sum[Rows][Columns];
  for (int r = 0; r < Rows; ++r)
    for (int c = 0; c < Columns; ++c) sum[r][c] = kFresh ? V{} : S::load(out + r * out_stride + c * S::L);
  for (int k = 0; k < depth; ++k) {
    V weight[Columns];
    for (int c = 0; c < Columns; ++c) weight[c] = S::load(right + k * right_stride + c * S::L);
    for (int r = 0; r < Rows; ++r) {
      V factor = S::all(left[r * left_stride + k]);
      for (int c = 0; c < Columns; ++c) sum[r][c] += factor * weight[c];
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int c = 0; c < Columns; ++c) S::store(out + r * out_stride + c * S::L, sum[r][c]);
}

// Any number of rows up to Rows: the last ones go through narrower blocks.
template <class S, int Rows, int Columns, bool kFresh>
inline void add_rows(int rows, int depth, const typename S::T* left, int left_stride, const typename S::T* right,
                     int right_stride, typename S::T* out, int out_stride) {
  for (; rows >= Rows; rows -= Rows, left += Rows * left_stride, out += Rows * out_stride)
    add_block<S, Rows, Columns, kFresh>(depth, left, left_stride, right, right_stride, out, out_stride);
  if constexpr (Rows > 1)
    if (rows) add_rows<S, Rows - 1, Columns, kFresh>(rows, depth, left, left_stride, right, right_stride, out, out_stride);
}

// out += left @ right, or with kFresh out = left @ right. Blocks of columns are the outer loop: their slice of `right` stays in the first cache.
template <class S, bool kFresh = false>
void add_product(int rows, int depth, int columns, const typename S::T* left, int left_stride, const typename S::T* right,
                 int right_stride, typename S::T* out, int out_stride) {
  constexpr int wide = kAccumulators / 4;
  int vectors = columns / S::L, done = 0;
  for (; done + wide <= vectors; done += wide)
    add_rows<S, 4, wide, kFresh>(rows, depth, left, left_stride, right + done * S::L, right_stride, out + done * S::L, out_stride);
  for (; done + 2 <= vectors; done += 2)
    add_rows<S, kAccumulators / 2, 2, kFresh>(rows, depth, left, left_stride, right + done * S::L, right_stride, out + done * S::L,
                                      out_stride);
  for (; done < vectors; ++done)
    add_rows<S, 8, 1, kFresh>(rows, depth, left, left_stride, right + done * S::L, right_stride, out + done * S::L, out_stride);
}

}  // namespace helio
