// SPDX-License-Identifier: Apache-2.0
/* ig health: is a daemon well? For the probes of whoever runs it. */
#include "api/health.pb-c.h"
#include "base/err.h"
#include "cmd/remote_command.h"

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING

static int check(struct remote *remote, const struct words *words, struct err *err)
{
	Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	Grpc__Health__V1__HealthCheckResponse *m =
		remote_ask(remote, "/grpc.health.v1.Health/Check", &request.base,
			   &grpc__health__v1__health_check_response__descriptor, err);
	bool serves;

	if (!m)
		return err->code;
	serves = m->status == SERVING;
	grpc__health__v1__health_check_response__free_unpacked(m, NULL);
	return serves ? 0 : err_set(err, -EHOSTDOWN, "the daemon does not serve");
}

static int health_main(int argc, char **argv)
{
	return remote_command("health", argc, argv, NULL, check);
}

static const struct flag_table *const tables[] = {&remote_flags, NULL};
static const struct command health = {
	.name = "health",
	.summary = "Is the daemon well?",
	.usage = "[FLAGS]",
	.description = "Asks its grpc.health.v1.Health, and says nothing where it serves.",
	.tables = tables,
	.run = health_main,
};
COMMAND(&health);
