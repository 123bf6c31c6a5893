// SPDX-License-Identifier: Apache-2.0
/*
 * Packet filters: what our translation of a classic program says of a packet, as the kernel runs
 * it, is what the kernel's own classic machine says. Random programs with a fixed seed, and those
 * that libpcap makes of expressions. This test needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gadget/filter_room.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "gadget/classic.h"
#include "gadget/packet_filter.h"
#include "gadget/pcap_compile.h"

enum { WINDOW = PACKET_FILTER_BYTES, ROOM = PACKET_FILTER_ROOM, PACKETS = 24, PROGRAMS = 1200 };

static uint64_t seed = 20261126;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

/* ---- packets -------------------------------------------------------------------------------- */

struct packet {
	uint32_t have, length;
	uint8_t bytes[WINDOW];
};

static void put(struct packet *p, size_t at, const char *bytes, size_t n)
{
	memcpy(p->bytes + at, bytes, n);
}

/* Random ones that look like IP, so that filters get somewhere. */
static void make_packet(struct packet *p)
{
	static const char *const types[] = {"\x08\x00", "\x86\xdd", "\x08\x06", "\x81\x00"};
	static const char protocols[] = {1, 6, 17, 58, 44, 2};
	static const char ports[] = {0, 53, 80, 22};

	p->have = p->length = any(8) ? 60 + any(WINDOW - 60) : 1 + any(60);
	for (size_t i = 0; i < sizeof(p->bytes); i++)
		p->bytes[i] = (uint8_t)(any(3) ? any(4) : any(256));
	put(p, 12, types[any(array_size(types))], 2);
	put(p, 14, any(2) ? "\x45\x00" : any(2) ? "\x60\x00" : "\x46\x00", 2);
	put(p, 20, any(2) ? "\x00\x00" : "\x20\x01", 2);
	p->bytes[23] = p->bytes[20 + any(2)] = (uint8_t)protocols[any(sizeof(protocols))];
	put(p, 26, any(2) ? "\x0a\x00\x00\x01\x0a\x00\x00\x02" : "\x0a\x00\x00\x02\x0a\x00\x00\x01",
	    8);
	put(p, 34, any(2) ? "\x00\x50" : "\x00\x35", 2);
	p->bytes[37] = (uint8_t)ports[any(sizeof(ports))];
}

/* ---- both machines -------------------------------------------------------------------------- */

/* 1, 0, or -1: the kernel takes no such program. */
static int attach_classic(int fd, struct sock_filter *filter, size_t n)
{
	struct sock_fprog program = {.len = (unsigned short)n, .filter = filter};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static bool classic_verdict(const int fds[2], const struct packet *p)
{
	char byte;
	ssize_t n;

	assert_int_equal(send(fds[0], p->bytes, p->length, 0), p->length);
	n = recv(fds[1], &byte, 1, MSG_DONTWAIT);
	assert_true(n == 1 || errno == EAGAIN);
	return n == 1;
}

struct machine {
	int map, program;
};

#define INSN(CODE, TO, FROM, OFF, IMM) \
	((struct bpf_insn){            \
		.code = (CODE), .dst_reg = (TO), .src_reg = (FROM), .off = (OFF), .imm = (IMM)})

/* A program that calls the function with what lies in the map. */
static int load_translated(int map, const struct bpf_insn *function, size_t n)
{
	static struct bpf_insn code[16 + ROOM];
	static char log[65536];
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = log, .log_size = sizeof(log));
	const struct bpf_insn call[] = {
		INSN(BPF_LD | BPF_DW | BPF_IMM, 6, BPF_PSEUDO_MAP_VALUE, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(struct packet, have), 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 6, offsetof(struct packet, length), 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, offsetof(struct packet, bytes)),
		INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	int fd;

	memcpy(code, call, sizeof(call));
	memcpy(code + array_size(call), function, n * sizeof(*function));
	fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "translated", "GPL", code,
			   array_size(call) + n, &opts);
	if (fd < 0)
		print_error("%s\n", log + (strlen(log) > 3000 ? strlen(log) - 3000 : 0));
	assert_true(fd >= 0);
	return fd;
}

static bool translated_verdict(const struct machine *m, const struct packet *p)
{
	char any_packet[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = any_packet,
		    .data_size_in = sizeof(any_packet), .repeat = 1);
	uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(m->map, &zero, p, BPF_ANY), 0);
	assert_int_equal(bpf_prog_test_run_opts(m->program, &opts), 0);
	return opts.retval != 0;
}

struct verdicts {
	unsigned int compared, accepted;
};

