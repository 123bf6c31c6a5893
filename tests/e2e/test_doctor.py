# SPDX-License-Identifier: Apache-2.0
"""ig doctor: what each gadget can do on this kernel, said after it was tried."""

import os

import containers
import ig
import pytest

pytestmark = pytest.mark.kernels

SAMPLES = os.environ.get("BUILT") or os.path.join(containers.TOP, "build", "tests", "gadgets")


def rows(*args):
    return ig.records(ig.once("doctor", "-o", "json", *args, check=0).out)


def test_every_gadget_has_its_row():
    listed = ig.records(ig.once("list", "-o", "json", check=0).out)
    examined = rows()
    assert [r["gadget"] for r in examined] == [g["name"] for g in listed]
    for r in examined:
        assert r["works"] in ("yes", "in part", "no"), r
        assert bool(r["reason"]) == (r["works"] == "no") or r["works"] == "in part", r
    assert {r["gadget"]: r["works"] for r in examined}["trace_exec"] == "yes"


def test_it_says_which_rung_and_why():
    (r,) = rows(os.path.join(SAMPLES, "sample_hooks.bpf.o"))
    assert r["works"] == "in part"
    assert r["hooks"] == "ladder: tracepoint syscalls/sys_enter_getppid"
    assert r["cannotTell"] == "what the first rung would; calls that there are not"
    assert "no tracepoint syscalls/sys_enter_no_such_call" in r["reason"]


def test_it_says_why_one_does_not_work():
    (r,) = rows(os.path.join(SAMPLES, "sample_refused.bpf.o"))
    assert r["works"] == "no" and "verifier" in r["reason"] and not r["hooks"], r


def test_hooks_of_one():
    hooks = {r["program"]: r for r in rows("--hooks", os.path.join(SAMPLES, "sample_hooks.bpf.o"))}
    assert hooks["rung_good"]["used"] and hooks["rung_good"]["rung"] == 2
    assert not hooks["rung_missing"]["exists"] and not hooks["rung_missing"]["used"]
    assert hooks["left_out"]["optional"] and not hooks["left_out"]["exists"]


def test_docs_say_what_kernels_cannot_tell():
    page = ig.once("docs", os.path.join(SAMPLES, "sample_hooks.bpf.o"), check=0).out
    assert "- With tracepoint `syscalls/sys_enter_getppid`: what the first rung would" in page
    assert "- Without tracepoint `syscalls/sys_enter_no_such_call`: calls that there are not" in page


def test_errors():
    assert ig.once("doctor", "no_such_gadget").returncode == 2
    no_root = ig.once("doctor", user=65534, group=65534, extra_groups=[])
    assert no_root.returncode and "root" in no_root.err
