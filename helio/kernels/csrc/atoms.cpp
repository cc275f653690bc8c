// What layers do to single atoms, as handlers of XLA's foreign function interface.

#include <array>
#include <memory>
#include <vector>

#include "dispatch.h"
#include "operands.h"
#include "rows.h"
#include "update.h"

namespace helio {
namespace {

// Rows of one task; fewer rows than kWorthSharing stay on one thread, since waking another takes as long.
constexpr int64_t kMostRows = 32, kWorthSharing = 48;

// Calls work(element, first row, rows) for all rows of all elements of the batch.
template <class Work>
void over_atoms(ffi::ThreadPool& pool, int64_t batch, int64_t rows, Work&& work) {
  const int64_t threads = batch * rows < kWorthSharing ? 1 : std::max<int64_t>(1, pool.num_threads());
  const int64_t size = std::clamp<int64_t>((batch * rows + 8 * threads - 1) / (8 * threads) * 8, 8, kMostRows);
  over_rows(pool, threads, batch, rows, size,
            [&](int64_t b, int64_t, int64_t first, int64_t end) { work(b, first, int(end - first)); });
}

// Weights are the same for all elements of a batch: leading axes have length 1.
bool has_batch(std::initializer_list<std::pair<Operand, int>> weights) {
  for (const auto& [weight, rank] : weights) {
    int64_t size = 1;
    for (int axis = 0; axis < int(weight.dimensions().size()) - rank; ++axis) size *= weight.dimensions()[axis];
    if (size != 1) return true;
  }
  return false;
}

const char* kBatchOfWeights = "weights cannot be batched";

// ---- Projections: y_p = W_p,h x_h for each head h, p one of five matrices of blocks (H, out, in).

constexpr int kProjections = 5;

template <class S>
struct Blocks {
  using T = typename S::T;
  int heads, width;
  std::vector<Matrix<S>> matrices;  // (in, out), or (out, in) for the derivative

  Blocks(const Operand& operand, bool backward) {
    const auto dims = operand.dimensions();
    heads = int(dims[dims.size() - 3]), width = int(dims[dims.size() - 1]);
    for (int h = 0; h < heads; ++h)
      matrices.emplace_back(static_cast<const T*>(operand.untyped_data()) + h * width * width, width, width, !backward);
  }

