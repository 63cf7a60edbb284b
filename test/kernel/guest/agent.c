// SPDX-License-Identifier: GPL-2.0-or-later
// The first process of a guest: once all is mounted and loaded (boot.c), it does what the host asks for over a virtio
// port: of a serial line the emulator would make two system calls for each byte. One request per line, "ID COMMAND
// WORD...", and one answer per request, "ID ok|fail TEXT"; the first line is "ready ok", as if that had been asked for.
// Each request has a thread of its own, so that one that hangs holds up no other. Words and texts have bytes other than
// plain ones as %XX. What the commands do is in the other files.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "boot.h"

#define PORTS "/sys/class/virtio-ports"
#define PORT_PATIENCE_MS 5000
#define MAX_LINE (256 * 1024)
#define CONSOLE_ALL 8

static int channel = -1;
static pthread_mutex_t channel_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct {
	const char *name;
	command run;
} commands[] = {
	{ "sh", command_sh },		{ "write", command_write },	{ "read", command_read },
	{ "peek", command_peek },	{ "flush", command_flush },	{ "discard", command_discard },
	{ "zeroout", command_zeroout }, { "hammer", command_hammer },	{ "bench", command_bench },
	{ "dm", command_dm },		{ "ioctl", command_ioctl },
};

static bool plain(unsigned char byte)
{
	return byte > ' ' && byte < 0x7f && byte != '%';
}

/* Writes a whole line; spaces stay, since only the host's words are split at them. */
static void send_line(const char *head, const struct text *body)
{
	struct text line = { 0 };

	text_printf(&line, "%s", head);
	for (size_t i = 0; i < body->length; i++) {
		unsigned char byte = body->bytes[i];

		if (plain(byte) || byte == ' ')
			text_add(&line, body->bytes + i, 1);
		else
			text_printf(&line, "%%%02x", byte);
	}
	text_add(&line, "\n", 1);
	pthread_mutex_lock(&channel_lock);
	for (size_t done = 0; done < line.length;) {
		ssize_t count = write(channel, line.bytes + done, line.length - done);

		if (count < 0 && errno != EINTR)
			break;
		if (count > 0)
			done += count;
	}
	pthread_mutex_unlock(&channel_lock);
	text_free(&line);
}

void tell(const char *format, ...)
{
	struct text body = { 0 };
	char *made;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&made, format, args);
	va_end(args);
	if (length < 0)
		abort();
	text_add(&body, made, length);
	free(made);
	send_line("* ", &body);
	text_free(&body);
}

/* Turns %XX back, in place. */
static void decode(char *word)
{
	char *to = word;
	unsigned int byte;

	while (*word) {
		if (*word == '%' && sscanf(word + 1, "%2x", &byte) == 1) {
			*to++ = byte;
			word += 3;
		} else {
			*to++ = *word++;
		}
	}
	*to = '\0';
}

static void *answer(void *argument)
{
	struct call *call = argument;
	int result = -1;
	bool known = false;
	char head[64];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (call->argc > 0 && !strcmp(commands[i].name, call->argv[0])) {
			known = true;
			result = commands[i].run(call);
		}
	}
	if (!known)
		text_printf(&call->reply, "no such command");
	snprintf(head, sizeof(head), "%s %s ", call->id, result ? "fail" : "ok");
	send_line(head, &call->reply);
	text_free(&call->reply);
	free(call->line);
	free(call);
	return NULL;
}

static void take(const char *line)
{
	struct call *call = calloc(1, sizeof(*call));
	pthread_attr_t attributes;
	pthread_t thread;
	char *rest, *word;

	if (!call)
		abort();
	call->line = strdup(line);
	call->id = strtok_r(call->line, " ", &rest);
	if (!call->id) {
		free(call->line);
		free(call);
		return;
	}
	while (call->argc < MAX_ARGS && (word = strtok_r(NULL, " ", &rest))) {
		decode(word);
		call->argv[call->argc++] = word;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	if (pthread_create(&thread, &attributes, answer, call))
		abort();
	pthread_attr_destroy(&attributes);
}

int command_sh(struct call *call)
{
	char block[4096];
	int ends[2], status;
	ssize_t count;
	pid_t child;

	if (call->argc != 2 || pipe2(ends, O_CLOEXEC)) {
		text_printf(&call->reply, "sh needs one word, and a pipe");
		return -1;
	}
	child = fork();
	if (child == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		execl("/bin/sh", "sh", "-c", call->argv[1], NULL);
		_exit(127);
	}
	close(ends[1]);
	while ((count = read(ends[0], block, sizeof(block))) > 0)
		text_add(&call->reply, block, count);
	close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		text_printf(&call->reply, "no child: %s", error_name(errno));
		return -1;
	}
	/* The status is the last word, so that the output may be anything. */
	text_printf(&call->reply, " %d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}

/* The only port there is. The host makes it known some time after the driver has come up. */
static int open_channel(void)
{
	for (int i = 0; i < PORT_PATIENCE_MS; i++) {
		DIR *ports = opendir(PORTS);
		struct dirent *entry = NULL;
		char path[512];
		int fd = -1;

		while (ports && (entry = readdir(ports)) && entry->d_name[0] == '.')
			;
		if (entry) {
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
		}
		if (ports)
			closedir(ports);
		if (fd >= 0)
			return fd;
		usleep(1000);
	}
	return -1;
}

/* Threads wait for their own children; what is left was nobody's. Ends never. */
static void serve(void)
{
	static char line[MAX_LINE];
	size_t length = 0;

	for (;;) {
		ssize_t count = read(channel, line + length, sizeof(line) - 1 - length);
		char *end, *start = line;

		if (count <= 0) {
			usleep(1000);
			continue;
		}
		length += count;
		line[length] = '\0';
		while ((end = strchr(start, '\n'))) {
			*end = '\0';
			if (!strcmp(start, "poweroff"))
				reboot(RB_POWER_OFF);
			take(start);
			start = end + 1;
		}
		length -= start - line;
		memmove(line, start, length);
		if (length == sizeof(line) - 1)
			length = 0;
	}
}

int main(void)
{
	struct text notes = { 0 }, ready = { 0 };
	struct utsname name;
	struct timespec up;

	mounts();
	setenv("PATH", "/bin:/sbin", 1);
	setenv("DM_DISABLE_UDEV", "1", 1);
	/* From here on all that the kernel has to say goes to the console, where the host reads it. */
	klogctl(CONSOLE_ALL, NULL, CONSOLE_ALL);
	put("/proc/sys/kernel/hung_task_timeout_secs", "20");
	put("/proc/sys/kernel/hung_task_warnings", "10");
	text_add(&notes, "", 0);
	load_modules(&notes);
	name_disks(&notes);
	channel = open_channel();
	if (channel < 0) {
		fprintf(stderr, "BUG: no port in %s: %s\n", PORTS, error_name(errno));
		reboot(RB_POWER_OFF);
	}
	uname(&name);
	clock_gettime(CLOCK_MONOTONIC, &up);
	text_printf(&ready, "%s %ld%s", name.release, up.tv_sec * 1000 + up.tv_nsec / 1000000, notes.bytes);
	send_line("ready ok ", &ready);
	serve();
}
