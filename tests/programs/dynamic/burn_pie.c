// SPDX-License-Identifier: Apache-2.0
// also: static musl
/* burn, as an executable that may lie anywhere, and in the other ways in which programs are linked. */
#include "../burn.c"
