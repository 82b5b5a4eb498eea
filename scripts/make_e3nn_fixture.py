#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/data/e3nn.h5: numbers of e3nn that tests/test_so3.cpp and test_tensor_products.cpp compare with, in float64,
seed fixed.

    python scripts/make_e3nn_fixture.py [-o tests/data/e3nn.h5]

Needs e3nn 0.5.6, torch, h5py. Not e3nn 0.4.4, which mace-torch asks for: its tabulated 3j symbols have the opposite
sign for some l with l1 + l2 + l3 odd, such as (1, 2, 2); all others, the harmonics and Wigner D are the same.

    attributes            format = "isotrope-e3nn-fixture", program = "e3nn VERSION"
    harmonics/points      float64 [P, 3]    not normalised; the first are the axes, both poles among them
    harmonics/values      float64 [P, 81]   l = 0 ... 8, normalize=True, normalization="component"
    wigner_3j/l           int32   [W, 3]    l1, l2, l3: all up to 4, some up to 8
    wigner_3j/values      float64 [...]     the tensors one after the other, row-major
    wigner_d/matrices     float64 [R, 3, 3] rotations; the last one times the inversion
    wigner_d/values       float64 [R, 969]  D^l for l = 0 ... 8 of parity (-1)^l, one after the other, row-major
    products/x, y         float64 [3, 16]   of irreps 0e+1o+2e+3o
    products/full         float64 [3, 256]  o3.FullTensorProduct
    products/summed       float64 [3, 17]   o3.TensorProduct "uuu" of all paths to 0e+1o+1e+2e+2o, weights 1
"""
import argparse

import h5py
import numpy as np
import torch
import e3nn
from e3nn import o3

L_MAX = 8
LARGE = [(5, 3, 8), (8, 5, 3), (6, 5, 4), (7, 7, 7), (8, 8, 0), (8, 1, 8), (8, 2, 7), (5, 6, 7), (8, 8, 3)]


def triples():
    small = [(a, b, c) for a in range(5) for b in range(5) for c in range(abs(a - b), min(a + b, 4) + 1)]
    return small + LARGE


def harmonics(generator):
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    points = np.concatenate([axes, generator.normal(size=(14, 3)) * generator.uniform(0.3, 4, size=(14, 1))])
    values = o3.spherical_harmonics(list(range(L_MAX + 1)), torch.tensor(points), normalize=True, normalization="component")
    return points, values.numpy()


def wigner_d():
    proper = o3.rand_matrix(4)
    signs = torch.tensor([1, 1, 1, -1])
    rows = []
    for matrix, sign in zip(proper, signs):
        blocks = [o3.Irrep(l, (-1) ** l).D_from_matrix(matrix * sign).reshape(-1) for l in range(L_MAX + 1)]
        rows.append(torch.cat(blocks).numpy())
    return (proper * signs[:, None, None]).numpy(), np.stack(rows)


def products(generator):
    irreps, out = o3.Irreps("0e+1o+2e+3o"), o3.Irreps("0e+1o+1e+2e+2o")
    x, y = (torch.tensor(generator.normal(size=(3, irreps.dim))) for _ in "xy")
    paths = [(i, j, k, "uuu", False) for k, (_, c) in enumerate(out) for i, (_, a) in enumerate(irreps)
             for j, (_, b) in enumerate(irreps) if c in a * b]
    full, summed = o3.FullTensorProduct(irreps, irreps), o3.TensorProduct(irreps, irreps, out, paths)
    return {"x": x, "y": y, "full": full(x, y), "summed": summed(x, y)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", default="tests/data/e3nn.h5")
    output = parser.parse_args().output
    if e3nn.__version__.startswith("0.4."):
        raise SystemExit(f"expected e3nn 0.5.6, found {e3nn.__version__}: its 3j symbols have other signs")
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    points, values = harmonics(np.random.default_rng(1))
    matrices, blocks = wigner_d()
    tensors = [o3.wigner_3j(*l).reshape(-1).numpy() for l in triples()]
    with h5py.File(output, "w") as file:
        file.attrs["format"] = "isotrope-e3nn-fixture"
        file.attrs["program"] = f"e3nn {e3nn.__version__}"
        packed = dict(compression="gzip", compression_opts=9, shuffle=True)
        file.create_dataset("harmonics/points", data=points)
        file.create_dataset("harmonics/values", data=values)
        file.create_dataset("wigner_3j/l", data=np.array(triples(), dtype=np.int32))
        file.create_dataset("wigner_3j/values", data=np.concatenate(tensors), **packed)
        file.create_dataset("wigner_d/matrices", data=matrices)
        file.create_dataset("wigner_d/values", data=blocks)
        for name, values in products(np.random.default_rng(2)).items():
            file.create_dataset(f"products/{name}", data=values.numpy())
    print(f"{output}: {len(points)} points, {len(tensors)} 3j tensors, {len(matrices)} rotations")


if __name__ == "__main__":
    main()
