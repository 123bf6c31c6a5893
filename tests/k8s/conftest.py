# SPDX-License-Identifier: Apache-2.0
"""What the tests in a cluster share: ig's image on its node, the agent, and pods in two namespaces."""

import pytest
from containers import keep_saying
from deployed import Deployed, Plugin, deployment, put_image


@pytest.fixture(scope="session")
def with_image(cluster):
    """The cluster; what `make image` makes is on its node."""
    put_image(cluster)
    return cluster


@pytest.fixture(scope="module")
def deployed(with_image):
    with Deployed(with_image) as agent:
        yield agent


@pytest.fixture
def plugin(cluster, tmp_path):
    return Plugin(cluster, str(tmp_path))


@pytest.fixture(scope="session")
def workloads(with_image):
    """web with containers main and side in namespace shop, db with main in namespace bank: all do something all the time.

    {label app: its pod, as the API server tells of it}"""
    namespaces = ("shop", "bank")
    with_image.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces))
    try:
        with_image.apply(deployment("web", "shop", {"app": "web", "tier": "front"}, main=keep_saying("web-main"),
                                    side=keep_saying("web-side")),
                         deployment("db", "bank", {"app": "db", "tier": "back"}, main=keep_saying("db-main")))
        for name, namespace in (("web", "shop"), ("db", "bank")):
            with_image.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=60s", timeout=90)
        yield {app: with_image.get("pods", namespace=namespace, selector=f"app={app}")["items"][0]
               for app, namespace in (("web", "shop"), ("db", "bank"))}
    finally:
        with_image.kubectl("delete", "namespace", *namespaces, "--timeout=60s", timeout=90)
