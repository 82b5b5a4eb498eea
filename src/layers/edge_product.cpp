// SPDX-License-Identifier: MIT
#include "layers/edge_product.hpp"

#include "core/loops.hpp"
#include "so3/clebsch_gordan.hpp"

namespace isotrope {
namespace {

template <class A>
struct Contract {
  int d;
  View<int> begin, harmonic;
  View<double> value;
  const typename A::Num* y;
  typename A::Num* matrices;
  KOKKOS_FUNCTION void operator()(long e) const {
    using T = typename A::Real;
    for (int n = 0; n < d * d; ++n) {
      typename A::Num sum{};
      for (int k = begin(n); k < begin(n + 1); ++k) sum += static_cast<T>(value(k)) * y[e * d + harmonic(k)];
      matrices[e * d * d + n] = sum;
    }
  }
};

template <class T>
struct ContractBackward {
  int d;
  View<int> begin, harmonic;
  View<double> value;
  const T* g_matrices;
  T* g_y;
  KOKKOS_FUNCTION void operator()(long e) const {
    for (int j = 0; j < d; ++j) g_y[e * d + j] = 0;
    for (int n = 0; n < d * d; ++n) {
      const T g = g_matrices[e * d * d + n];
      for (int k = begin(n); k < begin(n + 1); ++k) g_y[e * d + harmonic(k)] += static_cast<T>(value(k)) * g;
    }
  }
};

}  // namespace

EdgeProduct::EdgeProduct(int l_max, const std::vector<double>& tensor) : l_max(l_max), d((l_max + 1) * (l_max + 1)) {
  std::vector<int> begin{0}, harmonic;
  std::vector<double> value;
  for (int i = 0; i < d; ++i) {
    for (int k = 0; k < d; ++k) {
      for (int j = 0; j < d; ++j) {
        const double m = tensor[(i * d + j) * d + k];
        if (m == 0) continue;
        harmonic.push_back(j);
        value.push_back(m);
      }
      begin.push_back(static_cast<int>(value.size()));
    }
  }
  begin_ = to_device("isotrope::edge_product::begin", begin);
  harmonic_ = to_device("isotrope::edge_product::harmonic", harmonic);
  value_ = to_device("isotrope::edge_product::value", value);
}

template <class A>
void EdgeProduct::contract(long edges, const typename A::Num* harmonics, typename A::Num* matrices) const {
  for_each("isotrope::contract", edges, Contract<A>{d, begin_, harmonic_, value_, harmonics, matrices});
}

template <class T>
void EdgeProduct::contract_backward(long edges, const T* g_matrices, T* g_harmonics) const {
  for_each("isotrope::contract_backward", edges,
           ContractBackward<T>{d, begin_, harmonic_, value_, g_matrices, g_harmonics});
}

std::vector<double> all_path_tensor(int l_max, bool natural_parity) {
  const int d = (l_max + 1) * (l_max + 1);
  std::vector<double> tensor(static_cast<std::size_t>(d) * d * d, 0.0);
  for (int l1 = 0; l1 <= l_max; ++l1) {
    for (int l2 = 0; l2 <= l_max; ++l2) {
      for (int l3 = std::abs(l1 - l2); l3 <= std::min(l_max, l1 + l2); ++l3) {
        if (natural_parity && (l1 + l2 + l3) % 2 != 0) continue;
        for (const CouplingEntry& c : wigner_3j_sparse(l1, l2, l3)) {
          tensor[((l1 * l1 + c.m1) * d + l2 * l2 + c.m2) * d + l3 * l3 + c.m3] = c.value;
        }
      }
    }
  }
  return tensor;
}

std::vector<double> cp_tensor(int d, const std::vector<double>& a, const std::vector<double>& b,
                              const std::vector<double>& c) {
  const int rank = static_cast<int>(a.size()) / d;
  std::vector<double> tensor(static_cast<std::size_t>(d) * d * d, 0.0);
  for (int i = 0; i < d; ++i) {
    for (int j = 0; j < d; ++j) {
      for (int k = 0; k < d; ++k) {
        double sum = 0;
        for (int r = 0; r < rank; ++r) sum += a[i * rank + r] * b[j * rank + r] * c[k * rank + r];
        tensor[(i * d + j) * d + k] = sum;
      }
    }
  }
  return tensor;
}

template void EdgeProduct::contract<Plain<float>>(long, const float*, float*) const;
template void EdgeProduct::contract<Plain<double>>(long, const double*, double*) const;
template void EdgeProduct::contract<WithTangent<float>>(long, const Dual<float>*, Dual<float>*) const;
template void EdgeProduct::contract<WithTangent<double>>(long, const Dual<double>*, Dual<double>*) const;
template void EdgeProduct::contract_backward(long, const float*, float*) const;
template void EdgeProduct::contract_backward(long, const double*, double*) const;

}  // namespace isotrope