  template <bool kFresh>
  void add_to(int rows, const T* left, T* out) const {
    const int stride = heads * width;
    for (int h = 0; h < heads; ++h)
      matrices[h].template add_to<kFresh>(rows, left + h * width, stride, out + h * width, stride);
  }
};

int64_t common_width(std::initializer_list<Operand> blocks) {
  int64_t width = 0;
  for (const Operand& one : blocks) width |= one.dimensions()[one.dimensions().size() - 1];
  return width & -width;  // the largest power of two that divides all
}

#define HELIO_BLOCKS Operand block1, Operand block2, Operand block3, Operand block4, Operand block5
#define HELIO_ALL_BLOCKS {block1, block2, block3, block4, block5}
#define HELIO_RANKED_BLOCKS {{block1, 3}, {block2, 3}, {block3, 3}, {block4, 3}, {block5, 3}}

template <class S>
std::vector<Blocks<S>> packed(std::initializer_list<Operand> blocks, bool backward) {
  std::vector<Blocks<S>> result;
  for (const Operand& one : blocks) result.emplace_back(one, backward);
  return result;
}

ffi::Error project(ffi::ThreadPool pool, HELIO_BLOCKS, Operand x, Result y1, Result y2, Result y3, Result y4, Result y5) {
  if (has_batch(HELIO_RANKED_BLOCKS)) return ffi::Error::InvalidArgument(kBatchOfWeights);
  const Numbers batch = batch_of(*y1, 2);
  const Batched from(x, 2, batch);
  const Batched to[] = {{*y1, 2, batch}, {*y2, 2, batch}, {*y3, 2, batch}, {*y4, 2, batch}, {*y5, 2, batch}};
  return with_vectors(x, common_width(HELIO_ALL_BLOCKS), [&](auto simd) {
    using S = decltype(simd);
    using T = typename S::T;
    const auto blocks = packed<S>(HELIO_ALL_BLOCKS, false);
    const int64_t F = from.dim(1);
    over_atoms(pool, product(batch), from.dim(0), [&](int64_t b, int64_t first, int rows) {
      for (int p = 0; p < kProjections; ++p)
        blocks[p].template add_to<true>(rows, from.at<const T>(b) + first * F, to[p].at<T>(b) + first * F);
    });
  });
}

ffi::Error project_backward(ffi::ThreadPool pool, HELIO_BLOCKS, Operand y1, Operand y2, Operand y3, Operand y4,
                            Operand y5, Result x) {
  if (has_batch(HELIO_RANKED_BLOCKS)) return ffi::Error::InvalidArgument(kBatchOfWeights);
  const Numbers batch = batch_of(*x, 2);
  const Batched to(*x, 2, batch);
  const Batched from[] = {{y1, 2, batch}, {y2, 2, batch}, {y3, 2, batch}, {y4, 2, batch}, {y5, 2, batch}};
  return with_vectors(y1, common_width(HELIO_ALL_BLOCKS), [&](auto simd) {
    using S = decltype(simd);
    using T = typename S::T;
    const auto blocks = packed<S>(HELIO_ALL_BLOCKS, true);
    const int64_t F = to.dim(1);
    over_atoms(pool, product(batch), to.dim(0), [&](int64_t b, int64_t first, int rows) {
      T* out = to.at<T>(b) + first * F;
      blocks[0].template add_to<true>(rows, from[0].at<const T>(b) + first * F, out);
      for (int p = 1; p < kProjections; ++p) blocks[p].template add_to<false>(rows, from[p].at<const T>(b) + first * F, out);
    });
  });
}

// ---- Update.

#define HELIO_WEIGHTS                                                                                               \
  Operand first_scale, Operand first_bias, Operand residual1, Operand bias1, Operand residual2, Operand bias2,      \
      Operand exchange, Operand exchange_bias, Operand last_scale, Operand last_bias
#define HELIO_RANKED_WEIGHTS                                                                                     \
  {{first_scale, 1}, {first_bias, 1}, {residual1, 2}, {bias1, 1}, {residual2, 2}, {bias2, 1}, {exchange, 2},     \
   {exchange_bias, 1}, {last_scale, 1}, {last_bias, 1}}
#define HELIO_POINTERS                                                                                           \
  {first_scale, first_bias, residual1, bias1, residual2, bias2, exchange, exchange_bias, last_scale, last_bias}

template <class T>
UpdateWeights<T> weights_of(const std::array<Operand, 10>& operands, Numbers degrees, double epsilon) {
  UpdateWeights<T> w{};
  w.features = int(operands[0].dimensions().back());
  w.degrees = int(degrees.size());
  w.epsilon = epsilon;
  for (int l = 0; l < w.degrees; ++l) {
    w.degree[l] = int(degrees[l]);
    w.components += 2 * w.degree[l] + 1;
  }
  const T** pointers[] = {&w.first_scale, &w.first_bias, &w.residual1,     &w.bias1,      &w.residual2,
                          &w.bias2,       &w.exchange,   &w.exchange_bias, &w.last_scale, &w.last_bias};
  for (int k = 0; k < 10; ++k) *pointers[k] = static_cast<const T*>(operands[k].untyped_data());
  return w;
}

struct UpdateOperands {
  Batched x, dx, chi, dchi;

