// SPDX-License-Identifier: Apache-2.0
/* datagram ADDRESS PORT TEXT: sends TEXT from one UDP socket to another, which is at ADDRESS:PORT.
 */
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *to;
	char got[65536];

	if (argc != 4 || getaddrinfo(argv[1], argv[2], &hints, &to))
		return 2;
	int receiver = socket(to->ai_family, SOCK_DGRAM, 0);
	int sender = socket(to->ai_family, SOCK_DGRAM, 0);
	ssize_t n = (ssize_t)strlen(argv[3]);

	if (bind(receiver, to->ai_addr, to->ai_addrlen) ||
	    sendto(sender, argv[3], (size_t)n, 0, to->ai_addr, to->ai_addrlen) != n)
		return 1;
	return recv(receiver, got, sizeof(got), 0) != n;
}
