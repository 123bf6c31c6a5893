# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests of TLS, made by the program `openssl`."""

import os

import containers


class Authority:
    """A CA that signs what it is asked to; all files lie in `folder`."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name, self.ca = str(folder), name, os.path.join(str(folder), name + ".pem")
        self.openssl("req", "-x509", "-subj", f"/CN={name}", "-keyout", self.path(name + ".key"), "-out", self.ca, "-days", "2",
                     *self.NEW_KEY)

    NEW_KEY = "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def openssl(*args):
        containers.run("openssl", *args)

    def sign(self, name, names="DNS:localhost,IP:127.0.0.1", expired=False, subject=None):
        """(certificate, key), paths of both."""
        certificate, key, request, more = (self.path(name + end) for end in (".pem", ".key", ".csr", ".ext"))
        self.openssl("req", "-new", "-subj", subject or f"/CN={name}", "-keyout", key, "-out", request, *self.NEW_KEY)
        with open(more, "w") as f:
            f.write(f"subjectAltName={names}\n")
        if expired:  # `openssl x509` of OpenSSL 3.0 has no dates in the past; `openssl ca` has, and wants a database
            self.expire(request, certificate, more)
        else:
            self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path(self.name + ".key"),
                         "-CAcreateserial", "-out", certificate, "-extfile", more, "-days", "2")
        return certificate, key

    def expire(self, request, certificate, more):
        config = self.path("expired.conf")
        open(self.path("index"), "w").close()
        with open(config, "w") as f:
            f.write(f"[ca]\ndefault_ca=c\n[c]\ndatabase={self.path('index')}\nnew_certs_dir={self.folder}\n"
                    "rand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        self.openssl("ca", "-batch", "-config", config, "-in", request, "-out", certificate, "-notext", "-extfile", more,
                     "-cert", self.ca, "-keyfile", self.path(self.name + ".key"),
                     "-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