/* n instructions of classic, as the kernel runs them here and there. */
static void compare(struct sock_filter *filter, size_t n, const struct bpf_insn *code, size_t used,
		    struct verdicts *v)
{
	struct machine m = {.map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "packet", 4,
						  sizeof(struct packet), 1, NULL)};
	struct packet p;
	int fds[2];

	assert_true(m.map >= 0);
	m.program = load_translated(m.map, code, used);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(attach_classic(fds[1], filter, n), 0);
	for (int i = 0; i < PACKETS; i++) {
		bool expected, got;

		make_packet(&p);
		expected = classic_verdict(fds, &p);
		got = translated_verdict(&m, &p);
		if (got != expected)
			for (size_t k = 0; k < n; k++)
				print_error("%zu: %04x %u %u %u\n", k, filter[k].code, filter[k].jt,
					    filter[k].jf, filter[k].k);
		assert_int_equal(got, expected);
		v->compared++;
		v->accepted += got;
	}
	close(fds[0]);
	close(fds[1]);
	close(m.program);
	close(m.map);
}

/* ---- random programs ------------------------------------------------------------------------ */

static uint32_t any_constant(void)
{
	static const uint32_t edges[] = {0, 1, 31, 0x7fffffff, 0x80000000, 0xffffffff, 0x0800};

	return any(3) ? any(80) : any(2) ? edges[any(array_size(edges))] : any(UINT32_MAX);
}

static void make_instruction(struct sock_filter *i, size_t left)
{
	static const uint16_t loads[] = {
		BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS,  BPF_LD | BPF_B | BPF_ABS,
		BPF_LD | BPF_W | BPF_IND, BPF_LD | BPF_H | BPF_IND,  BPF_LD | BPF_B | BPF_IND,
		BPF_LD | BPF_IMM,	  BPF_LD | BPF_W | BPF_LEN,  BPF_LD | BPF_MEM,
		BPF_LDX | BPF_IMM,	  BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_MEM,
		BPF_LDX | BPF_B | BPF_MSH};
	static const uint16_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND,
				       BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR, BPF_NEG};
	static const uint16_t tests[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};

	*i = (struct sock_filter){.k = any_constant()};
	switch (any(8)) {
	case 0:
	case 1:
	case 2:
		i->code = loads[any(array_size(loads))];
		i->k = i->code & BPF_MEM ? any(BPF_MEMWORDS) : any(WINDOW + 8);
		break;
	case 3:
		i->code = any(2) ? BPF_ST : BPF_STX;
		i->k = any(BPF_MEMWORDS);
		break;
	case 4:
		i->code = BPF_ALU | ops[any(array_size(ops))];
		i->code |= BPF_OP(i->code) != BPF_NEG && any(2) ? BPF_X : BPF_K;
		break;
	case 5:
		i->code = BPF_MISC | (any(2) ? BPF_TAX : BPF_TXA);
		break;
	default:
		i->code = BPF_JMP | tests[any(array_size(tests))] | (any(2) ? BPF_X : BPF_K);
		i->jt = (uint8_t)any((uint32_t)left);
		i->jf = (uint8_t)any((uint32_t)left);
		if (!any(12))
			*i = (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, any((uint32_t)left)};
	}
}

static size_t make_program(struct sock_filter *p)
{
	size_t n = 3 + any(40);

	for (size_t i = 0; i < n - 2; i++)
		make_instruction(&p[i], n - 1 - i);
	p[n - 2] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, any(2)};
	p[n - 1] = (struct sock_filter){BPF_RET | (any(2) ? BPF_A : BPF_K), 0, 0, any(3)};
	return n;
}

static void test_random_programs(void **state)
{
	static struct bpf_insn code[ROOM];
	struct verdicts v = {0};
	unsigned int tried = 0, refused = 0;

	while (tried++ < PROGRAMS) {
		struct sock_filter program[64];
		size_t n = make_program(program), used;
		int fds[2], theirs;
		int r = classic_translate(program, n, WINDOW, code, ROOM, &used, NULL);

		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
		theirs = attach_classic(fds[1], program, n);
		close(fds[0]);
		close(fds[1]);
		/* What we take beyond it: memory that was not written, which is 0 here. */
		refused += r || theirs;
		if (!r && !theirs)
			compare(program, n, code, used, &v);
	}
	print_message("%u programs, %u refused; %u packets, %u accepted\n", PROGRAMS, refused,
		      v.compared, v.accepted);
	assert_true(refused < PROGRAMS * 4 / 5);
	assert_true(v.accepted > v.compared / 10 && v.accepted < v.compared * 9 / 10);
}

