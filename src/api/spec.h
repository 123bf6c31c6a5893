/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the package `api` as specs of the manager, and back. */
#pragma once

#include "manager/spec.h"
#include "wire/api.pb-c.h"

/* *ret is released by run_spec_done(), also on failure. -E2BIG: too many parameters. */
int api_spec(const Api__GadgetRunRequest *m, struct run_spec *ret, struct err *err);
int api_spec_set(struct run_spec *to, const char *image, Api__Entry *const *params, size_t n,
		 struct err *err);

/* A request like the one that the spec came from; its texts are the spec's. */
struct api_request {
	Api__GadgetRunRequest message;
	Api__Entry *entries, **list;
};
void api_request_init(struct api_request *r, const struct run_spec *from);
void api_request_done(struct api_request *r);
