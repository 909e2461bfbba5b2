#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a Sapphire Rapids core would need for the inner loops of the AVX-512 products.

Takes the loops out of the object files of a build, as the compiler made them, and gives them to
llvm-mca, LLVM's static model of a core: perfect caches, ports and latencies of the processor. Writes
a table and, per loop, the pressure on the ports. No such machine is needed.

    python3 bench/mca_report.py build/release > bench/results/mca-avx512.txt
"""

import argparse
import collections
import glob
import os
import re
import shutil
import subprocess
import sys

ITERATIONS = 200

# What to look for: (name, object, function, product, products in the loop, other instructions that
# tell tiles of one size apart: conversions and negated multiply-adds)
Loop = collections.namedtuple("Loop", "name file function product count conversions negated")
LOOPS = (
    Loop("prefill 32x6, zero point (q4_0 q5_0 q8_0 q3_k iq4)", "tile.c", "avx512_tile_run",
         "vpdpbusd", 96, 12, 0),
    Loop("prefill 32x6, minimum (q4_1 q5_1 q4_k q5_k)", "tile.c", "avx512_tile_run",
         "vpdpbusd", 96, 12, 12),
    Loop("prefill 32x6, two minima (q2_k)", "tile.c", "avx512_tile_run", "vpdpbusd", 96, 12, 24),
    Loop("prefill 32x6, groups of 16 (q6_k)", "tile.c", "avx512_tile_run", "vpdpbusd", 96, 24, 0),
    Loop("decode q4_0, 1 token", "matmul_quant.c", "avx512_matmul_q4_0", "vpdpbusd", 8, 1, 0),
    Loop("decode q8_0, 1 token", "matmul_quant.c", "avx512_matmul_q8_0", "vpdpbusd", 8, 1, 0),
    Loop("decode q4_k, 1 token", "matmul_quant.c", "avx512_matmul_q4_k", "vpdpbusd", 8, 1, 1),
    Loop("decode q6_k, 1 token", "matmul_quant.c", "avx512_matmul_q6_k", "vpdpbusd", 8, 2, 0),
    Loop("prefill f32, 64x6", "matmul_float.c", "avx512_matmul_f32", "vfmadd", 24, 0, 0),
    Loop("prefill f16, 64x6", "matmul_float.c", "avx512_matmul_f16", "vfmadd", 48, 0, 0),
    Loop("prefill bf16, 64x6", "matmul_bf16.c", "avx512_matmul_bf16_dot", "vdpbf16ps", 24, 0, 0),
)


def disassemble(path):
    """{function: [(address, instruction)]}"""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True,
                          capture_output=True, text=True).stdout
    functions, name = {}, None
    for line in text.splitlines():
        if head := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            name = head.group(1)
            functions[name] = []
        elif name and (code := re.match(r"\s+([0-9a-f]+):\s+(.*)", line)):
            instruction = re.sub(r"\s*(#.*|<[^>]*>)", "", code.group(2)).strip()
            functions[name].append((int(code.group(1), 16), instruction))
    return functions


def innermost_loops(code):
    """Bodies of the backward jumps that have no other jump inside."""
    index = {address: i for i, (address, _) in enumerate(code)}
    for i, (_, instruction) in enumerate(code):
        jump = re.match(r"j\w+\s+([0-9a-f]+)$", instruction)
        start = index.get(int(jump.group(1), 16)) if jump else None
        if start is None or start >= i:
            continue
        body = [text for _, text in code[start:i]]
        if not any(text.startswith("j") for text in body):
            yield body


def count(body, prefix):
    return sum(text.startswith(prefix) for text in body)


def find(loop, functions):
    for body in innermost_loops(functions.get(loop.function, [])):
        if (count(body, loop.product), count(body, "vcvtdq2ps") - scale_conversions(loop),
                count(body, "vfnmadd")) == (loop.count, loop.conversions, loop.negated):
            return body
    return None


def scale_conversions(loop):
    """Decoding makes floats of the super-blocks' integer scales in the loop itself."""
    if not loop.name.startswith("decode"):
        return 0
    return {"avx512_matmul_q4_k": 2, "avx512_matmul_q6_k": 2}.get(loop.function, 0)


def simulate(mca, cpu, body):
    out = subprocess.run([mca, f"-mcpu={cpu}", f"-iterations={ITERATIONS}"], check=True,
                         input="\n".join(body) + "\n", capture_output=True, text=True).stdout
    cycles = int(re.search(r"Total Cycles:\s+(\d+)", out).group(1)) / ITERATIONS
    limit = float(re.search(r"Block RThroughput:\s+([\d.]+)", out).group(1))
    ports = re.findall(r"\[(\d+(?:\.\d+)?)\]\s+- SK\w*?(Divider|Port\d+)", out)
    pressure = out.split("Resource pressure per iteration:")[1].splitlines()[2].split()
    names = [f"{name.replace('Port', 'p')} {value}" for (_, name), value in zip(ports, pressure)
             if value != "-" and name != "Divider"]
    return cycles, limit, names


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", help="build directory")
    parser.add_argument("--cpu", default="sapphirerapids")
    arguments = parser.parse_args()
    mca = next((p for p in map(shutil.which, ("llvm-mca", "llvm-mca-14")) if p), None)
    folder = glob.glob(f"{arguments.build}/src/kernels/CMakeFiles/xl_kernels_avx512.dir/avx512")
    if not mca or not folder:
        sys.exit("needs llvm-mca (package llvm) and a build with the AVX-512 kernels")
    version = subprocess.run([mca, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"LLVM version ([\d.]+)", version).group(1)
    print(f"llvm-mca {version}, -mcpu={arguments.cpu}; per iteration: a block of 32 along k (32 x 6"
          "\nand decode) or a line of each panel (64 x 6). 'limit' is what the busiest port allows."
          f"\n\n{'loop':<52} {'instr':>5} {'products':>8} {'cycles':>7} {'per cycle':>9} "
          f"{'of limit':>8}")
    details, functions = [], {}
    for loop in LOOPS:
        path = os.path.join(folder[0], loop.file + ".o")
        if path not in functions:
            functions[path] = disassemble(path)
        body = find(loop, functions[path])
        if not body:
            print(f"{loop.name:<52} not found in {loop.file}")
            continue
        cycles, limit, ports = simulate(mca, arguments.cpu, body)
        print(f"{loop.name:<52} {len(body):>5} {loop.count:>8} {cycles:>7.1f} "
              f"{loop.count / cycles:>9.2f} {100 * limit / cycles:>7.0f}%")
        details.append(f"{loop.name}: limit {limit} cycles; {', '.join(ports)}")
    print("\nPort cycles per iteration:\n" + "\n".join(details))


if __name__ == "__main__":
    main()
