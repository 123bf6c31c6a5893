# SPDX-License-Identifier: Apache-2.0
"""What strace and traceloop say of the same program, made comparable."""

import re

LINE = re.compile(r"^(\w+)\((.*)\)\s+= (.*?)(?: <[\d.]+>)?$")


def normal(text):
    """One call, without what the two say differently for no reason: addresses, the words of an error, comments."""
    text = re.sub(r"0x[0-9a-f]{5,}", "PTR", text)
    text = re.sub(r" /\* .*? \*/", "", text)
    return text


def calls(lines):
    """(name, arguments, result) of lines `name(arguments) = result`, from write(-1, "begin", 5) to write(-1, "end", 3)."""
    found, inside = [], False
    for line in lines:
        m = LINE.match(normal(line))
        if not m:
            continue
        if m.group(1) == "write" and m.group(2).startswith("-1, "):
            inside = '"begin"' in line
            continue
        if inside:
            found.append(m.groups())
    return found


def of_strace(text, pid):
    """The lines of one thread, with the two halves of a call joined."""
    lines, begun = [], ""
    for line in text.splitlines():
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if thread != str(pid) or rest.startswith(("---", "+++")):
            continue
        if rest.endswith("<unfinished ...>"):
            begun = rest[:-len("<unfinished ...>")].rstrip()
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
        lines.append(begun + resumed.group(1) if resumed else rest)
    return calls(lines)


def of_traceloop(text, pid):
    """The same of a dump: lines of calls that have returned."""
    lines = []
    for line in text.splitlines():
        m = re.match(rf"[\d:.]+ cpu\d+ \[{pid}\] (?:.*? )?(?:\.\.\. )?(\w+\(.*)$", line)
        if m:
            lines.append(m.group(1))
    return calls(lines)
