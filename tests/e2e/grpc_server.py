# SPDX-License-Identifier: Apache-2.0
"""A gRPC server for test_net.py: grpc_server.py SOCKET. Requests are texts; it says "ready", then each Slow call that began."""

import os
import sys
import time
from concurrent import futures

import grpc


def big(request, _):
    return b"x" * int(request)


def fail(_, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no 100% \u00e4\u6f22")


def slow(request, _):
    os.write(1, b"slow\n")  # whole, whatever other threads print
    time.sleep(float(request))
    return b"done"


def seen(_, context):
    metadata = dict(context.invocation_metadata())
    return f"{metadata['containerd-namespace']} {metadata['user-agent']} {context.time_remaining():.0f}".encode()


def many(request, _):
    for i in range(int(request)):
        yield b"message %d" % i


def half(_, context):
    yield b"one"
    context.abort(grpc.StatusCode.DATA_LOSS, "the rest is gone")


METHODS = {
    **{name: grpc.unary_unary_rpc_method_handler(fn)
       for name, fn in {"Echo": lambda request, _: request, "Big": big, "Fail": fail, "Slow": slow, "Seen": seen}.items()},
    **{name: grpc.unary_stream_rpc_method_handler(fn) for name, fn in {"Many": many, "Half": half}.items()},
}

server = grpc.server(futures.ThreadPoolExecutor(64), options=[("grpc.max_send_message_length", -1)])
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", METHODS),))
server.add_insecure_port("unix:" + sys.argv[1])
server.start()
print("ready", flush=True)
server.wait_for_termination()
