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
        lines.append(re.sub(r",(?=\[)", ", ", begun + resumed.group(1)) if resumed else rest)
    return calls(lines)


def of_traceloop(text, pid):
    """The same of a dump: lines of calls that have returned."""
    lines = []
    for line in text.splitlines():
        m = re.match(rf"[\d:.]+ cpu\d+ \[{pid}\] (?:.*? )?(?:\.\.\. )?(\w+\(.*)$", line)
        if m:
            lines.append(m.group(1))
    return calls(lines)


# What strace says more, or traceloop in another way: (what it is in strace's words, what is compared).
_STRACE = [
    (r"(iov_base=\"first \", iov_len=6\}), \{.*?\}\]", r"\1, ...]"),              # traceloop has the first of a vector
    (r"f_type=PROC_SUPER_MAGIC, (.*?), f_bavail=.*\}\) = 0", r"f_type=0x9fa0, \1, ...}) = 0"),
    (r"\{msg_name=NULL, msg_namelen=0, (msg_iov=\[.*?\]), msg_iovlen=.*?\}", r"{\1, ...}"),
    (r"\[\d+ => (\d+)\]", r"[\1]"),
    (r"(getpeername\(\d+, PTR), \[\d+\]", r"\1, PTR"),
    (r"= (\d+) \(\[.*", r"= \1"),                                                # ppoll's answer
    (r"clone\(child_stack=NULL, flags=(\S+), .*\) = ", r"clone(\1) = "),
    (r"= 0 \(PER_LINUX\)", "= 0"),
    (r"= 0x[0-9a-f]+ \(MEMBARRIER.*", "= MASK"),
    (r"O_PATH\|O_DIRECTORY", "O_DIRECTORY|O_PATH"),
]
_TRACELOOP = [
    (r"clone\((\S+), NULL, NULL, PTR, 0\) = ", r"clone(\1) = "),
    (r"(futex\(PTR, FUTEX_WAKE_PRIVATE, 1), NULL", r"\1"),
    (r"(MEMBARRIER_CMD_QUERY, 0), 0\) = \d+", r"\1) = MASK"),
]


def _reduced(found, rules):
    for name, arguments, result in found:
        text = f"{name}({arguments}) = {result}"
        for pattern, becomes in rules:
            text = re.sub(pattern, becomes, text)
        yield text


def compare(strace, traceloop, pid):
    """Both as lists of lines that should be equal."""
    return (list(_reduced(of_strace(strace, pid), _STRACE)), list(_reduced(of_traceloop(traceloop, pid), _TRACELOOP)))
