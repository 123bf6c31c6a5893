# SPDX-License-Identifier: Apache-2.0
"""What is in the kernel, as bpftool sees it, and what of it a process holds."""

import json
import os
import re

import containers


def snapshot():
    """(kind, id) of all programs, maps and links."""
    seen = set()
    for kind in ("prog", "map", "link"):
        def show():
            done = containers.run("bpftool", "-j", kind, "show", check=False)
            return done if done.returncode == 0 else None
        # bpftool gives up when an object ends while it looks.
        done = containers.wait_for(show, 10, "answer of bpftool")
        seen |= {(kind, item["id"]) for item in json.loads(done.text or "[]") if "id" in item}
    return seen


def held_by(pid):
    """(kind, id) of what this process has descriptors of; its links' programs too."""
    held = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                text = f.read()
        except FileNotFoundError:
            continue
        held |= {(kind, int(number)) for kind, number in re.findall(r"^(prog|map|link)_id:\s+(\d+)", text, re.M)}
    return held


def pins():
    return {os.path.join(top, f) for top, _, files in os.walk("/sys/fs/bpf") for f in files}


def assert_gone(held, seconds=5):
    """None of these are in the kernel any more; it frees them a little after their last descriptor."""
    assert held, "it held nothing: the test saw it too early"
    try:
        containers.wait_for(lambda: not held & snapshot(), seconds, "clean kernel")
    except TimeoutError:
        raise AssertionError(f"left in the kernel: {sorted(held & snapshot())}") from None
