// SPDX-License-Identifier: Apache-2.0
// link: -I/usr/include/nspr -lnspr4
/* nspr_ways: NSPR's functions, under which NSS puts TLS, on a pair of sockets; the last read fails.
 */
#include <nspr/nspr.h>
#include <stdio.h>

int main(void)
{
	PRFileDesc *pair[2];
	char text[64];

	if (PR_NewTCPSocketPair(pair) != PR_SUCCESS) {
		fprintf(stderr, "nspr_ways: no sockets\n");
		return 1;
	}
	PR_Write(pair[0], "written", 7);
	PR_Read(pair[1], text, sizeof(text));
	PR_Send(pair[0], "sent", 4, 0, PR_INTERVAL_NO_TIMEOUT);
	PR_Recv(pair[1], text, sizeof(text), 0, PR_INTERVAL_NO_TIMEOUT);
	return PR_Recv(pair[1], text, sizeof(text), 0, PR_MillisecondsToInterval(1)) != -1;
}
