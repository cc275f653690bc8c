// Who computes what: atoms in chunks that are compact in space, and chunks on the threads of XLA's own pool.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

namespace helio {

constexpr int64_t kFewestToOrder = 256;

// Spreads the lowest ten bits of `x` so that two free bits follow each.
inline uint32_t spread_bits(uint32_t x) {
  x = (x | (x << 16)) & 0x030000ffu;
  x = (x | (x << 8)) & 0x0300f00fu;
  x = (x | (x << 4)) & 0x030c30c3u;
  return (x | (x << 2)) & 0x09249249u;
}

// Coordinates of atoms between 0 and 1: fractions of the cell where there is one, else of the box around all atoms.
template <class T>
class UnitCoordinates {
 public:
  UnitCoordinates(const T* positions, int64_t count, const T* cell, bool periodic) {
    double a[3][3], determinant = 0;
    for (int i = 0; i < 9; ++i) a[i / 3][i % 3] = double(cell[i]);
    for (int i = 0; i < 3; ++i)
      determinant += a[0][i] * (a[1][(i + 1) % 3] * a[2][(i + 2) % 3] - a[1][(i + 2) % 3] * a[2][(i + 1) % 3]);
    periodic_ = periodic && std::abs(determinant) > 1e-6;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j)
        matrix_[j][i] = !periodic_ ? double(i == j)
                                   : (a[(i + 1) % 3][(j + 1) % 3] * a[(i + 2) % 3][(j + 2) % 3] -
                                      a[(i + 1) % 3][(j + 2) % 3] * a[(i + 2) % 3][(j + 1) % 3]) /
                                         determinant;
    for (int axis = 0; axis < 3 && !periodic_; ++axis) {
      T low = positions[axis], high = low;
      for (int64_t n = 1; n < count; ++n) {
        low = std::min(low, positions[3 * n + axis]);
        high = std::max(high, positions[3 * n + axis]);
      }
      low_[axis] = double(low);
      // One scale for all axes, or flat molecules would be cut into slices.
      extent_ = std::max(extent_, double(high - low));
    }
  }

  // Which of 2^bits slices along `axis` holds the atom; any slice for numbers that are not finite.
  uint32_t slice(const T* position, int axis, int bits) const {
    double x = 0;
    for (int i = 0; i < 3; ++i) x += (double(position[i]) - low_[i]) * matrix_[i][axis];
    x = periodic_ ? x - std::floor(x) : x / extent_;
    int last = (1 << bits) - 1;
    return x > 0 ? uint32_t(std::min(double(last), x * (last + 1))) : 0;
  }

 private:
  bool periodic_;
  double matrix_[3][3], low_[3] = {0, 0, 0}, extent_ = 1e-3;
};

// An order of atoms along a space-filling curve (Morton), cut into chunks of equal length. Neighbours in space are
// neighbours in the order: their rows are in the cache when they are needed, and few pairs lie in two chunks.
struct Order {
  int chunks = 1;
  std::vector<int32_t> atom;   // atom at each place
  std::vector<int32_t> place;  // place of each atom

  int begin(int chunk) const { return int(int64_t(atom.size()) * chunk / chunks); }
};

template <class T>
Order order_atoms(const T* positions, int64_t count, const T* cell, bool periodic, int chunks) {
  Order order;
  order.chunks = chunks;
  order.atom.resize(count);
  order.place.resize(count);
  if (count < kFewestToOrder) {
    for (int64_t n = 0; n < count; ++n) order.atom[n] = order.place[n] = int32_t(n);
    return order;
  }
  UnitCoordinates<T> unit(positions, count, cell, periodic);
  int bits = 1;
  while (bits < 6 && (int64_t(1) << (3 * (bits + 1))) < count) ++bits;
  std::vector<uint32_t> key(count);
  std::vector<int32_t> start((size_t(1) << (3 * bits)) + 1, 0);
  for (int64_t n = 0; n < count; ++n) {
    key[n] = 0;
    for (int axis = 0; axis < 3; ++axis) key[n] |= spread_bits(unit.slice(positions + 3 * n, axis, bits)) << axis;
    ++start[key[n] + 1];
  }
  for (size_t k = 1; k < start.size(); ++k) start[k] += start[k - 1];
  for (int64_t n = 0; n < count; ++n) {
    order.place[n] = start[key[n]]++;
    order.atom[order.place[n]] = int32_t(n);
  }
  return order;
}

// Runs work(0) .. work(count - 1), each once, on the calling thread and whatever threads of the pool come to help.
// The caller never waits for a task that has not begun, so a pool whose threads all wait like this cannot lock up.
template <class Pool, class Work>
void run_parallel(Pool& pool, int threads, int count, Work&& work) {
  struct Progress {
    std::atomic<int> next{0}, done{0};
  };
  auto progress = std::make_shared<Progress>();
  auto help = [progress, count, &work] {
    // `work` lives until all is done; a helper that finds nothing left does not touch it.
    for (int task; (task = progress->next.fetch_add(1)) < count;) {
      work(task);
      if (progress->done.fetch_add(1) + 1 == count) progress->done.notify_all();
    }
  };
  for (int helper = 1; helper < std::min(threads, count); ++helper) pool.Schedule(decltype(help)(help));
  help();
  for (int done; (done = progress->done.load()) < count;) progress->done.wait(done);
}

}  // namespace helio
