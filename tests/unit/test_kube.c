// SPDX-License-Identifier: Apache-2.0
/* kube: the channels of an exec over a socket pair, agents from lists of pods, and refusals. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "kube/agents.h"
#include "kube/channels.h"
#include "kube/kube.h"
#include "net/transport.h"

/* ---- channels -------------------------------------------------------------------- */

static struct transport *begin(int *peer, bool is_v5)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*peer = fds[1];
	return channels_transport(fds[0], is_v5);
}

static void end(struct transport *t, int peer)
{
	t->ops->free(t);
	close(peer);
}

#define SAY(peer, bytes) \
	assert_int_equal(send(peer, bytes, sizeof(bytes) - 1, MSG_NOSIGNAL), sizeof(bytes) - 1)

static void test_stdout(void **state)
{
	char bytes[TRANSPORT_ROOM] = "";
	struct err err = {0};
	int peer;
	struct transport *t = begin(&peer, true);

	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -EAGAIN);
	SAY(peer, "\x82\x01\x01" /* servers begin with empty messages */
		  "\x82\x04\x01"
		  "abc\x82\x03\x02oh" /* stderr is kept apart */
		  "\x02\x02\x01"
		  "d\x80\x02"
		  "ef");
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), 6);
	assert_memory_equal(bytes, "abcdef", 6);
	SAY(peer, "\x82\x05\x02 no\n");
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -EAGAIN);
	SAY(peer, "\x88\x02\x03\xe8");
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -EAGAIN);
	assert_int_equal(poll(&(struct pollfd){t->fd, POLLIN, 0}, 1, 0),
			 1); /* recv will be called */
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -ECONNREFUSED);
	assert_string_equal(err.text, "oh no");
	end(t, peer);
}

/* How it ended, where stderr says nothing; and that all went well, whatever that says. */
static void test_status(void **state)
{
	char bytes[TRANSPORT_ROOM];
	struct err err = {0};
	int peer;
	struct transport *t = begin(&peer, false);

	SAY(peer, "\x82\x2e\x03{\"status\":\"Failure\",\"message\":\"no such ig\"}  ");
	close(peer);
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -EAGAIN);
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -ECONNREFUSED);
	assert_string_equal(err.text, "no such ig");
	t->ops->free(t);

	t = begin(&peer, false);
	SAY(peer, "\x82\x04\x02"
		  "abc\x82\x15\x03{\"status\":\"Success\"}");
	close(peer);
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -EAGAIN);
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), 0);
	t->ops->free(t);

	t = begin(&peer, false);
	SAY(peer, "\x82\x81");
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -EPROTO);
	end(t, peer);
}

/* A server that says no end of errors costs no end of nothing. */
static void test_endless_errors(void **state)
{
	static char frame[4 + 60000] = "\x82\x7e\xea\x60\x02";
	char bytes[TRANSPORT_ROOM];
	struct err err = {0};
	int peer;
	struct transport *t = begin(&peer, false);

	memset(frame + 5, 'x', sizeof(frame) - 5);
	for (int i = 0; i < 40; i++) {
		ssize_t n = send(peer, frame, sizeof(frame), MSG_NOSIGNAL);

		assert_int_equal(n, sizeof(frame));
		for (int j = 0; j < 4; j++)
			assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -EAGAIN);
	}
	close(peer);
	assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -ECONNREFUSED);
	assert_int_equal(strspn(err.text, "x"), 400);
	t->ops->free(t);
}

/* All that came to the server, frame after frame. */
static unsigned char came[2 << 20];
static size_t n_came;

