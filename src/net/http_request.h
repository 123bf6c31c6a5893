/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request of HTTP/1.1 (RFC 9112) as a small service needs it: method, path and parameters, of the
 * query and of a body that a form made. Clients may be hostile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct http_parameter {
	char *name, *value; /* decoded */
};

struct http_request {
	char *path;   /* decoded, without the query */
	bool is_head; /* an answer without body is wanted */
	struct http_parameter *parameters;
	size_t n, room;
};

/*
 * Reads what has come of a request. 1: more must come; 0: it is whole. -EBADMSG: it is none that is
 * taken; -EMSGSIZE: it is longer than MAX_HTTP_REQUEST_BYTES, or will be.
 */
int http_request_read(const char *bytes, size_t n, struct http_request *ret);
void http_request_done(struct http_request *q);

/* NULL: it was not given. Of one that was given several times the last. */
const char *http_parameter(const struct http_request *q, const char *name);
