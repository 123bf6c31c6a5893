# SPDX-License-Identifier: Apache-2.0
"""Gadgets and rows on the wire, read as clients of the ecosystem read them, beside our own JSON of the same rows."""

import glob
import json
import os
import struct

import api_client
import containers
import ig
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.environ.get("EXAMPLES", os.path.join(os.path.dirname(ig.IG), "examples"))


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The folder that wire_rows of this folder has filled."""
    folder = str(tmp_path_factory.mktemp("wire"))
    stage = os.path.join(os.path.dirname(EXAMPLES), "stage", "usr")
    program = os.path.join(folder, "wire_rows")
    flags = containers.run("pkg-config", "--static", f"--define-variable=prefix={stage}", "--libs",
                           os.path.join(stage, "lib/pkgconfig/ig.pc")).text.split()
    containers.run("gcc", "-std=gnu17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-D_GNU_SOURCE", "-g",
                   "-I", os.path.join(containers.TOP, "src"), "-I", os.path.join(containers.TOP, "include"),
                   os.path.join(HERE, "wire_rows.c"), "-static", *flags, "-o", program)
    containers.run(program, folder)
    return folder


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    return api_client.load_stubs(str(tmp_path_factory.mktemp("api")))[0]


def gadgets(packed):
    return sorted(os.path.basename(p)[:-len(".info")] for p in glob.glob(f"{packed}/*.info"))


def read_info(api, packed, name):
    with open(f"{packed}/{name}.info", "rb") as f:
        return api.GadgetInfo.FromString(f.read())


def read_rows(api, packed, name, source):
    with open(f"{packed}/{name}.events", "rb") as f:
        data = f.read()
    while data:
        length = struct.unpack_from("<I", data)[0]
        event = api.GadgetEvent.FromString(data[4:4 + length])
        data = data[4 + length:]
        assert (event.type, event.dataSourceID) == (0, source.id)
        message = (api.GadgetData if source.type == 1 else api.GadgetDataArray).FromString(event.payload)
        assert message.seq == event.seq > 0
        for element in [message.data] if source.type == 1 else message.dataArray:
            yield api_client.row(source, element)


def flat(value, prefix=""):
    """The leaves of an object by their dotted names; a set of labels is one."""
    for key, inner in value.items():
        name = prefix + key
        if isinstance(inner, dict) and not name.endswith("Labels"):
            yield from flat(inner, name + ".")
        elif not key.endswith("_truncated"):
            yield name, inner


def as_sent(name, value, row):
    """What stands for a value of our JSON in a client's row."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value if row[name] == str(value) else row.get(name + "_raw", row[name])
    return row[name].hex() if isinstance(row[name], bytes) else row[name]


def is_histogram(value):
    """A client gets what a column shows of it, the JSON has its intervals."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def as_text(value):
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items())
    return "" if value is None else value


def test_rows_are_what_our_json_says(packed, api):
    names = gadgets(packed)
    assert "trace_open" in names
    for name in names:
        source = read_info(api, packed, name).dataSources[0]
        with open(f"{packed}/{name}.json") as f:
            lines = [json.loads(line, parse_float=str) for line in f]
        rows = list(read_rows(api, packed, name, source))
        assert len(rows) == len(lines) == 48
        for line, row in zip(lines, rows):
            leaves = dict(flat(line))
            assert len(leaves) > 2
            for leaf, value in leaves.items():
                if is_histogram(value):
                    assert "█" in row[leaf] or not any(bucket["count"] for bucket in value), (name, leaf)
                else:
                    assert as_sent(leaf, value, row) == as_text(value), (name, leaf)


def test_what_a_row_does_not_have_is_empty_or_zero(packed, api):
    source = read_info(api, packed, "trace_open").dataSources[0]
    host = next(read_rows(api, packed, "trace_open", source))
    for name, value in host.items():
        if name.startswith(("k8s.", "runtime.")):
            assert not value, name


def test_gadgets_are_described(packed, api):
    info = read_info(api, packed, "trace_open")
    assert (info.name, info.imageName, info.id) == ("trace_open", "trace_open", "")
    assert b"name: \"trace_open\"\n" in info.metadata
    params = {p.key: p for p in info.params}
    assert all(p.prefix == "operator.oci.ebpf." and p.description and p.typeHint for p in params.values())
    kinds = {g["name"]: g["kind"] for g in ig.records(ig.once("list", "-o", "json", check=0).out)}
    for name in gadgets(packed):
        source = read_info(api, packed, name).dataSources[0]
        assert source.type == (1 if kinds[name] == "tracer" else 2)
        api_client.check_source(source)


def test_fields_have_the_names_and_looks_that_clients_know(packed, api):
    source = read_info(api, packed, "trace_open").dataSources[0]
    names = api_client.check_source(source)
    assert names >= {"k8s", "k8s.namespace", "k8s.podName", "k8s.podLabels", "k8s.containerName", "k8s.hostnetwork",
                     "runtime", "runtime.runtimeName", "runtime.containerName", "runtime.containerId",
                     "runtime.containerPid", "runtime.containerImageName", "runtime.containerImageDigest",
                     "runtime.containerStartedAt", "proc", "proc.comm", "proc.pid", "proc.tid", "proc.creds.uid",
                     "proc.parent.pid", "proc.mntns_id", "timestamp", "timestamp_raw"}
    assert "container" not in names  # our own key of a container
    fields = {f.fullName: f for f in source.fields}
    assert fields["proc.pid"].kind == 8 and fields["proc.pid"].annotations["template"] == "pid"
    assert fields["proc.pid"].annotations["columns.alignment"] == "right"
    assert fields["timestamp_raw"].flags == api_client.HIDDEN | api_client.STATIC
    assert fields["timestamp"].kind == api_client.STRING
    assert fields["proc"].flags & api_client.EMPTY
    assert not fields["runtime.containerName"].flags & api_client.HIDDEN
