// SPDX-License-Identifier: Apache-2.0
/* grpc.health.v1.Health: a daemon that answers is well. */
#include "api/health.pb-c.h"
#include "api/service.h"
#include "base/err.h"
#include "base/mem.h"

static int read_request(const void *bytes, size_t len, bool *ret_known, struct err *err)
{
	Grpc__Health__V1__HealthCheckRequest *m =
		grpc__health__v1__health_check_request__unpack(NULL, len, bytes);

	if (!m)
		return api_malformed(err);
	*ret_known = !*m->service || api_has_service(m->service); /* "": the server as a whole */
	grpc__health__v1__health_check_request__free_unpacked(m, NULL);
	return 0;
}

#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

static Grpc__Health__V1__HealthCheckResponse response(int status)
{
	Grpc__Health__V1__HealthCheckResponse m = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	m.status = status;
	return m;
}

static int check(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	Grpc__Health__V1__HealthCheckResponse m;
	bool known;
	int r = read_request(bytes, len, &known, err);

	if (r)
		return r;
	if (!known)
		return err_set(err, -ENOENT, "no such service");
	m = response(STATUS(SERVING));
	api_append(&m.base, reply);
	return 0;
}

struct watching {
	bool asked;
};

/* The state does not change until the server goes. */
static void on_watch_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	Grpc__Health__V1__HealthCheckResponse m;
	struct watching *w = ctx;
	struct err err = {0};
	bool known;
	int r = w->asked ? err_set(&err, -EINVAL, "one request at a time")
			 : read_request(bytes, len, &known, &err);

	w->asked = true;
	if (r) {
		api_finish(call, r, &err);
		return;
	}
	m = response(known ? STATUS(SERVING) : STATUS(SERVICE_UNKNOWN));
	api_send(call, &m.base);
}

static void on_watch_stopping(void *ctx, struct grpc_served *call)
{
	Grpc__Health__V1__HealthCheckResponse m = response(STATUS(NOT_SERVING));

	api_send(call, &m.base);
	api_finish(call, 0, NULL);
}

static void on_watch_gone(void *ctx, struct grpc_served *call)
{
	free(ctx);
}

static void watch(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {
		.message = on_watch_message, .stopping = on_watch_stopping, .gone = on_watch_gone};

	grpc_served_start(call, &events, xnew(struct watching));
}

static const struct grpc_method methods[] = {
	{"/grpc.health.v1.Health/Check", check, NULL},
	{"/grpc.health.v1.Health/Watch", NULL, watch},
	{0},
};
static const struct api_service health = {methods};
API_SERVICE(&health);
