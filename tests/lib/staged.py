# SPDX-License-Identifier: Apache-2.0
"""Programs of the tests' own, built as a user would: against the library that `make examples` stages."""

import os

import containers
import ig

EXAMPLES = os.environ.get("EXAMPLES", os.path.join(os.path.dirname(ig.IG), "examples"))


def build(source, folder):
    """source.c to a program in folder."""
    stage = os.path.join(os.path.dirname(EXAMPLES), "stage", "usr")
    program = os.path.join(folder, os.path.basename(source)[:-2])
    flags = containers.run("pkg-config", "--static", f"--define-variable=prefix={stage}", "--libs",
                           os.path.join(stage, "lib/pkgconfig/ig.pc")).text.split()
    containers.run("gcc", "-std=gnu17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-D_GNU_SOURCE", "-g",
                   "-I", os.path.join(containers.TOP, "src"), source, "-static", *flags, "-o", program)
    return program