static bool collect(int peer)
{
	ssize_t n = recv(peer, came + n_came, sizeof(came) - n_came, MSG_DONTWAIT);

	n_came += n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* The frame at `at`, unmasked: its opcode and payload; the place of the next one. */
static size_t frame(size_t at, unsigned int *ret_opcode, unsigned char **ret, size_t *ret_n)
{
	size_t n = came[at + 1] & 0x7f, head = 2;
	unsigned char *mask;

	assert_true(came[at + 1] & 0x80);
	if (n == 126) {
		n = (size_t)came[at + 2] << 8 | came[at + 3];
		head = 4;
	}
	mask = came + at + head;
	for (size_t i = 0; i < n; i++)
		mask[4 + i] ^= mask[i & 3];
	*ret_opcode = came[at] & 15;
	*ret = mask + 4;
	*ret_n = n;
	assert_true(at + head + 4 + n <= n_came);
	return at + head + 4 + n;
}

/* What the socket does not take is not taken of the caller either, who comes again with it. */
static void test_backpressure(void **state)
{
	static unsigned char sent[1 << 20];
	struct err err = {0};
	unsigned int opcode, waits = 0;
	unsigned char *payload;
	int peer, small = 4096;
	size_t n, at = 0, done = 0;
	struct transport *t = begin(&peer, true);

	n_came = 0;
	assert_int_equal(setsockopt(t->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (unsigned char)(i * 7 + i / 256);
	while (done < sizeof(sent)) {
		ssize_t r = t->ops->send(t, sent + done, sizeof(sent) - done, &err);

		if (r == -EAGAIN) {
			waits++;
			assert_true(collect(peer));
			continue;
		}
		assert_in_range(r, 1, 65536);
		done += (size_t)r;
	}
	assert_true(waits > 10);
	while (collect(peer))
		;
	for (done = 0; done < sizeof(sent); done += n - 1) {
		at = frame(at, &opcode, &payload, &n);
		assert_int_equal(opcode, 2);
		assert_int_equal(payload[0], 0);
		assert_memory_equal(payload + 1, sent + done, n - 1);
	}
	assert_int_equal(at, n_came);
	end(t, peer);
}

/* A ping is answered, and the end closes stdin where the protocol has words for it. */
static void test_controls(void **state)
{
	for (int v5 = 0; v5 < 2; v5++) {
		char bytes[TRANSPORT_ROOM];
		unsigned char *payload;
		unsigned int opcode;
		struct err err = {0};
		size_t n, at = 0;
		int peer;
		struct transport *t = begin(&peer, v5);

		n_came = 0;
		SAY(peer, "\x89\x02hi");
		assert_int_equal(t->ops->recv(t, bytes, sizeof(bytes), &err), -EAGAIN);
		t->ops->end(t);
		assert_true(collect(peer));
		at = frame(at, &opcode, &payload, &n);
		assert_int_equal(opcode, 10);
		assert_memory_equal(payload, "hi", n);
		if (v5) {
			at = frame(at, &opcode, &payload, &n);
			assert_int_equal(opcode, 2);
			assert_memory_equal(payload, "\xff\x00", n);
		}
		at = frame(at, &opcode, &payload, &n);
		assert_int_equal(opcode, 8);
		assert_int_equal(at, n_came);
		assert_int_equal(recv(peer, bytes, 1, MSG_DONTWAIT), 0);
		end(t, peer);
	}
}

/* ---- agents ---------------------------------------------------------------------- */

#define POD(name, node, more)                                         \
	"{\"metadata\":{\"name\":\"" name                             \
	"\",\"namespace\":\"gadget\"},\"spec\":{\"nodeName\":\"" node \
	"\",\"containers\":[{\"name\":\"gadget\",\"image\":\"ig:1\"}]},\"status\":{" more "}}"
#define READY "\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]"
#define WAITS(reason)                                                                              \
	"\"phase\":\"Pending\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}],"        \
	"\"containerStatuses\":[{\"name\":\"gadget\",\"state\":{\"waiting\":{\"reason\":\"" reason \
	"\",\"message\":\"m\\u001b\"}}}]"

static void add(struct agents *a, const char *text, int r)
{
	struct err err;
	json_t *list = json_loads(text, 0, NULL);

	assert_non_null(list);
	assert_int_equal(agents_add(a, list, &err), r);
	json_decref(list);
}

/* As the pods of a node that the cluster does not hear of any more. */
#define SILENT "\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"gadget\",\"ready\":true}]"

static void test_agents(void **state)
{
	struct agents a = {0};

	add(&a,
	    "{\"items\":[" POD("p1", "n1", READY) "," POD("p2", "", "\"phase\":\"Pending\"") "," POD(
		    "p3", "n3",
		    WAITS("ImagePullBackOff")) "," POD("p4", "n4",
						       WAITS("CrashLoopBackOff")) "," POD("p5",
											  "n5",
											  "\"phase"
											  "\":"
											  "\"Failed"
											  "\"") ",7"
												"]"
												"}",
	    0);
	add(&a, "{\"items\":[" POD("p6", "n6", SILENT) "]}", 0);
	add(&a, "{\"items\":[]}", 0);
	add(&a, "{\"items\":7}", -EBADMSG);
	add(&a, "[]", -EBADMSG);
	assert_int_equal(a.n, 5);
	assert_string_equal(a.items[0].pod, "p1");
	assert_string_equal(a.items[0].node, "n1");
	assert_int_equal(a.items[0].code, 0);
	assert_null(a.items[0].why);
	assert_int_equal(a.items[1].code, -ENOMEDIUM);
	assert_string_equal(a.items[1].why, "the image ig:1 is missing (ImagePullBackOff: m\\x1b)");
	assert_int_equal(a.items[2].code, -EHOSTDOWN);
	assert_string_equal(a.items[2].why, "the agent is not ready (CrashLoopBackOff: m\\x1b)");
	assert_string_equal(a.items[3].why, "the agent is not ready (Failed)");
	assert_string_equal(a.items[4].why, "the node is not ready");
	agents_done(&a);
}

/* ---- refusals -------------------------------------------------------------------- */

static void test_refusals(void **state)
{
	static const struct {
		unsigned int status;
		const char *body;
		int code;
		const char *text;
	} all[] = {
		{500, "dial tcp: refused\n", -EHOSTUNREACH,
		 "no cluster: the API server cannot be reached: dial tcp: refused"},
		{500, "{\"message\":\"etcd\"}", -EIO, "pods: HTTP status 500: etcd"},
		{401, "{\"message\":\"Unauthorized\"}", -EACCES,
		 "the cluster does not accept your credentials: Unauthorized"},
		{403, "{\"message\":\"pods is forbidden\"}", -EPERM,
		 "pods: not allowed: pods is forbidden"},
		{404, "", -ENOENT, "pods: "},
		{503, "{\"message\"", -EIO, "pods: HTTP status 503: {\"message\""},
		{400, "a\x1b[b\r\nc", -EIO, "pods: HTTP status 400: a\\x1b[b"},
	};

	for (size_t i = 0; i < array_size(all); i++) {
		_cleanup_(buf_done) struct buf body = {.max = 1000};
		struct err err;

		buf_str(&body, all[i].body);
		assert_int_equal(kube_refusal(all[i].status, &body, "pods", &err), all[i].code);
		assert_string_equal(err.text, all[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stdout),	       cmocka_unit_test(test_status),
		cmocka_unit_test(test_endless_errors), cmocka_unit_test(test_backpressure),
		cmocka_unit_test(test_controls),       cmocka_unit_test(test_agents),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