  template <class T>
  UpdateAtoms<T> at(int64_t b) const {
    return {x.at<const T>(b), dx.at<const T>(b), chi.empty() ? nullptr : chi.at<const T>(b), dchi.at<const T>(b)};
  }
};

ffi::Error check(bool batched, Numbers degrees) {
  if (batched) return ffi::Error::InvalidArgument(kBatchOfWeights);
  if (degrees.size() > kMaxUpdateDegrees) return ffi::Error::InvalidArgument("too many degrees");
  return ffi::Error::Success();
}

ffi::Error update(ffi::ThreadPool pool, HELIO_WEIGHTS, Operand x, Operand dx, Operand chi, Operand dchi, Result new_x,
                  Result new_chi, Result saved, Numbers degrees, double epsilon) {
  if (auto error = check(has_batch(HELIO_RANKED_WEIGHTS), degrees); error.failure()) return error;
  const Numbers batch = batch_of(*new_x, 2);
  const UpdateOperands atoms{{x, 2, batch}, {dx, 2, batch}, {chi, 2, batch}, {dchi, 2, batch}};
  const Batched to_x(*new_x, 2, batch), to_chi(*new_chi, 2, batch), kept(*saved, 2, batch);
  return with_vectors(x, to_x.dim(1), [&](auto simd) {
    using S = decltype(simd);
    using T = typename S::T;
    const Update<S> update(weights_of<T>(HELIO_POINTERS, degrees, epsilon), false);
    over_atoms(pool, product(batch), to_x.dim(0), [&](int64_t b, int64_t first, int rows) {
      typename Update<S>::Scratch scratch(update);
      update.forward(first, rows, atoms.at<T>(b), to_x.at<T>(b), to_chi.at<T>(b), kept.at<T>(b), scratch);
    });
  });
}

ffi::Error update_backward(ffi::ThreadPool pool, HELIO_WEIGHTS, Operand x, Operand dx, Operand chi, Operand dchi,
                           Operand saved, Operand x_gradient, Operand chi_gradient, Result a_gradient,
                           Result c_gradient, Numbers degrees, double epsilon) {
  if (auto error = check(has_batch(HELIO_RANKED_WEIGHTS), degrees); error.failure()) return error;
  const Numbers batch = batch_of(*a_gradient, 2);
  const UpdateOperands atoms{{x, 2, batch}, {dx, 2, batch}, {chi, 2, batch}, {dchi, 2, batch}};
  const Batched kept(saved, 2, batch), gx(x_gradient, 2, batch), gc(chi_gradient, 2, batch),
      to_a(*a_gradient, 2, batch), to_c(*c_gradient, 2, batch);
  return with_vectors(x, to_a.dim(1), [&](auto simd) {
    using S = decltype(simd);
    using T = typename S::T;
    const Update<S> update(weights_of<T>(HELIO_POINTERS, degrees, epsilon), true);
    over_atoms(pool, product(batch), to_a.dim(0), [&](int64_t b, int64_t first, int rows) {
      typename Update<S>::Scratch scratch(update);
      update.backward(first, rows, atoms.at<T>(b), kept.at<const T>(b), gx.at<const T>(b), gc.at<const T>(b),
                      to_a.at<T>(b), to_c.at<T>(b), scratch);
    });
  });
}

using Any = ffi::AnyBuffer;

#define HELIO_BIND_BLOCKS ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>()

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_project_forward, project,
                              HELIO_BIND_BLOCKS.Arg<Any>().Ret<Any>().Ret<Any>().Ret<Any>().Ret<Any>().Ret<Any>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_project_backward, project_backward,
                              HELIO_BIND_BLOCKS.Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Ret<Any>());

#define HELIO_BIND_WEIGHTS                                                                                           \
  ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>() \
      .Arg<Any>().Arg<Any>().Arg<Any>()

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_update_forward, update,
                              HELIO_BIND_WEIGHTS.Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Ret<Any>().Ret<Any>()
                                  .Ret<Any>().Attr<Numbers>("degrees").Attr<double>("epsilon"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_update_backward, update_backward,
                              HELIO_BIND_WEIGHTS.Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>().Arg<Any>()
                                  .Arg<Any>().Ret<Any>().Ret<Any>().Attr<Numbers>("degrees").Attr<double>("epsilon"));

}  // namespace helio
