# SPDX-License-Identifier: Apache-2.0
"""check-layers passes our sources and finds a wrong include."""

import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def check(*args):
    return subprocess.run([os.path.join(HERE, "check-layers"), *args], stdout=subprocess.PIPE, text=True)


def tree(tmp_path, **files):
    for layer, include in files.items():
        (tmp_path / layer).mkdir()
        (tmp_path / layer / "x.c").write_text(f'#include <stdio.h>\n  # include "{include}"\n')
    return str(tmp_path)


def test_sources():
    done = check()
    assert done.returncode == 0, done.stdout


def test_left_is_allowed(tmp_path):
    assert check(tree(tmp_path, containers="net/http.h", cmd="containers/x.h")).returncode == 0


def test_right_is_found(tmp_path):
    done = check(tree(tmp_path, base="base/x.h", columns="containers/container.h"))
    assert done.returncode == 1
    assert "columns must not include containers" in done.stdout


def test_beside_is_found(tmp_path):
    """symbols and gadget stand beside each other, as do net and columns."""
    assert check(tree(tmp_path, symbols="gadget/gadget.h", base="base/x.h")).returncode == 1


def test_unknown_layer_is_found(tmp_path):
    assert "no such layer" in check(tree(tmp_path, utils="base/x.h")).stdout
