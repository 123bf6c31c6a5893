// SPDX-License-Identifier: Apache-2.0
// link: -lz
/* burn_library MS: uses a CPU for so many milliseconds of its time within a shared library. */
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

int main(int argc, char **argv)
{
	static unsigned char bytes[1 << 16];
	volatile unsigned long sum = 0;

	if (argc != 2)
		return 2;
	while (clock() < atol(argv[1]) * (CLOCKS_PER_SEC / 1000))
		sum = crc32_z(sum, bytes, sizeof(bytes));
	return 0;
}
