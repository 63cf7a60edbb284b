/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks over the network: see nbd.c. Both return 0 or an error's number. */
#ifndef DMREMAP_GUEST_NBD_H
#define DMREMAP_GUEST_NBD_H

#include <stdint.h>

int network_up(void);
/* Makes the export `name` of the host's port the device `node`, with logical blocks of so many bytes. */
int nbd_attach(const char *name, uint16_t port, unsigned int block, const char *node);

#endif
