// What one call works on: pointers into the arrays of XLA, and sizes.
#pragma once

#include <cstdint>

#include "harmonics.h"

namespace helio {

constexpr int kTile = 16;      // pairs that go through the filters together
constexpr int kMaxHeads = 32;  // of both attentions together

// Sizes and constants of a layer.
struct Shape {
  int features, heads, hidden;  // heads of attention 1; hidden: of one spherical filter, a multiple of 16
  int degrees, degree[kMaxDegrees], components;
  int highest;  // degree
  int knots;
  double cutoff, decay, average_neighbors;
  HarmonicNorms norms;

  int all_heads() const { return heads + degrees; }
};

// Filters: rows of the table hold 2F values and 2F slopes (times the distance of knots) for both attentions.
template <class T>
struct Filters {
  const T* table;              // (knots, 2, 2F)
  const T* first;              // (L, 2 hidden), columns of both attentions side by side
  const T* bias;               // (2 hidden)
  const T* second;             // (2, hidden, F)
  const T* second_transposed;  // (2, F, hidden)
};

// Atoms and the rows of the list that this call owns: atoms row_start ... row_start + rows - 1.
template <class T>
struct Atoms {
  int64_t atoms, rows, places, row_start;
  const T* positions;      // (N, 3)
  const T* cell;           // (3, 3)
  const int32_t* index;    // (R, K); N and more: no neighbour
  const int16_t* shift;    // (R, K, 3), or null
  const T *query[2], *key[2], *value;  // (N, F)
  const T* chi;            // (N, M); null in the first layer
};

template <class T>
struct ForwardResult {
  T *features, *euclidean;  // (R, F), (R, M)
};

template <class T>
struct BackwardResult {
  T *query[2], *key[2], *value, *chi, *positions;  // (R, F), (R, M), (R, 3); chi null in the first layer
  double* cell;                                    // (3, 3), of this chunk alone
};

}  // namespace helio
