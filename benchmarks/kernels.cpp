// SPDX-License-Identifier: MIT
// The kernels of MACE one by one, at the sizes of 96x0e and 128x0e+128x1o (l_max 3, correlation 3, radial network
// 64-64-64), for 64 atoms with 55 neighbours each; float and double, plain numbers and duals. The counter is the time
// per atom.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "core/gemm.hpp"
#include "core/random.hpp"
#include "layers/edge_embedding.hpp"
#include "models/mace.hpp"
#include "models/mace_weights.hpp"

namespace isotrope {
namespace {

constexpr int atoms = 64, neighbours = 55;
constexpr long edges = static_cast<long>(atoms) * neighbours;

template <class X>
View<X> random_view(std::size_t size, std::uint64_t seed = 1) {
  SplitMix random(seed);
  std::vector<X> values(size);
  for (X& x : values) {
    if constexpr (std::is_arithmetic_v<X>)
      x = static_cast<X>(random.normal());
    else
      x = {static_cast<decltype(x.v)>(random.normal()), static_cast<decltype(x.t)>(random.normal())};
  }
  return to_device("isotrope::benchmark", values);
}

/// A model, its prepared weights and an environment of random neighbours.
template <class A>
struct Bench {
  using T = typename A::Real;
  using Num = typename A::Num;

  explicit Bench(const char* hidden_irreps)
      : record(create_mace({{"architecture", "mace"}, {"cutoff", 5.0}, {"hidden_irreps", hidden_irreps}},
                           {{1, 8}, {-13.6, -2040.0}, neighbours, 1, {}, {}}, 1)),
        shape(MaceShape::from(record.hyperparameters, 2, record.cutoff)),
        plan(plan_weights<T>(shape, record.parameters, coupling_tables(record, shape))) {
    plan.plan.template prepare<T>(record.parameters.values(), weights);
    gradient = View<T>("isotrope::benchmark", plan.plan.size());
    std::vector<long> rows(atoms + 1);
    std::vector<int> senders(edges);
    SplitMix random(2);
    for (int i = 0; i <= atoms; ++i) rows[i] = static_cast<long>(i) * neighbours;
    for (int& j : senders) j = static_cast<int>(random.below(atoms));
    first = to_device("isotrope::benchmark::first", rows);
    sender = to_device("isotrope::benchmark::sender", senders);
  }

  const MaceLayer& first_layer() const { return plan.layers[0]; }
  const MaceLayer& layer() const { return plan.layers[1]; }
  int harmonics() const { return (shape.l_max + 1) * (shape.l_max + 1); }
  T* weight_gradient() const { return A::dual ? gradient.data() : nullptr; }

  EdgeBatch<A> batch(const View<Num>& couplings, const View<T>& radial) const {
    return {0, atoms, 0, edges, first.data(), sender.data(), couplings.data(), radial.data()};
  }

