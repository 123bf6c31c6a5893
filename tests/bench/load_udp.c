// SPDX-License-Identifier: Apache-2.0
/*
 * load_udp RATE SECONDS: sends numbered datagrams of 512 bytes to itself, RATE times a second,
 * which nobody reads; prints "sent N us N". A payload begins with IGPKT and ten digits.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(9000)};
	struct timespec pause = {.tv_nsec = 200000};
	long long sent = 0, start, due;
	char payload[512] = "";

	if (argc != 3)
		return 2;
	long long rate = atoll(argv[1]), all = rate * atoll(argv[2]);
	int from = socket(AF_INET, SOCK_DGRAM, 0), to = socket(AF_INET, SOCK_DGRAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(to, (struct sockaddr *)&at, sizeof(at)) ||
	    connect(from, (struct sockaddr *)&at, sizeof(at)))
		return 1;
	start = now_us();
	while (sent < all) {
		due = (now_us() - start) * rate / 1000000;
		for (; sent < due && sent < all; sent++) {
			snprintf(payload, sizeof(payload), "IGPKT%010lld", sent);
			if (send(from, payload, sizeof(payload), 0) != sizeof(payload))
				return 1;
		}
		nanosleep(&pause, NULL);
	}
	printf("sent %lld us %lld\n", sent, now_us() - start);
	return 0;
}
