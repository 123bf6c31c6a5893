# SPDX-License-Identifier: Apache-2.0
"""Runs gadgets/NAME/NAME.test (tests/lib/gadget_spec.py tells the format) in real runc containers."""

import glob
import json
import os
import re

import containers
import gadget_spec
import ig
import pytest

PLACES = ("gadgets", "tests/gadgets")
BUILT = os.environ.get("BUILT")  # where the tests' gadgets are built already: there is no compiler

pytestmark = pytest.mark.kernels


def folders():
    return sorted(f for place in PLACES for f in glob.glob(os.path.join(containers.TOP, place, "*/"))
                  if glob.glob(f + "*.bpf.c"))


def is_tests_own(folder):
    return os.path.relpath(folder, containers.TOP).startswith("tests/")


def every_block():
    """(folder, block) for each block; a folder without a test is one that fails."""
    for folder in folders():
        name = os.path.basename(folder.rstrip("/"))
        path = os.path.join(folder, name + ".test")
        if not os.path.exists(path):
            if not is_tests_own(folder):
                yield pytest.param(folder, None, id=f"{name}-has-no-test")
            continue
        with open(path) as f:
            for block in gadget_spec.parse(f.read(), path):
                yield pytest.param(folder, block, id=f"{name}:{block.line}")


def gadget_argument(folder, tmp_path):
    """A gadget of the source by its name; one of the tests is built by `ig build`, as a user's would be."""
    name = os.path.basename(folder.rstrip("/"))
    if not is_tests_own(folder):
        return name
    if BUILT:
        return os.path.join(BUILT, name + ".bpf.o")
    ig.once("build", folder, "-o", str(tmp_path / "gadget.bpf.o"), check=0)
    return str(tmp_path / "gadget.bpf.o")


def is_snapshot(gadget):
    return "a table, once" in ig.once("docs", gadget, check=0).out


def report(running, block, logs, problem):
    return (f"{problem}\nig {' '.join(running.args)}; exit {running.process.poll()}\n-- stderr\n{running.err}"
            f"-- commands\n{logs}-- records\n{running.out[-6000:]}")


def kernel(version):
    return [int(n) for n in re.findall(r"\d+", version)[:2]]


def with_name(value, name):
    return json.loads(json.dumps(value).replace("{CONTAINER}", name))


@pytest.mark.parametrize("folder, block", every_block())
def test_gadget(folder, block, lab, tmp_path):
    assert block, f"{folder} needs a .test"
    if block.since and kernel(os.uname().release) < kernel(block.since):
        pytest.skip(f"needs Linux {block.since}")
    gadget = gadget_argument(folder, tmp_path)
    name = lab.name("g")
    args = [a.replace("{CONTAINER}", name) for a in block.args]
    if not {"--host", "-c", "--containername"} & set(args):
        args += ["-c", name]
    steps = [(kind, script.replace("{CONTAINER}", name)) for kind, script in block.steps]
    have, no = with_name(block.have, name), with_name(block.no, name)
    logs = []

    def step(kind, script, keep=False):
        if kind == "host":
            done = containers.run("sh", "-c", script, check=False)
            logs.append(f"$ {script}\n{done.text}")
            assert done.returncode == 0, f"exit {done.returncode}\n{logs[-1]}"
            return
        c = lab.container(script + "\necho $? >/tmp/.done; exec sleep 60" if keep else script, name=name, edit=block.configure)
        if keep:
            c.start()
            containers.wait_for(lambda: c.exec("test", "-s", "/tmp/.done", check=False) == 0, what="end of the commands")
            code = c.exec("sh", "-c", "exit $(cat /tmp/.done)", check=False)
        else:
            code = c.run()
        logs.append(f"# {script}\n{c.log()}")
        assert code == block.exit, f"exit {code}, not {block.exit}\n{logs[-1]}"

    snapshot = is_snapshot(gadget)
    if snapshot:
        for kind, script in steps:
            step(kind, script, keep=True)
    with ig.Ig("run", gadget, "-o", "json", *args) as running:
        if not snapshot:
            running.ready()
            for kind, script in steps:
                step(kind, script)

        def missing():
            records = running.records()
            return [h for h in have if not any(gadget_spec.holds(r, h) for r in records)]
        try:
            containers.wait_for(lambda: not missing(), 2, "records")
        except TimeoutError:
            pass
        # A snapshot ends by itself; a signal might meet it at its end.
        running.wait() if snapshot else running.stop()
        assert not missing(), report(running, block, "".join(logs), f"no record has {json.dumps(missing())}")
        wrong = [(n, r) for n in no for r in running.records() if gadget_spec.holds(r, n)]
        assert not wrong, report(running, block, "".join(logs), f"{wrong[0]} must not be")
        assert running.process.returncode == 0, report(running, block, "".join(logs), "ig failed")


def test_holds():
    record = {"a": 1, "b": {"c": "text", "d": True}, "e": ["x", "y"]}
    assert gadget_spec.holds(record, {"a": 1, "b": {"c": "~^te"}})
    assert gadget_spec.holds(record, {"e": ["x", "~y"]})
    assert gadget_spec.holds(record, {"e": ["...", "~y"]})
    for wrong in ({"a": 2}, {"a": True}, {"b": {"d": 1}}, {"f": None}, {"e": ["x"]}, {"e": ["...", "x", "z"]}, {"b": {"c": "~^x"}}, {"a": {"x": 1}}):
        assert not gadget_spec.holds(record, wrong), wrong


def test_a_block_without_have_is_refused():
    with pytest.raises(ValueError, match="needs a 'have'"):
        gadget_spec.parse('do true\nnot {"a": 1}')
    with pytest.raises(ValueError, match="frobnicate"):
        gadget_spec.parse('frobnicate x')
