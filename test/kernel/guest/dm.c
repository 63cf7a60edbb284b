// SPDX-License-Identifier: GPL-2.0-or-later
// Device-mapper calls without a process of their own. A dmsetup takes tens of milliseconds to start in an emulated
// guest, which is too long for scenarios that load thousands of tables; dmsetup itself is there too.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent.h"

/* Room for answers, as dmsetup begins with; and the most that is tried before an answer counts as too long. */
#define ROOM (16 * 1024)
#define MAX_ROOM (16 * 1024 * 1024)

static struct dm_ioctl *make(const char *name, uint32_t flags, size_t room)
{
	struct dm_ioctl *io = calloc(1, room);

	if (!io)
		abort();
	io->version[0] = DM_VERSION_MAJOR;
	io->data_size = room;
	io->data_start = sizeof(*io);
	io->flags = flags;
	strncpy(io->name, name, sizeof(io->name) - 1);
	return io;
}

/* Does the call; 0 or the error. */
static int do_ioctl(unsigned long request, struct dm_ioctl *io)
{
	static int control = -1;

	if (control < 0)
		control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	return ioctl(control, request, io) ? errno : 0;
}

static int simple(unsigned long request, const char *name, uint32_t flags)
{
	struct dm_ioctl *io = make(name, flags, ROOM);
	int error = do_ioctl(request, io);

	free(io);
	return error;
}

/* Loads a table of lines "START LENGTH TARGET ARGS...". */
static int load(const char *name, const char *lines, uint32_t flags)
{
	struct dm_ioctl *io = make(name, flags, ROOM + 8 * strlen(lines));
	char *copy = strdup(lines), *rest = NULL, *to = (char *)io + io->data_start;
	int error = 0;

	for (char *line = strtok_r(copy, "\n", &rest); line && !error; line = strtok_r(NULL, "\n", &rest)) {
		struct dm_target_spec *spec = (struct dm_target_spec *)to;
		unsigned long long start, length;
		int used = 0;

		if (sscanf(line, "%llu %llu %15s %n", &start, &length, spec->target_type, &used) < 3 || !used) {
			error = EBADMSG;
			break;
		}
		spec->sector_start = start;
		spec->length = length;
		strcpy(to + sizeof(*spec), line + used);
		spec->next = (sizeof(*spec) + strlen(line + used) + 1 + 7) & ~7ul;
		to += spec->next;
		io->target_count++;
	}
	if (!error)
		error = do_ioctl(DM_TABLE_LOAD, io);
	free(copy);
	free(io);
	return error;
}

/* devtmpfs makes /dev/dm-N; the name is for us to make. */
static int create(const char *name, const char *uuid)
{
	struct dm_ioctl *io = make(name, 0, ROOM);
	char path[256], node[64];
	int error;

	if (uuid)
		strncpy(io->uuid, uuid, sizeof(io->uuid) - 1);
	error = do_ioctl(DM_DEV_CREATE, io);
	if (!error) {
		snprintf(path, sizeof(path), "/dev/mapper/%s", name);
		/* minor in the kernel's huge encoding of device numbers */
		snprintf(node, sizeof(node), "../dm-%llu",
			 (unsigned long long)((io->dev & 0xff) | ((io->dev >> 12) & 0xfff00)));
		unlink(path);
		if (symlink(node, path))
			error = errno;
	}
	free(io);
	return error;
}

static int remove_device(const char *name, uint32_t flags)
{
	char path[256];
	int error = simple(DM_DEV_REMOVE, name, flags);

	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	if (!error)
		unlink(path);
	return error;
}

/* A call whose answer may be long: made again with more room until it fits, as dmsetup does it. */
static struct dm_ioctl *ask(unsigned long request, const char *name, uint32_t flags, const char *words, int *error)
{
	for (size_t room = ROOM + strlen(words);; room *= 8) {
		struct dm_ioctl *io = make(name, flags, room);
		struct dm_target_msg *msg = (struct dm_target_msg *)((char *)io + io->data_start);

		strcpy(msg->message, words);
		*error = do_ioctl(request, io);
		if (*error || !(io->flags & DM_BUFFER_FULL_FLAG))
			return io;
		if (room > MAX_ROOM) {
			*error = ENOBUFS;
			return io;
		}
		free(io);
	}
}

/* Status or table lines, as dmsetup prints them. */
static int show(struct text *reply, const char *name, uint32_t flags)
{
	int error;
	struct dm_ioctl *io = ask(DM_TABLE_STATUS, name, flags, "", &error);
	char *at = (char *)io + io->data_start, *base = at;

	for (uint32_t i = 0; i < io->target_count && !error; i++) {
		struct dm_target_spec *spec = (struct dm_target_spec *)at;

		text_printf(reply, "%s%llu %llu %s %s", i ? "\n" : "", (unsigned long long)spec->sector_start,
			    (unsigned long long)spec->length, spec->target_type, at + sizeof(*spec));
		at = base + spec->next;
	}
	free(io);
	return error;
}

