/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/* Flags of TCP segments, as fields that are shown by name. */
#pragma once

enum tcp_flag_set {
	FIN = 1,
	SYN = 2,
	RST = 4,
	PSH = 8,
	ACK = 16,
	URG = 32,
	ECE = 64,
	CWR = 128,
};
