# SPDX-License-Identifier: Apache-2.0
"""GadgetTracerManager as a server of grpcio's, for what `ig hook` says to it."""

import os
import sys
from concurrent import futures

import containers

FOLDER = os.path.join(containers.TOP, "src", "api")


def load_stubs(folder):
    """(messages, services) of gadgettracermanager.proto; generated code lies in `folder`."""
    protoc = containers.require_module("grpc_tools.protoc", "python3-grpc-tools")
    containers.require_module("grpc", "python3-grpcio")
    if "gadgettracermanager_pb2_grpc" not in sys.modules:
        os.makedirs(folder, exist_ok=True)
        if protoc.main(["protoc", f"-I{FOLDER}", f"--python_out={folder}", f"--grpc_python_out={folder}",
                        f"{FOLDER}/gadgettracermanager.proto"]):
            raise RuntimeError("protoc refuses gadgettracermanager.proto")
        sys.path.insert(0, folder)
    import gadgettracermanager_pb2
    import gadgettracermanager_pb2_grpc
    return gadgettracermanager_pb2, gadgettracermanager_pb2_grpc


class Manager:
    """Listens on `socket`. `added` and `removed` are the definitions that came; on_add(definition) and on_remove(…) are
    called before the answer, whose error they give."""

    def __init__(self, socket, folder, on_add=None, on_remove=None):
        import grpc
        self.messages, services = load_stubs(folder)
        self.added, self.removed, manager = [], [], self

        def answer(seen, react, reply):
            def method(_, request, context):
                seen.append(request)
                error = react and react(request)
                if error:
                    context.abort(grpc.StatusCode.INTERNAL, error)
                return reply()
            return method

        class Servicer(services.GadgetTracerManagerServicer):
            AddContainer = answer(manager.added, on_add, self.messages.AddContainerResponse)
            RemoveContainer = answer(manager.removed, on_remove, self.messages.RemoveContainerResponse)

        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        services.add_GadgetTracerManagerServicer_to_server(Servicer(), self.server)
        self.server.add_insecure_port(f"unix:{socket}")
        self.server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(None).wait()
