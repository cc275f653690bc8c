// Rows of lists shared out among threads, and what their pairs add to the gradient of the cell.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "operands.h"
#include "schedule.h"

namespace helio {

// Calls work(element, task, first row, end) for all rows of all elements of a batch, `size` rows at a time. Tasks of all
// elements are counted through.
template <class Work>
void over_rows(ffi::ThreadPool& pool, int64_t threads, int64_t batch, int64_t rows, int64_t size, Work&& work) {
  const int64_t tasks = (rows + size - 1) / size;
  run_parallel(pool, int(threads), int(batch * tasks), [&](int n) {
    const int64_t first = n % tasks * size;
    work(n / tasks, int64_t(n), first, std::min(rows, first + size));
  });
}

// Rows of pairs that one task computes.
constexpr int64_t kRowsOfPairs = 64;

template <class Work>
void over_pair_rows(ffi::ThreadPool& pool, int64_t batch, int64_t rows, Work&& work) {
  over_rows(pool, pool.num_threads(), batch, rows, kRowsOfPairs, work);
}

// Gradients of cells (3, 3), summed by task and then in the order of the tasks, whatever thread ran them.
class CellSums {
 public:
  CellSums(int64_t batch, int64_t rows) : tasks_((rows + kRowsOfPairs - 1) / kRowsOfPairs), sums_(batch * tasks_) {}

  std::array<double, 9>& of_task(int64_t task) { return sums_[task]; }

  template <class T>
  void store(int64_t element, T* to) const {
    for (int k = 0; k < 9; ++k) {
      double sum = 0;
      for (int64_t task = 0; task < tasks_; ++task) sum += sums_[element * tasks_ + task][k];
      to[k] = T(sum);
    }
  }

 private:
  int64_t tasks_;
  std::vector<std::array<double, 9>> sums_;
};

}  // namespace helio
