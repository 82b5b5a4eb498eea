#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times tensor products of e3nn (PyTorch), of e3nn-jax and of the code of The Price of Freedom (Xie et al., ICML 2025) against
`isotrope tensor-products`: the same irreps, the same outputs, batch 10,000, single precision, one thread, one core.

    python3 -m venv peers && peers/bin/pip install e3nn e3nn-jax torch
    git clone https://github.com/atomicarchitects/PriceofFreedom freedom
    peers/bin/python scripts/time_tensor_products.py build/isotrope --freedom freedom --json peers.json

Programs take turns: each round times every program once, the smallest time of all rounds counts. Outputs are compared
block by block, up to one factor a block. A program that has not built (traced, compiled) a product after --patience
seconds is left out of that row. Results of earlier runs in the file of --json are kept where they are not measured
again, so that a long table can be made of short runs (--l-min, --l-max, --outputs).
"""
import argparse
import json
import os
import pathlib
import select
import subprocess
import sys
import time
import types

BATCH = 10000
# Which outputs, in which settings, our products for them, and the programs that have them.
OUTPUTS = {
    "full": (["mimo"], ["clebsch-gordan-full"], ["e3nn", "e3nn-jax"]),
    "cropped": (["mimo"], ["clebsch-gordan-blocks"], ["e3nn", "e3nn-jax"]),
    "natural": (["siso", "simo", "mimo"], ["clebsch-gordan-natural"], ["freedom-dense", "freedom-sparse"]),
    "gaunt-full": (["simo", "mimo"], ["gaunt-grid-full", "gaunt-paths-full"], ["e3nn", "e3nn-jax"]),
    "gaunt-cropped": (["siso", "mimo"], ["gaunt-grid", "gaunt-paths"], ["e3nn", "e3nn-jax"]),
}
# The sums of e3nn have the paths of a Gaunt product, but a factor of each that is positive: not the same numbers.
OTHER_FACTORS = [("e3nn", "gaunt-full"), ("e3nn", "gaunt-cropped")]


# ---- in the process of a peer: one of these functions makes f(x, y) -> z and the irreps of z

def natural_irreps(first, last):
    return "+".join(f"1x{l}{'eo'[l % 2]}" for l in range(first, last + 1))


def inputs_of(setting, L):
    return natural_irreps(0 if setting == "mimo" else L, L)


def largest_output(outputs, setting, L):
    return L if "cropped" in outputs or setting == "siso" else 2 * L


def e3nn_product(outputs, setting, L):
    """Exact: o3.FullTensorProduct. Gaunt: the sum of its paths, all that e3nn has for it."""
    from e3nn import o3

    irreps = o3.Irreps(inputs_of(setting, L))
    if outputs == "full":
        product = o3.FullTensorProduct(irreps, irreps)
    elif outputs == "cropped":
        product = o3.FullTensorProduct(irreps, irreps, [o3.Irrep(l, p) for l in range(L + 1) for p in (1, -1)])
    else:
        last = largest_output(outputs, setting, L)
        out = o3.Irreps(natural_irreps(last if setting == "siso" else 0, last))
        paths = [(i, j, k, "uuu", False) for i, (_, a) in enumerate(irreps) for j, (_, b) in enumerate(irreps)
                 for k, (_, c) in enumerate(out) if abs(a.l - b.l) <= c.l <= a.l + b.l and (a.l + b.l + c.l) % 2 == 0]
        used = sorted({k for _, _, k, _, _ in paths})
        product = o3.TensorProduct(irreps, irreps, o3.Irreps([out[k] for k in used]),
                                   [(i, j, used.index(k), *how) for i, j, k, *how in paths])
    return product, str(product.irreps_out)


def jax_function(outputs, setting, L):
    """Gaunt: the grid and the calls of gaunt_tensor_product_s2grid in the code of The Price of Freedom."""
    import e3nn_jax

    last = largest_output(outputs, setting, L)
    if outputs == "full":
        return e3nn_jax.tensor_product
    if outputs == "cropped":
        below = [e3nn_jax.Irrep(l, p) for l in range(L + 1) for p in (1, -1)]
        return lambda x, y: e3nn_jax.tensor_product(x, y, filter_ir_out=below)
    grid = {"res_beta": 2 * L + 1, "res_alpha": 2 * (2 * L + 1), "quadrature": "gausslegendre", "p_val": 1, "p_arg": -1}
    first = last if setting == "siso" else 0
    irreps = e3nn_jax.Irreps([(1, (l, (-1) ** l)) for l in range(first, last + 1) if setting == "mimo" or l % 2 == 0])

    def product(x, y):
        return e3nn_jax.from_s2grid(e3nn_jax.to_s2grid(x, fft=False, **grid) * e3nn_jax.to_s2grid(y, fft=False, **grid),
                                    irreps, fft=False)
    return product


def freedom_function(program, setting, L, folder):
    import e3nn_jax

    for name, place in (("freedom", folder / "freedom"), ("freedom.tensor_products", folder / "freedom/tensor_products")):
        package = types.ModuleType(name)  # its own __init__ asks for packages that are not needed here
        package.__path__ = [str(place)]
        sys.modules[name] = package
    from freedom.tensor_products import functional

    dense = functional.clebsch_gordan_tensor_product_dense
    function = dense if program == "freedom-dense" else functional.clebsch_gordan_tensor_product_sparse
    irreps = e3nn_jax.Irreps(natural_irreps(L, L)) if setting == "siso" else e3nn_jax.s2_irreps(2 * L)
    return lambda x, y: function(x, y, filter_ir_out=irreps, irrep_normalization="norm")


def with_torch(outputs, setting, L):
    import torch

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    product, irreps = e3nn_product(outputs, setting, L)
    def prepared(x, y):
        x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
        return lambda: product(x, y)
    return prepared, lambda z: z.flatten().tolist(), lambda: irreps


def with_jax(program, outputs, setting, L, folder):
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import e3nn_jax
    import jax

    if program == "e3nn-jax":
        function = jax_function(outputs, setting, L)
    else:
        function = freedom_function(program, setting, L, folder)
    irreps, compiled, seen = inputs_of(setting, L), jax.jit(function), []
    def prepared(x, y):
        x, y = (e3nn_jax.IrrepsArray(irreps, jax.numpy.asarray(v, dtype="float32")) for v in (x, y))
        def run():
            z = compiled(x, y)
            z.array.block_until_ready()
            seen[:] = [str(z.irreps)]
            return z
        return run
    return prepared, lambda z: z.array.flatten().tolist(), lambda: seen[0]


def best_time(run, seconds):
    """Smallest, in ms, of at least three runs after two runs and a fifth of a second of warming up."""
    def once():
        begin = time.perf_counter()
        run()
        return time.perf_counter() - begin
    warm = once() + once()
    while warm < 0.2:
        warm += once()
    times = [once() for _ in range(3)]
    while sum(times) < seconds:
        times.append(once())
    return 1e3 * min(times)


def serve(program, outputs, setting, L, folder):
    """Answers the two questions of Peer, a line each; whatever libraries print goes elsewhere."""
    import numpy

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    make = with_torch(outputs, setting, L) if program == "e3nn" else with_jax(program, outputs, setting, L, folder)
    prepared, numbers, irreps = make
    random = numpy.random.default_rng(1)
    run = None
    for line in sys.stdin:
        question = json.loads(line)
        if "x" in question:
            z = numbers(prepared([question["x"]], [question["y"]])())
            size = len(question["x"])
            run = prepared(random.standard_normal((BATCH, size)), random.standard_normal((BATCH, size)))
            run()
            answer = {"z": z, "irreps": irreps()}
        else:
            answer = {"ms": best_time(run, question["seconds"])}
        print(json.dumps(answer), file=answers, flush=True)


# ---- in the main process

class Peer:
    """A product of another program in a process of its own."""

    def __init__(self, program, outputs, setting, L, freedom):
        command = [sys.executable, __file__, "--serve", program, outputs, setting, str(L)]
        command += ["--freedom", str(freedom)] if freedom else []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, question, patience):
        """The answer, or None if there is none in time."""
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return None
        if not select.select([self.process.stdout], [], [], patience)[0]:
            return None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def stop(self):
        self.process.kill()
        return self.process.communicate()[1].strip().splitlines()[-1:]


def blocks_of(irreps, z):
    """[(l, parity, numbers)], sorted by l and parity, else as they come."""
    blocks, at = [], 0
    for term in irreps.split("+"):
        multiplicity, name = term.split("x")
        for _ in range(int(multiplicity)):
            l = int(name[:-1])
            blocks.append((l, name[-1], z[at:at + 2 * l + 1]))
            at += 2 * l + 1
    if at != len(z):
        raise ValueError(f"'{irreps}' has {at} components, found {len(z)}")
    return sorted(blocks, key=lambda block: block[:2])


def difference(ours, theirs):
    """Largest relative difference of a block, up to one factor."""
    if [block[:2] for block in ours] != [block[:2] for block in theirs]:
        raise ValueError(f"blocks differ: {[b[:2] for b in ours]} here, {[b[:2] for b in theirs]} there")
    worst = 0.0
    for (_, _, a), (_, _, b) in zip(ours, theirs):
        factor = sum(p * q for p, q in zip(a, b)) / sum(q * q for q in b)
        norm = sum(p * p for p in a) ** 0.5
        worst = max(worst, sum((p - factor * q) ** 2 for p, q in zip(a, b)) ** 0.5 / norm)
    return worst


def time_ours(binary, products, setting, L, repeats):
    command = [binary, "tensor-products", "--product", ",".join(products), "--setting", setting, "--l-min", str(L), "--l-max",
               str(L), "--batch", str(BATCH), "--repeats", str(repeats), "--sample", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["rows"]


def start_peers(arguments, outputs, setting, L, sample):
    """Programs that are ready, and for all of them a record of what came out."""
    ready, records = {}, {}
    for program in OUTPUTS[outputs][2]:
        if program.startswith("freedom") and not arguments.freedom:
            continue
        peer, begin = Peer(program, outputs, setting, L, arguments.freedom), time.perf_counter()
        answer = peer.ask({"x": sample["x"], "y": sample["y"]}, arguments.patience)
        records[program] = record = {"prepare_seconds": round(time.perf_counter() - begin, 1)}
        if answer is None:
            record["failed"] = " ".join(peer.stop()) or f"not ready after {arguments.patience} s"
            continue
        ready[program] = peer
        theirs = blocks_of(answer["irreps"], answer["z"])
        if (program, outputs) not in OTHER_FACTORS:
            record["difference"] = difference(blocks_of(sample["out"], sample["z"]), theirs)
            if not record["difference"] < 1e-4:
                raise SystemExit(f"{program}, {outputs} {setting}, L = {L}: outputs differ by {record['difference']:.1e}")
    return ready, records


def measure(arguments, outputs, setting, L):
    products = OUTPUTS[outputs][1]
    first = time_ours(arguments.isotrope, products, setting, L, 1)[0]
    ready, peers = start_peers(arguments, outputs, setting, L, {**first["sample"], "out": first["out"]})
    times = {}
    for _ in range(arguments.rounds):
        for row in time_ours(arguments.isotrope, products, setting, L, arguments.repeats):
            times.setdefault(row["product"], []).append(row["milliseconds"])
        for program, peer in ready.items():
            answer = peer.ask({"seconds": arguments.seconds}, 60 + arguments.patience)
            times.setdefault(program, []).append(answer["ms"])
    for program, peer in ready.items():
        peer.stop()
        peers[program]["ms"] = min(times[program])
    return {"outputs": outputs, "setting": setting, "L": L, "numbers": first["outputs"],
            "ours": {product: min(times[product]) for product in products}, "peers": peers}


def table(rows, outputs, setting):
    rows = sorted((r for r in rows if (r["outputs"], r["setting"]) == (outputs, setting)), key=lambda r: r["L"])
    _, products, programs = OUTPUTS[outputs]
    programs = [p for p in programs if any(p in r["peers"] for r in rows)]
    lines = [f"\n{outputs}, {setting}: ms, and how many times the fastest of ours",
             "| L | outputs | " + " | ".join(products + [f"{p} | times" for p in programs]) + " |",
             "|---" * (2 + len(products) + 2 * len(programs)) + "|"]
    for row in rows:
        fastest = min(row["ours"].values())
        cells = [str(row["L"]), str(row["numbers"])] + [f"{row['ours'][p]:.3f}" for p in products]
        for program in programs:
            ms = row["peers"].get(program, {}).get("ms")
            cells += [f"{ms:.2f}", f"{ms / fastest:.1f}"] if ms else ["–", "–"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) if rows else ""


def run(arguments):
    document = {"batch": BATCH, "precision": "single", "rows": []}
    if arguments.json and arguments.json.exists():
        document = json.loads(arguments.json.read_text())
    key = lambda row: (row["outputs"], row["setting"], row["L"])
    os.sched_setaffinity(0, {arguments.cpu})
    for L in range(arguments.l_min, arguments.l_max + 1):
        for outputs in arguments.outputs or OUTPUTS:
            for setting in OUTPUTS[outputs][0]:
                if setting == "siso" and L % 2:
                    continue  # the product of two l = L has no odd l of natural parity
                row = measure(arguments, outputs, setting, L)
                document["rows"] = [r for r in document["rows"] if key(r) != key(row)] + [row]
                print(json.dumps(row), flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    for outputs in OUTPUTS:
        for setting in OUTPUTS[outputs][0]:
            print(table(document["rows"], outputs, setting))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("isotrope", nargs="?", default="build/isotrope", help="the program")
    parser.add_argument("--freedom", type=pathlib.Path, help="folder with the code of The Price of Freedom")
    parser.add_argument("--json", type=pathlib.Path, help="file for the results")
    parser.add_argument("--outputs", action="append", choices=OUTPUTS, help="which (default: all)")
    parser.add_argument("--l-min", type=int, default=1)
    parser.add_argument("--l-max", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=20, help="of ours in a round")
    parser.add_argument("--seconds", type=float, default=0.3, help="of a peer in a round, at least three runs")
    parser.add_argument("--patience", type=float, default=120, help="seconds in which a peer builds its product")
    parser.add_argument("--cpu", type=int, default=min(os.sched_getaffinity(0)), help="core that everything runs on")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        program, outputs, setting, L = arguments.serve
        serve(program, outputs, setting, int(L), arguments.freedom)
    else:
        run(arguments)


if __name__ == "__main__":
    main()
