# SPDX-License-Identifier: Apache-2.0
"""What is loaded in the kernel, as bpftool sees it."""

import json

import containers


def snapshot():
    """Ids of all programs, maps and links."""
    seen = set()
    for kind in ("prog", "map", "link"):
        done = containers.run("bpftool", "-j", kind, "show", check=False)
        for item in json.loads(done.text or "[]"):
            if isinstance(item, dict) and "id" in item:
                seen.add((kind, item["id"], item.get("name", item.get("type", ""))))
    return seen


def assert_nothing_new(before, seconds=5):
    """The kernel frees programs and maps a little after their last descriptor."""
    try:
        containers.wait_for(lambda: not snapshot() - before, seconds, "clean kernel")
    except TimeoutError:
        raise AssertionError(f"left in the kernel: {sorted(snapshot() - before)}") from None
