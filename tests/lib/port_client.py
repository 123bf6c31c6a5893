# SPDX-License-Identifier: Apache-2.0
"""port_client.py ADDRESS GADGET WORD: as a client of another project speaks to an agent, by grpcio. Prints what it is told as JSON:
the daemon's version, a row of the gadget that has the word among its arguments, and how services end that are not for it."""

import json
import sys

from agent_client import STUBS, Client, status_of


def main(address, gadget, word):
    s = STUBS
    with Client(address) as client:
        version = client.builtin.GetInfo(s.api.InfoRequest()).serverVersion
        run = client.run(gadget).started()
        row = run.wait(lambda: next((r for r in list(run.rows) if word in r["args"]), None))
        assert run.stop() == ("OK", "") and not client.listed()
        print(json.dumps({
            "version": version, "row": {name: value for name, value in row.items() if isinstance(value, (str, int))},
            "node": status_of(lambda: client.node.DumpState(s.node.DumpStateRequest()))[0],
            "tracers": status_of(lambda: client.tracers.DumpState(s.gadgettracermanager.DumpStateRequest()))[0]}))


main(*sys.argv[1:])
