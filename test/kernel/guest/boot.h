/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of a guest's start: see boot.c. `notes` gets a word for each thing that failed, "WHAT:ERROR". */
#ifndef DMREMAP_GUEST_BOOT_H
#define DMREMAP_GUEST_BOOT_H

struct text;

void mounts(void);
/* Writes a value into a file of the kernel's. */
void put(const char *path, const char *value);
void load_modules(struct text *notes);
void name_disks(struct text *notes);

#endif