  ModelRecord record;
  MaceShape shape;
  MaceWeights plan;
  View<T> weights, gradient;
  View<long> first;
  View<int> sender;
};

/// Random features with their memory.
template <class A>
struct Filled {
  Filled(const Layout& layout, long n)
      : memory(random_view<typename A::Real>(static_cast<std::size_t>(layout.width * n * A::rows))),
        features{memory.data(), n, layout} {}
  View<typename A::Real> memory;
  Features<A> features;
};

template <class F>
void time_per_atom(benchmark::State& state, const F& work) {
  for (auto _ : state) {
    work();
    Kokkos::fence();
  }
  using benchmark::Counter;
  state.counters["per_atom"] = Counter(atoms, Counter::kIsIterationInvariantRate | Counter::kInvert);
}

template <class A>
void edge_embedding(benchmark::State& state, const char* irreps) {
  using T = typename A::Real;
  const Bench<A> b(irreps);
  const View<double> r = random_view<double>(3 * edges), dr = random_view<double>(3 * edges, 3);
  const auto frequencies = to_device("isotrope::benchmark", b.record.tables.at("bessel.frequencies").values);
  const BesselBasis basis = mace_basis(b.shape, frequencies.data());
  View<T> radial("radial", edges * A::rows * b.shape.num_bessel);
  View<typename A::Num> harmonics("harmonics", edges * b.harmonics());
  time_per_atom(state, [&] {
    embed_edges<A>(basis, {b.shape.l_max, -1}, edges, r.data(), dr.data(), radial.data(), harmonics.data());
  });
}

template <class A>
void radial_network(benchmark::State& state, const char* irreps, bool backward) {
  using T = typename A::Real;
  const Bench<A> b(irreps);
  const RadialMlp& mlp = b.layer().radial;
  const std::size_t rows = edges * A::rows;
  const View<T> input = random_view<T>(rows * b.shape.num_bessel);
  View<T> output("output", rows * mlp.layers.back().out), g_input("g", rows * b.shape.num_bessel);
  typename RadialMlp::template Scratch<A> scratch;
  mlp.forward<A>(b.weights.data(), edges, input.data(), scratch, output.data());
  time_per_atom(state, [&] {
    if (backward)
      mlp.backward<A>(b.weights.data(), edges, input.data(), scratch, output.data(), g_input.data(),
                      b.weight_gradient());
    else
      mlp.forward<A>(b.weights.data(), edges, input.data(), scratch, output.data());
  });
}

template <class A>
void convolution(benchmark::State& state, const char* irreps, bool backward) {
  using T = typename A::Real;
  using Num = typename A::Num;
  const Bench<A> b(irreps);
  const Convolution& c = *b.layer().convolution;
  const View<Num> harmonics = random_view<Num>(edges * b.harmonics());
  const View<T> radial = random_view<T>(edges * A::rows * c.weights);
  View<Num> couplings("couplings", edges * c.couplings);
  View<T> g_harmonics("g_harmonics", edges * b.harmonics()), g_couplings("g_couplings", edges * c.couplings);
  const Filled<A> in(b.layer().in, atoms), out(c.out, atoms), g_in(b.layer().in, atoms);
  couple<A>(c, edges, b.harmonics(), harmonics.data(), couplings.data());
  time_per_atom(state, [&] {
    if (backward) {
      convolve_backward<A>(c, b.batch(couplings, radial), in.features, out.features, g_in.features,
                           A::dual ? nullptr : g_couplings.data());
      if (!A::dual) couple_backward<T>(c, edges, b.harmonics(), g_couplings.data(), g_harmonics.data());
    } else {
      couple<A>(c, edges, b.harmonics(), harmonics.data(), couplings.data());
      convolve<A>(c, b.batch(couplings, radial), in.features, out.features);
    }
  });
}

template <class A>
void product_basis(benchmark::State& state, const char* irreps, bool backward) {
  const Bench<A> b(irreps);
  const MaceLayer& layer = b.first_layer();
  const std::vector<int> segment{0, atoms / 2, atoms};
  const Filled<A> x(layer.message, atoms), g_x(layer.message, atoms), y(layer.out, atoms);
  typename A::Real* gradient = b.weight_gradient();
  time_per_atom(state, [&] {
    if (backward)
      product_backward<A>(*layer.basis, segment, b.weights.data() + layer.product, x.features, y.features, g_x.features,
                          gradient ? gradient + layer.product : nullptr);
    else
      product_forward<A>(*layer.basis, segment, b.weights.data() + layer.product, x.features, y.features);
  });
}

/// All paths of the convolution to the message, every l.
template <class A>
void linear(benchmark::State& state, const char* irreps, bool backward) {
  const Bench<A> b(irreps);
  const MaceLayer& layer = b.layer();
  const Filled<A> x(layer.convolution->out, atoms), y(layer.message, atoms);
  time_per_atom(state, [&] {
    for (int l = 0; l < layer.message.count; ++l) {
      const long n = static_cast<long>(atoms) * (2 * l + 1);
      const int in = x.features.layout.block[l].pad, out = layer.message.block[l].pad;
      if (backward) {
        linear_weight_gradient<A>(layer.linear[l], n, x.features.start(l), in, y.features.start(l), out,
                                  b.weight_gradient());
        linear_backward<A>(b.weights.data(), layer.linear[l], n, y.features.start(l), out, 0, x.features.start(l), in);
      } else {
        linear_forward<A>(b.weights.data(), layer.linear[l], n, x.features.start(l), in, 0, y.features.start(l), out);
      }
    }
  });
}

template <class A>
void register_all(const char* arithmetic) {
  for (const char* irreps : {"96x0e", "128x0e+128x1o"}) {
    const auto name = [&](const char* kernel) { return fmt::format("{}/{}/{}", kernel, irreps, arithmetic); };
    using benchmark::RegisterBenchmark;
    RegisterBenchmark(name("edge_embedding").c_str(), edge_embedding<A>, irreps);
    RegisterBenchmark(name("radial_network").c_str(), radial_network<A>, irreps, false);
    RegisterBenchmark(name("radial_network_backward").c_str(), radial_network<A>, irreps, true);
    RegisterBenchmark(name("convolution").c_str(), convolution<A>, irreps, false);
    RegisterBenchmark(name("convolution_backward").c_str(), convolution<A>, irreps, true);
    RegisterBenchmark(name("product_basis").c_str(), product_basis<A>, irreps, false);
    RegisterBenchmark(name("product_basis_backward").c_str(), product_basis<A>, irreps, true);
    RegisterBenchmark(name("linear").c_str(), linear<A>, irreps, false);
    RegisterBenchmark(name("linear_backward").c_str(), linear<A>, irreps, true);
  }
}

}  // namespace
}  // namespace isotrope

int main(int argc, char** argv) {
  using namespace isotrope;
  Kokkos::ScopeGuard kokkos(argc, argv);
  use_one_blas_thread();
  register_all<Plain<float>>("float");
  register_all<Plain<double>>("double");
  register_all<WithTangent<float>>("dual_float");
  register_all<WithTangent<double>>("dual_double");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
