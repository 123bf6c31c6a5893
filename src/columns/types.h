/* SPDX-License-Identifier: Apache-2.0 */
/* include/gadget/types.h for the host side, where __u8 … come from the system. */
#pragma once

#include <linux/types.h>

#include <gadget/types.h>
