// SPDX-License-Identifier: Apache-2.0
/* load_pause: sleeps until it is killed. */
#include <unistd.h>

int main(void)
{
	for (;;)
		pause();
}
