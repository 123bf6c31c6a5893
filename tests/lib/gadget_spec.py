# SPDX-License-Identifier: Apache-2.0
"""Reads NAME.test files, and compares records with what they expect.

    # a comment
    since 6.0                         older kernels lack what this block needs: it is left out there, and a comment says what
    memory 32                         the containers of the block may have so many MiB of memory
    cpu 20                            … so many percent of one CPU
    privileged                        they may do as much as a container can
    may CHOWN KILL                    its containers have these capabilities; else they have none
    run --paths --filter error==0     parameters of `ig run NAME`; -c and the container's name are added, but for --host
    do cat /etc/passwd                a shell command in a busybox container; several in a row are one script
    host true                         a shell command on the host
    exit 7                            what the block's `do` scripts end with, where that is not 0
    have {"fname": "/etc/passwd", "proc": {"comm": "~^ca"}}
    not {"proc": {"comm": "sleep"}}
    ---

A block is one run of the gadget. A step must end with 0, or the block fails: a command whose failing is meant is `! command`
or `command; true`, and several of which a `not` tells are joined by && or follow `set -e`, lest it hold because nothing was
tried. `have`: some record must hold all of this; `not`: none may. Members compare by value;
a text that starts with ~ is a regular expression, found anywhere; a list must be equal element by element, or, where
what is expected starts with "...", have each of the rest somewhere.
{CONTAINER} in any line is the container's name.
"""

import json
import re
import shlex

import containers

WORDS = ("since", "memory", "cpu", "privileged", "may", "run", "do", "host", "exit", "have", "not")


class Block:
    def __init__(self, line):
        self.line = line
        self.since = None  # "6.0"
        self.memory = None  # MiB
        self.privileged = False
        self.may = []  # CAP_…
        self.cpu = None  # percent
        self.args = []
        self.steps = []  # ("do" or "host", script)
        self.exit = 0
        self.have = []
        self.no = []

    def add(self, word, rest):
        if word == "since":
            self.since = rest
        elif word == "memory":
            self.memory = int(rest)
        elif word == "privileged":
            self.privileged = True
        elif word == "may":
            self.may += ["CAP_" + name for name in rest.split()]
        elif word == "cpu":
            self.cpu = int(rest)
        elif word == "exit":
            self.exit = int(rest)
        elif word == "run":
            self.args += shlex.split(rest)
        elif word == "do" and self.steps and self.steps[-1][0] == "do":
            self.steps[-1] = ("do", self.steps[-1][1] + "\n" + rest)
        elif word in ("do", "host"):
            self.steps.append((word, rest))
        else:
            (self.have if word == "have" else self.no).append(json.loads(rest))

    def configure(self, config):
        """Writes what its containers may do and use into their OCI config."""
        if self.privileged:
            containers.privileged(config)
        if self.may:
            config["process"]["capabilities"] = {s: self.may for s in ("bounding", "effective", "permitted")}
        if self.memory:
            config["linux"]["resources"]["memory"] = {"limit": self.memory << 20}
        if self.cpu:
            config["linux"]["resources"]["cpu"] = {"quota": self.cpu * 1000, "period": 100000}


def parse(text, where="test"):
    blocks, block = [], None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line == "---":
            block = None
            continue
        if block is None:
            block = Block(number)
            blocks.append(block)
        word, _, rest = line.partition(" ")
        if word not in WORDS:
            raise ValueError(f"{where}:{number}: '{word}' is none of {', '.join(WORDS)}")
        try:
            block.add(word, rest.strip())
        except json.JSONDecodeError as e:
            raise ValueError(f"{where}:{number}: {e}") from None
    for block in blocks:
        if not block.have:
            raise ValueError(f"{where}:{block.line}: a block needs a 'have': without one it passes when nothing is seen")
    if not blocks:
        raise ValueError(f"{where}: no blocks")
    return blocks


def holds(value, expected):
    if isinstance(expected, dict):
        return isinstance(value, dict) and all(k in value and holds(value[k], e) for k, e in expected.items())
    if isinstance(expected, list) and expected[:1] == ["..."]:
        return isinstance(value, list) and all(any(holds(v, e) for v in value) for e in expected[1:])
    if isinstance(expected, list):
        return isinstance(value, list) and len(value) == len(expected) and all(map(holds, value, expected))
    if isinstance(expected, str) and expected.startswith("~"):
        if isinstance(value, (dict, list)) or value is None:
            return False
        return re.search(expected[1:], value if isinstance(value, str) else json.dumps(value)) is not None
    # 1 is not true.
    return type(value) is type(expected) and value == expected
