// SPDX-License-Identifier: Apache-2.0
#include "api/service.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"

REGISTERED(ig_services, struct api_service);

void api_add_services(struct grpc_server *server, struct api *api)
{
	for_each_registered(ig_services, s)
		grpc_server_add(server, (*s)->methods, api);
}

void api_add_compat_services(struct grpc_server *server, struct api *api)
{
	for_each_registered(ig_services, s)
		if (str_starts((*s)->methods->path, "/api."))
			grpc_server_add(server, (*s)->methods, api);
}

static bool is_of_service(const struct grpc_method *m, const char *name)
{
	const char *rest = m->path + 1;
	size_t len = strlen(name);

	return str_starts(rest, name) && rest[len] == '/';
}

bool api_has_service(const char *name)
{
	for_each_registered(ig_services, s)
		for (const struct grpc_method *m = (*s)->methods; m->path; m++)
			if (is_of_service(m, name))
				return true;
	return false;
}

void api_append(const ProtobufCMessage *m, struct buf *out)
{
	size_t n = protobuf_c_message_get_packed_size(m);

	if (!buf_reserve(out, n))
		return;
	out->len += protobuf_c_message_pack(m, (uint8_t *)out->data + out->len);
}

void api_send(struct grpc_served *call, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	_cleanup_(freep) uint8_t *bytes = xcalloc(n + 1, 1);

	protobuf_c_message_pack(m, bytes);
	grpc_served_send(call, bytes, n);
}

void api_finish(struct grpc_served *call, int r, const struct err *err)
{
	grpc_served_finish(call, status_grpc(r), r && err->code ? err->text : NULL);
}

int api_malformed(struct err *err)
{
	return err_set(err, -EINVAL, "the message is malformed");
}

int api_no_request(struct err *err)
{
	return err_set(err, -EINVAL, "nothing is asked for");
}

int api_stopping(struct err *err)
{
	return err_set(err, -ESHUTDOWN, "the daemon ends");
}
