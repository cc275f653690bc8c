// The two operations of attention as handlers of XLA's foreign function interface: operands in, work shared out.

#include <memory>
#include <numeric>
#include <string>
#include <type_traits>

#include "backward.h"
#include "dispatch.h"
#include "forward.h"
#include "operands.h"

namespace helio {
namespace {

// Rows below which a second thread costs more than it saves.
constexpr int64_t kLeastRows = 32;

// The operands that both directions share, in the order of the call.
struct Operands {
  Batched positions, cell, index, shift, row_start, table, first, bias, second, second_transposed;
  Batched query1, query2, key1, key2, value, chi;

  template <class T>
  Atoms<T> atoms(int64_t b) const {
    return {positions.dim(0),
            index.dim(0),
            index.dim(1),
            *row_start.at<const int32_t>(b),
            positions.at<const T>(b),
            cell.at<const T>(b),
            index.at<const int32_t>(b),
            shift.empty() ? nullptr : shift.at<const int16_t>(b),
            {query1.at<const T>(b), query2.at<const T>(b)},
            {key1.at<const T>(b), key2.at<const T>(b)},
            value.at<const T>(b),
            chi.empty() ? nullptr : chi.at<const T>(b)};
  }

  template <class T>
  Filters<T> filters(int64_t b) const {
    return {table.at<const T>(b), first.at<const T>(b), bias.at<const T>(b), second.at<const T>(b),
            second_transposed.at<const T>(b)};
  }
};

Shape shape_of(const Operands& operands, int64_t heads, Numbers degrees, double cutoff, double decay, double average) {
  Shape shape{};
  shape.features = int(operands.value.dim(1));
  shape.heads = int(heads);
  shape.hidden = int(operands.second.dim(1));
  shape.degrees = int(degrees.size());
  for (int l = 0; l < shape.degrees; ++l) {
    shape.degree[l] = int(degrees[l]);
    shape.components += 2 * shape.degree[l] + 1;
    shape.highest = std::max(shape.highest, shape.degree[l]);
  }
  shape.knots = int(operands.table.dim(0));
  shape.cutoff = cutoff;
  shape.decay = decay;
  shape.average_neighbors = average;
  return shape;
}

// Calls run(Simd) with vectors that fit into a head of either attention.
template <class Run>
ffi::Error with_heads(const Operand& positions, const Shape& shape, Run&& run) {
  return with_vectors(positions, std::gcd(shape.features / shape.heads, shape.features / shape.degrees), run);
}

// Orders the atoms of each element of the batch and runs work(element, order, chunk, task) for all chunks.
template <class T, class Work>
void over_chunks(ffi::ThreadPool& pool, const Operands& operands, int64_t batch, int chunks, Work&& work) {
  std::vector<Order> orders;
  for (int64_t b = 0; b < batch; ++b) {
    Atoms<T> atoms = operands.atoms<T>(b);
    orders.push_back(order_atoms(atoms.positions + 3 * atoms.row_start, atoms.rows, atoms.cell, atoms.shift, chunks));
  }
  run_parallel(pool, int(pool.num_threads()), int(batch) * chunks,
               [&](int task) { work(task / chunks, orders[task / chunks], task % chunks, task); });
}

// As few chunks as keep all threads busy: pairs between chunks are computed twice. In water of 1536 atoms two chunks
// compute 15 % more pairs than one, eight 39 %.
int chunks_for(ffi::ThreadPool& pool, int64_t rows, int64_t batch) {
  const int64_t threads = std::max<int64_t>(1, pool.num_threads());
  const int64_t wanted = (threads + batch - 1) / batch;
  return int(std::max<int64_t>(1, std::min(wanted, rows / kLeastRows)));
}

#define HELIO_OPERANDS                                                                                                 \
  Operand positions, Operand cell, Operand index, Operand shift, Operand row_start, Operand table, Operand first,      \
      Operand bias, Operand second, Operand second_transposed, Operand query1, Operand query2, Operand key1,           \
      Operand key2, Operand value, Operand chi

#define HELIO_GATHERED                                                                                                 \
  Operands operands {                                                                                                  \
    {positions, 2, batch}, {cell, 2, batch}, {index, 2, batch}, {shift, 3, batch}, {row_start, 0, batch},              \
        {table, 3, batch}, {first, 2, batch}, {bias, 1, batch}, {second, 3, batch}, {second_transposed, 3, batch},     \
        {query1, 2, batch}, {query2, 2, batch}, {key1, 2, batch}, {key2, 2, batch}, {value, 2, batch}, {chi, 2, batch} \
  }

ffi::Error forward(ffi::ThreadPool pool, HELIO_OPERANDS, Result features, Result euclidean, int64_t heads,
                   Numbers degrees, double cutoff, double decay, double average_neighbors) {
  const Numbers batch = batch_of(*features, 2);
  HELIO_GATHERED;
  const Shape shape = shape_of(operands, heads, degrees, cutoff, decay, average_neighbors);
  const Batched x(*features, 2, batch), c(*euclidean, 2, batch);
  return with_heads(positions, shape, [&](auto simd) {
    using S = decltype(simd);
    using T = typename S::T;
    const int64_t count = product(batch);
    over_chunks<T>(pool, operands, count, chunks_for(pool, index.dimensions()[batch.size()], count),
                   [&](int64_t b, const Order& order, int chunk, int) {
                     const Filters<T> filters = operands.filters<T>(b);
                     const Atoms<T> atoms = operands.atoms<T>(b);
                     const ForwardResult<T> result{x.at<T>(b), c.at<T>(b)};
                     std::make_unique<Forward<S>>(shape, filters, atoms, result)->run(order, chunk);
                   });
  });
}

ffi::Error backward(ffi::ThreadPool pool, HELIO_OPERANDS, Operand features_gradient, Operand euclidean_gradient,
                    Result query1_gradient, Result query2_gradient, Result key1_gradient, Result key2_gradient,
                    Result value_gradient, Result chi_gradient, Result positions_gradient, Result cell_gradient,
                    int64_t heads, Numbers degrees, double cutoff, double decay, double average_neighbors) {
  const Numbers batch = batch_of(*value_gradient, 2);
  HELIO_GATHERED;
  const Shape shape = shape_of(operands, heads, degrees, cutoff, decay, average_neighbors);
  const Batched dx(features_gradient, 2, batch), dc(euclidean_gradient, 2, batch), q1(*query1_gradient, 2, batch),
      q2(*query2_gradient, 2, batch), k1(*key1_gradient, 2, batch), k2(*key2_gradient, 2, batch),
      v(*value_gradient, 2, batch), c(*chi_gradient, 2, batch), r(*positions_gradient, 2, batch),
      h(*cell_gradient, 2, batch);
  return with_heads(positions, shape, [&](auto simd) {
    using S = decltype(simd);
    using T = typename S::T;
    const int64_t count = product(batch);
    const int chunks = chunks_for(pool, index.dimensions()[batch.size()], count);
    std::vector<double> cells(9 * count * chunks);
    over_chunks<T>(pool, operands, count, chunks, [&](int64_t b, const Order& order, int chunk, int task) {
      const Filters<T> filters = operands.filters<T>(b);
      const Atoms<T> atoms = operands.atoms<T>(b);
      const BackwardResult<T> result{{q1.at<T>(b), q2.at<T>(b)}, {k1.at<T>(b), k2.at<T>(b)}, v.at<T>(b),
                                     c.empty() ? nullptr : c.at<T>(b), r.at<T>(b), cells.data() + 9 * task};
      std::make_unique<Backward<S>>(shape, filters, atoms, dx.at<const T>(b), dc.at<const T>(b), result)
          ->run(order, chunk);
    });
    for (int64_t b = 0; b < count; ++b)
      for (int k = 0; k < 9; ++k) {
        double sum = 0;  // in the order of the chunks, whatever thread made them
        for (int chunk = 0; chunk < chunks; ++chunk) sum += cells[9 * (b * chunks + chunk) + k];
        h.at<T>(b)[k] = T(sum);
      }
  });
}

#define HELIO_BIND_OPERANDS(bind)                                                                                      \
  bind.Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>()        \
      .Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>().Arg<Operand>()        \
      .Arg<Operand>().Arg<Operand>()
#define HELIO_BIND_SETTINGS(bind)                                                                                      \
  bind.Attr<int64_t>("heads").Attr<Numbers>("degrees").Attr<double>("cutoff").Attr<double>("decay").Attr<double>(      \
      "average_neighbors")

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_attention_forward, forward,
                              HELIO_BIND_SETTINGS(HELIO_BIND_OPERANDS(ffi::Ffi::Bind().Ctx<ffi::ThreadPool>())
                                                      .Ret<ffi::AnyBuffer>()
                                                      .Ret<ffi::AnyBuffer>()));

XLA_FFI_DEFINE_HANDLER_SYMBOL(helio_attention_backward, backward,
                              HELIO_BIND_SETTINGS(HELIO_BIND_OPERANDS(ffi::Ffi::Bind().Ctx<ffi::ThreadPool>())
                                                      .Arg<Operand>()
                                                      .Arg<Operand>()
                                                      .Ret<ffi::AnyBuffer>()
                                                      .Ret<ffi::AnyBuffer>()
                                                      .Ret<ffi::AnyBuffer>()
                                                      .Ret<ffi::AnyBuffer>()
                                                      .Ret<ffi::AnyBuffer>()
                                                      .Ret<ffi::AnyBuffer>()
                                                      .Ret<ffi::AnyBuffer>()
                                                      .Ret<ffi::AnyBuffer>()));

// Names an instruction set that this library was compiled for and this processor lacks; null if there is none.
extern "C" const char* helio_missing_instructions() {
#define HELIO_CHECK(name) \
  if (!__builtin_cpu_supports(name)) return name
#if defined(__x86_64__)
  __builtin_cpu_init();
#if defined(__AVX2__)
  HELIO_CHECK("avx2");
#endif
#if defined(__FMA__)
  HELIO_CHECK("fma");
#endif
#if defined(__BMI2__)
  HELIO_CHECK("bmi2");
#endif
#if defined(__AVX512F__)
  HELIO_CHECK("avx512f");
#endif
#if defined(__AVX512DQ__)
  HELIO_CHECK("avx512dq");
#endif
#if defined(__AVX512BW__)
  HELIO_CHECK("avx512bw");
#endif
#if defined(__AVX512VL__)
  HELIO_CHECK("avx512vl");
#endif
#if defined(__AVX512VBMI__)
  HELIO_CHECK("avx512vbmi");
#endif
#endif
  return nullptr;
}

}  // namespace helio
