# SPDX-License-Identifier: Apache-2.0
"""Absolute paths behind symbolic links: as the kernel found them where it has kprobes, else by their names, as `ig docs` says."""

import os

import ig
import pytest

EXACT = os.path.exists("/sys/bus/event_source/devices/kprobe/type")  # as src/gadget/attach.c asks it

# /tmp/link leads to /tmp/real/deep
CASES = {
    "trace_unlink": ("touch link/f; rm link/f; mkdir link/d; rmdir link/d; touch real/g; unlink link/../g", "fname", "fpath", {
        "link/f": ("/tmp/real/deep/f", "/tmp/link/f"),
        "link/d": ("/tmp/real/deep/d", "/tmp/link/d"),
        "link/../g": ("/tmp/real/g", "/tmp/g")}),
    "trace_rename": ("touch link/f; mv link/f g; mv g link/../h", "newname", "newpath", {
        "g": ("/tmp/g", "/tmp/g"),
        "link/../h": ("/tmp/real/h", "/tmp/h")}),
    "trace_link": ("touch f; ln f link/f; ln -s f link/s; ln -s f s; path_ways linkat-follow /tmp s link/t", "linkname", "linkpath", {
        "link/f": ("/tmp/real/deep/f", "/tmp/link/f"),
        "link/s": ("/tmp/real/deep/s", "/tmp/link/s"),
        "s": ("/tmp/s", "/tmp/s"),
        "link/t": ("/tmp/real/deep/t", "/tmp/link/t")}),
    "trace_chmod": ("touch real/f; ln -s real/f f; chmod 700 f; chmod 700 link; chmod 700 link/../f", "fname", "fpath", {
        "f": ("/tmp/real/f", "/tmp/f"),
        "link": ("/tmp/real/deep", "/tmp/link"),
        "link/../f": ("/tmp/real/f", "/tmp/f")}),
}


@pytest.mark.kernels
@pytest.mark.parametrize("gadget", CASES)
def test_links(gadget, lab):
    script, name, path, expected = CASES[gadget]
    c = lab.container("cd /tmp; mkdir -p real/deep; ln -s real/deep link; " + script)
    with ig.Ig("run", gadget, "-o", "json", "-c", c.name) as running:
        running.ready()
        assert c.run() == 0, c.log()
        running.stop()
        seen = {r[name]: r for r in running.records()}
    for passed, (exact, by_name) in expected.items():
        assert seen[passed]["error"] == "", passed
        assert seen[passed][path] == (exact if EXACT else by_name), passed
    if gadget == "trace_link":
        assert seen["link/t"]["target"] == ("/tmp/f" if EXACT else "/tmp/s")
    if gadget == "trace_rename":
        assert seen["g"]["oldpath"] == ("/tmp/real/deep/f" if EXACT else "/tmp/link/f")
