// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest does before it listens: mounting, loading the modules of the initramfs in their order, and finding the
// disks. The order of these steps is in agent.c.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "boot.h"
#include "nbd.h"

void mounts(void)
{
	static const char *const places[][2] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" }, { "tmpfs", "/run" }, { "tmpfs", "/tmp" },
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		mkdir(places[i][1], 0755);
		mount(places[i][0], places[i][1], places[i][0], 0, NULL);
	}
	mkdir("/dev/mapper", 0755);
	mkdir("/dev/lab", 0755);
	mkdir("/mnt", 0755);
	mkdir("/sys/kernel/config", 0755);
	mount("configfs", "/sys/kernel/config", "configfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
}

void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, value, strlen(value)) < 0)
			fprintf(stderr, "%s: %s\n", path, error_name(errno));
		close(fd);
	}
}

/* /lab/modules has a line per module: its file, and its parameters. */
void load_modules(struct text *notes)
{
	FILE *list = fopen("/lab/modules", "re");
	char line[1024];

	while (list && fgets(line, sizeof(line), list)) {
		char *params = strchr(line, ' ');
		int fd;

		line[strcspn(line, "\n")] = '\0';
		if (params)
			*params++ = '\0';
		fd = open(line, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, params ? params : "", 0))
			text_printf(notes, " %s:%s", line, error_name(errno));
		if (fd >= 0)
			close(fd);
	}
	if (list)
		fclose(list);
}

/* Whether the file's first word is `wanted`. */
static bool says(const char *path, const char *wanted)
{
	char word[128] = "";
	FILE *file = fopen(path, "re");
	int fields;

	if (!file)
		return false;
	fields = fscanf(file, "%127s", word);
	fclose(file);
	return fields == 1 && !strcmp(word, wanted);
}

/* Makes /dev/lab/NAME for the disk whose serial number is NAME. */
static bool name_disk(const char *name)
{
	static const char *const places[] = { "serial", "device/serial" };
	DIR *blocks = opendir("/sys/block");
	struct dirent *entry;
	bool found = false;

	while (blocks && !found && (entry = readdir(blocks))) {
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			char path[1024], node[1024];

			snprintf(path, sizeof(path), "/sys/block/%s/%s", entry->d_name, places[i]);
			if (!says(path, name))
				continue;
			snprintf(path, sizeof(path), "/dev/lab/%s", name);
			snprintf(node, sizeof(node), "../%s", entry->d_name);
			found = symlink(node, path) == 0 || errno == EEXIST;
		}
	}
	if (blocks)
		closedir(blocks);
	return found;
}

/* Brings up a disk over the network, as number `index` of them. */
static int fetch_disk(const char *name, unsigned int port, unsigned int block, unsigned int index)
{
	char path[1024], node[64];
	int error = index ? 0 : network_up();

	snprintf(node, sizeof(node), "/dev/nbd%u", index);
	if (!error)
		error = nbd_attach(name, port, block, node);
	snprintf(path, sizeof(path), "/dev/lab/%s", name);
	if (!error && symlink(node, path))
		error = errno;
	return error;
}

/*
 * /lab/disks has a line per disk: "NAME", or "NAME PORT BLOCK" for one over the network. Some drivers bring their disks
 * up only after they were loaded.
 */
void name_disks(struct text *notes)
{
	FILE *list = fopen("/lab/disks", "re");
	unsigned int fetched = 0;
	char line[128];

	while (list && fgets(line, sizeof(line), list)) {
		unsigned int port, block;
		int patience = 1000;
		char name[64];

		if (sscanf(line, "%63s %u %u", name, &port, &block) == 3) {
			int error = fetch_disk(name, port, block, fetched++);

			if (error)
				text_printf(notes, " %s:%s", name, error_name(error));
			continue;
		}
		while (!name_disk(name) && --patience)
			usleep(10 * 1000);
		if (!patience)
			text_printf(notes, " %s:missing", name);
	}
	if (list)
		fclose(list);
}