static int message(struct call *call, const char *name)
{
	struct text words = { 0 };
	struct dm_ioctl *io;
	int error;

	text_add(&words, "", 0);
	for (int i = 3; i < call->argc; i++)
		text_printf(&words, "%s%s", i > 3 ? " " : "", call->argv[i]);
	io = ask(DM_TARGET_MSG, name, 0, words.bytes, &error);
	if (!error && (io->flags & DM_DATA_OUT_FLAG))
		text_printf(&call->reply, "%s", (char *)io + io->data_start);
	text_free(&words);
	free(io);
	return error;
}

/* "event=N open=N" and what of suspended, readonly, live and inactive holds. With `wait`, after the next event. */
static int info(struct call *call, const char *name, uint64_t wait_for, bool wait)
{
	struct dm_ioctl *io = make(name, 0, ROOM);
	int error;

	io->event_nr = wait_for;
	error = do_ioctl(wait ? DM_DEV_WAIT : DM_DEV_STATUS, io);
	if (!error)
		text_printf(&call->reply, "event=%u open=%d%s%s%s%s", io->event_nr, io->open_count,
			    io->flags & DM_SUSPEND_FLAG ? " suspended" : "", io->flags & DM_READONLY_FLAG ? " readonly" : "",
			    io->flags & DM_ACTIVE_PRESENT_FLAG ? " live" : "",
			    io->flags & DM_INACTIVE_PRESENT_FLAG ? " inactive" : "");
	free(io);
	return error;
}

static int deps(struct call *call, const char *name)
{
	struct dm_ioctl *io = make(name, 0, ROOM);
	int error = do_ioctl(DM_TABLE_DEPS, io);
	struct dm_target_deps *found = (struct dm_target_deps *)((char *)io + io->data_start);

	for (uint32_t i = 0; !error && i < found->count; i++)
		text_printf(&call->reply, "%s%llu:%llu", i ? " " : "", (unsigned long long)(found->dev[i] >> 8 & 0xfff),
			    (unsigned long long)((found->dev[i] & 0xff) | ((found->dev[i] >> 12) & 0xfff00)));
	free(io);
	return error;
}

static int create_live(const char *name, const char *table, const char *uuid, uint32_t flags)
{
	int error = create(name, uuid);

	if (error)
		return error;
	error = load(name, table, flags);
	if (!error)
		error = simple(DM_DEV_SUSPEND, name, 0);
	/* As dmsetup does: what could not be brought up is not left behind. */
	if (error)
		remove_device(name, 0);
	return error;
}

/* dm VERB NAME ...: the reply begins with "ok" or the error's name; what is asked for follows behind a space. */
int command_dm(struct call *call)
{
	const char *verb = call->argc > 2 ? call->argv[1] : "", *name = call->argc > 2 ? call->argv[2] : "";
	const char *table = call->argc > 3 ? call->argv[3] : "";
	uint32_t ro = option_has(call, "flags", "readonly") ? DM_READONLY_FLAG : 0;
	uint32_t quiet = option_has(call, "flags", "noflush") ? DM_NOFLUSH_FLAG : 0;
	struct text out = { 0 };
	int error;

	quiet |= option_has(call, "flags", "nolockfs") ? DM_SKIP_LOCKFS_FLAG : 0;
	if (!strcmp(verb, "create"))
		error = create_live(name, table, option(call, "uuid"), ro);
	else if (!strcmp(verb, "load"))
		error = load(name, table, ro);
	else if (!strcmp(verb, "clear"))
		error = simple(DM_TABLE_CLEAR, name, 0);
	else if (!strcmp(verb, "suspend"))
		error = simple(DM_DEV_SUSPEND, name, DM_SUSPEND_FLAG | quiet);
	else if (!strcmp(verb, "resume"))
		error = simple(DM_DEV_SUSPEND, name, quiet);
	else if (!strcmp(verb, "remove"))
		error = remove_device(name, option_has(call, "flags", "deferred") ? DM_DEFERRED_REMOVE : 0);
	else if (!strcmp(verb, "status"))
		error = show(&call->reply, name, quiet);
	else if (!strcmp(verb, "table"))
		error = show(&call->reply, name, DM_STATUS_TABLE_FLAG);
	else if (!strcmp(verb, "message"))
		error = message(call, name);
	else if (!strcmp(verb, "info"))
		error = info(call, name, 0, false);
	else if (!strcmp(verb, "wait"))
		error = info(call, name, strtoull(table, NULL, 10), true);
	else if (!strcmp(verb, "deps"))
		error = deps(call, name);
	else {
		text_printf(&call->reply, "dm: no such verb: %s", verb);
		return -1;
	}
	text_printf(&out, "%s ", error_name(error));
	text_add(&out, call->reply.bytes ? call->reply.bytes : "", call->reply.length);
	text_free(&call->reply);
	call->reply = out;
	return 0;
}
