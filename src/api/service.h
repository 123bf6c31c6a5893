/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services of a daemon. Each is one file with a table of its methods, and registers itself;
 * their context is a struct api.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/registry.h"
#include "manager/manager.h"
#include "net/grpc_server.h"
#include "recorder/recording.h"
#include "wire/node.pb-c.h"

struct selector;
struct traceloop_service;

struct api {
	struct manager *manager;
	const char *record_dir;		     /* whose record files may be replayed; NULL: none */
	struct recording *recording;	     /* the flight recorder; NULL: none */
	struct traceloop_service *traceloop; /* NULL: it was not asked for */
};

struct api_service {
	const struct grpc_method *methods;
};

#define API_SERVICE(s) REGISTER(ig_services, struct api_service, s)

/* All services; api is borrowed as long as the server lives. */
void api_add_services(struct grpc_server *server, struct api *api);
/* Those of package `api`, which are all that clients of other projects use. */
void api_add_compat_services(struct grpc_server *server, struct api *api);
bool api_has_service(const char *name); /* "api.GadgetManager" */

/* ---- for the services ------------------------------------------------------------ */

void api_append(const ProtobufCMessage *m, struct buf *out);
void api_send(struct grpc_served *call, const ProtobufCMessage *m);
void api_finish(struct grpc_served *call, int r, const struct err *err); /* r: 0 or -errno */
/* Which containers a request means; NULL: all. */
int api_selector(const Ig__V1__ContainersRequest *m, struct selector **ret, struct err *err);

int api_malformed(struct err *err);  /* -EINVAL: the message is none of the method's */
int api_no_request(struct err *err); /* -EINVAL: the client is done and has asked for nothing */
int api_stopping(struct err *err);   /* -ESHUTDOWN: what is asked for will not be had any more */
