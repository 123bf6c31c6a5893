# SPDX-License-Identifier: Apache-2.0
"""What is written down is what the program says."""

import os
import re
import shlex

import ig

ROOT = os.path.join(os.path.dirname(__file__), "../..")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def test_table_of_gadgets():
    table = re.search(r"<!-- made by .*? -->\n(.*?)<!-- end -->", read("README.md"), re.S)
    assert table.group(1) == ig.once("docs", check=0).out


def test_every_page_says_what_it_cannot_tell():
    for gadget in ig.records(ig.once("list", "-o", "json", check=0).out):
        page = ig.once("docs", gadget["name"], check=0).out
        limits = page.partition("\n## What it cannot tell\n\n")[2]
        assert limits and not limits.startswith("Kernels differ"), gadget["name"]


def test_guide_quotes_the_example():
    assert read("examples/gadget/trace_chdir/trace_chdir.bpf.c") in read("docs/writing-a-gadget.md")


def test_links_of_documents():
    for name in ["README.md"] + [f"docs/{f}" for f in os.listdir(os.path.join(ROOT, "docs")) if f.endswith(".md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", read(name)):
            assert os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)), (name, target)


def test_readme_commands_are_understood():
    """The `ig …` lines of the README, with --help behind them: ig reads all flags before, then explains."""
    lines = re.findall(r"^ {4}(?:# )?ig (.*)$", read("README.md"), re.M)
    assert len(lines) > 8
    for line in lines:
        words = shlex.split(re.split(r" {3,}| && | [|>]", line)[0])
        done = ig.once(*words, "--help")
        assert done.returncode == 0, (line, done.err)