/* ---- expressions ---------------------------------------------------------------------------- */

static const char *const expressions[] = {"ip",
					  "ip6",
					  "arp",
					  "tcp",
					  "udp",
					  "icmp",
					  "not tcp",
					  "port 80",
					  "udp port 53",
					  "tcp dst port 80 or udp src port 53",
					  "portrange 20-100",
					  "host 10.0.0.1",
					  "src host 10.0.0.1 and dst host 10.0.0.2",
					  "net 10.0.0.0/8 and not port 22",
					  "ip[6:2] & 0x1fff != 0",
					  "ip[2:2] > 100",
					  "len > 200",
					  "less 100",
					  "greater 300",
					  "vlan",
					  "vlan 257 and tcp",
					  "ip6 proto 6",
					  "ip6 host ::1",
					  "ether host 01:02:03:00:01:02",
					  "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
					  "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x01020301",
					  "ip[0] & 0xf != 5",
					  "icmp[icmptype] = icmp-echo",
					  "ether[100] % 3 = 1",
					  "ether[20] / ether[21] > 1",
					  "ether[30] * 4 - ether[31] < 17",

					  "multicast",
					  "ether proto 0x0806",
					  "tcp port 80 or tcp port 53 or udp port 22"};

static void test_expressions(void **state)
{
	static struct bpf_insn code[ROOM];
	struct verdicts v = {0};

	for (size_t i = 0; i < array_size(expressions); i++) {
		struct sock_filter program[BPF_MAXINSNS];
		char why[256] = "";
		struct err err = {0};
		int n = pcap_expression(expressions[i], program, array_size(program), why,
					sizeof(why));

		if (n < 0)
			print_error("%s: %s\n", expressions[i], why);
		assert_true(n > 0);
		assert_int_equal(packet_filter_write(expressions[i], code, ROOM, &err), 0);
		compare(program, (size_t)n, code, ROOM, &v);
	}
	print_message("%u packets, %u accepted\n", v.compared, v.accepted);
	assert_true(v.accepted > v.compared / 10 && v.accepted < v.compared * 9 / 10);
}

static void refuses(const char *expression, const char *words)
{
	static struct bpf_insn code[ROOM];
	struct err err = {0};

	assert_true(packet_filter_write(expression, code, ROOM, &err) < 0);
	if (!strstr(err.text, words))
		print_error("%s: %s\n", expression, err.text);
	assert_non_null(strstr(err.text, words));
}

static void test_refused(void **state)
{
	struct bpf_insn code[64];
	struct err err = {0};

	refuses("porrt 80", "syntax error");
	refuses("host www.example.com", "unknown host");
	refuses("ether[512] = 1", "looks at byte 512");
	refuses("ether[511:2] = 1", "looks at byte 511");
	refuses("inbound", "only a packet socket knows");
	assert_int_equal(packet_filter_write("ether[508:4] = 1", code, 64, &err), 0);
	assert_int_equal(packet_filter_write("tcp port 80 or udp port 53 or host 10.0.0.1", code,
					     array_size(code), &err),
			 -E2BIG);
}

/* What lies behind the window, or behind what is there, rejects, whatever is asked. */
static void test_window(void **state)
{
	struct sock_filter program[] = {{BPF_LDX | BPF_IMM, 0, 0, 0},
					{BPF_LD | BPF_B | BPF_IND, 0, 0, 0},
					{BPF_RET | BPF_K, 0, 0, 1}};
	static const struct {
		uint32_t x, k, have;
		bool accepts;
	} cases[] = {{0, 0, 1, true},
		     {0, 0, 0, false},
		     {511, 0, 512, true},
		     {500, 12, 512, false},
		     {500, 11, 511, false},
		     {0xffffffff, 1, 1, true},
		     {0xffffffff, 0, 512, false},
		     {0x80000000, 0x80000000, 1, true}};
	struct bpf_insn code[64];

	for (size_t i = 0; i < array_size(cases); i++) {
		struct machine m = {.map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "packet", 4,
							  sizeof(struct packet), 1, NULL)};
		struct packet p = {.have = cases[i].have, .length = 9000};
		size_t used;

		program[0].k = cases[i].x;
		program[1].k = cases[i].k;
		assert_int_equal(classic_translate(program, 3, WINDOW, code, 64, &used, NULL), 0);
		m.program = load_translated(m.map, code, used);
		assert_int_equal(translated_verdict(&m, &p), cases[i].accepts);
		close(m.program);
		close(m.map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_programs),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
