# SPDX-License-Identifier: Apache-2.0
"""Package `api` as clients of the ecosystem read it: nothing is known but the messages."""

import os
import struct
import sys

import containers

EMPTY, HIDDEN, HAS_PARENT, STATIC = 1, 4, 8, 16
KINDS = {1: "<?", 2: "<b", 3: "<h", 4: "<i", 5: "<q", 6: "<B", 7: "<H", 8: "<I", 9: "<Q"}
STRING, CSTRING, BYTES = 12, 13, 14


def load_stubs(folder):
    """(messages, services) of api.proto; generated code lies in `folder`."""
    protoc = containers.require_module("grpc_tools.protoc", "python3-grpc-tools")
    containers.require_module("grpc", "python3-grpcio")
    if "api_pb2_grpc" not in sys.modules:
        os.makedirs(folder, exist_ok=True)
        if protoc.main(["protoc", f"-I{containers.HERE}", f"--python_out={folder}", f"--grpc_python_out={folder}",
                        os.path.join(containers.HERE, "api.proto")]):
            raise RuntimeError("protoc refuses api.proto")
        sys.path.insert(0, folder)
    import api_pb2
    import api_pb2_grpc
    return api_pb2, api_pb2_grpc


def value(field, payload):
    """The field's value in a DataElement's payloads."""
    data = payload[field.payloadIndex]
    if field.size:
        assert field.offs + field.size <= len(data), field.fullName
        data = data[field.offs:field.offs + field.size]
    if field.kind in KINDS:
        return struct.unpack(KINDS[field.kind], data)[0]  # refuses any other length
    if field.kind == CSTRING:
        data = data.split(b"\0")[0]
    return data if field.kind == BYTES else data.decode("utf-8", "replace")


def row(source, element):
    """{full name: value} of all fields that have one."""
    return {f.fullName: value(f, element.payload) for f in source.fields if not f.flags & EMPTY}


def check_source(source):
    """What clients take for granted."""
    names = set()
    for i, f in enumerate(source.fields):
        assert f.index == i and f.fullName not in names, f.fullName
        names.add(f.fullName)
        parent = source.fields[f.parent].fullName + "." if f.flags & HAS_PARENT else ""
        assert f.fullName == parent + f.name
        assert bool(f.flags & STATIC) == bool(f.size), f.fullName
        assert not f.flags & STATIC or not f.payloadIndex
        assert bool(f.flags & HIDDEN) == (f.annotations.get("columns.hidden") == "true"), f.fullName
    return names
