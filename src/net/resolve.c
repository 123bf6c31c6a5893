// SPDX-License-Identifier: Apache-2.0
#include "net/resolve.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define MAX_HOSTS_BYTES (1u << 20)

struct found {
	struct sockaddr_storage *at;
	int n;
	uint16_t port;
};

/* bytes: of an in_addr or an in6_addr. */
static void add(struct found *f, int family, const void *bytes)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(f->port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(f->port)};

	if (f->n == RESOLVE_MAX)
		return;
	f->at[f->n] = (struct sockaddr_storage){0};
	if (family == AF_INET6) {
		memcpy(&six.sin6_addr, bytes, sizeof(six.sin6_addr));
		memcpy(&f->at[f->n++], &six, sizeof(six));
	} else {
		memcpy(&four.sin_addr, bytes, sizeof(four.sin_addr));
		memcpy(&f->at[f->n++], &four, sizeof(four));
	}
}

static bool add_literal(struct found *f, int family, const char *text)
{
	struct in6_addr bytes;

	if (inet_pton(family, text, &bytes) != 1)
		return false;
	add(f, family, &bytes);
	return true;
}

/* The next word of a line, cut off it; NULL at its end. */
static char *next_word(char **line)
{
	char *word = NULL;

	while (*line && !*(word = strsep(line, " \t\r")))
		word = NULL;
	return word;
}

/* hosts(5): "ADDRESS NAME…" */
static void look_into_hosts(struct found *f, const char *host)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_HOSTS_BYTES};
	char *lines, *line;

	if (buf_read_file(&text, AT_FDCWD, "/etc/hosts"))
		return;
	lines = text.data;
	while ((line = strsep(&lines, "\n"))) {
		const char *address, *word;

		line[strcspn(line, "#")] = '\0';
		address = next_word(&line);
		while ((word = next_word(&line)) && strcasecmp(word, host) != 0)
			;
		if (word && !add_literal(f, AF_INET6, address))
			add_literal(f, AF_INET, address);
	}
}

static void ask_dns(struct found *f, const char *host, ns_type type, int family)
{
	uint8_t answer[4096];
	int n = res_search(host, ns_c_in, type, answer, sizeof(answer));
	ns_msg message;
	ns_rr record;

	if (n < 0 ||
	    ns_initparse(answer, n < (int)sizeof(answer) ? n : (int)sizeof(answer), &message))
		return;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &record))
			return;
		if (ns_rr_type(record) == type &&
		    ns_rr_rdlen(record) == (family == AF_INET6 ? 16 : 4))
			add(f, family, ns_rr_rdata(record));
	}
}

int resolve(const char *host, uint16_t port, struct sockaddr_storage ret[RESOLVE_MAX],
	    struct err *err)
{
	struct found f = {.at = ret, .port = port};

	if (add_literal(&f, AF_INET6, host) || add_literal(&f, AF_INET, host))
		return f.n;
	look_into_hosts(&f, host);
	if (!f.n && !strcasecmp(host, "localhost"))
		add_literal(&f, AF_INET, "127.0.0.1");
	if (!f.n) {
		ask_dns(&f, host, ns_t_aaaa, AF_INET6);
		ask_dns(&f, host, ns_t_a, AF_INET);
	}
	return f.n ? f.n : err_set(err, -ENOENT, "no host '%s'", host);
}
