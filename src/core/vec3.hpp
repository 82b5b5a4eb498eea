// SPDX-License-Identifier: MIT
#pragma once
#include <array>

namespace isotrope {

using Vec3 = std::array<double, 3>;
/// Row-major: m[row][column]. A cell's rows are its lattice vectors.
using Mat3 = std::array<Vec3, 3>;

inline Vec3 operator+(const Vec3& a, const Vec3& b) {
  return {a[0] + b[0], a[1] + b[1], a[2] + b[2]};
}
inline Vec3 operator-(const Vec3& a, const Vec3& b) {
  return {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
}
inline Vec3 operator*(double s, const Vec3& a) {
  return {s * a[0], s * a[1], s * a[2]};
}
inline double dot(const Vec3& a, const Vec3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
inline Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
/// The product m a.
inline Vec3 operator*(const Mat3& m, const Vec3& a) {
  return {dot(m[0], a), dot(m[1], a), dot(m[2], a)};
}
inline double determinant(const Mat3& m) {
  return dot(m[0], cross(m[1], m[2]));
}

}  // namespace isotrope
