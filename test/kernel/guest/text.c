// SPDX-License-Identifier: GPL-2.0-or-later
// Growing text, and the reading of arguments. Lines and their coding are in agent.c.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

static void text_grow(struct text *text, size_t more)
{
	if (text->length + more + 1 <= text->room)
		return;
	text->room = (text->length + more + 1) * 2;
	text->bytes = realloc(text->bytes, text->room);
	if (!text->bytes)
		abort();
}

void text_add(struct text *text, const char *bytes, size_t length)
{
	text_grow(text, length);
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

void text_printf(struct text *text, const char *format, ...)
{
	char *made;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&made, format, args);
	va_end(args);
	if (length < 0)
		abort();
	text_add(text, made, length);
	free(made);
}

void text_free(struct text *text)
{
	free(text->bytes);
	memset(text, 0, sizeof(*text));
}

const char *option(const struct call *call, const char *name)
{
	size_t length = strlen(name);

	for (int i = 1; i < call->argc; i++)
		if (!strncmp(call->argv[i], name, length) && call->argv[i][length] == '=')
			return call->argv[i] + length + 1;
	return NULL;
}

uint64_t option_number(const struct call *call, const char *name, uint64_t otherwise)
{
	const char *value = option(call, name);

	return value ? strtoull(value, NULL, 10) : otherwise;
}

bool option_has(const struct call *call, const char *name, const char *word)
{
	const char *at = option(call, name);
	size_t length = strlen(word);

	while (at) {
		if (!strncmp(at, word, length) && (at[length] == ',' || !at[length]))
			return true;
		at = strchr(at, ',');
		if (at)
			at++;
	}
	return false;
}

bool number(struct call *call, const char *word, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(word, &end, 10);
	if (!errno && *word >= '0' && *word <= '9' && !*end)
		return true;
	text_printf(&call->reply, "%s is no number", word);
	return false;
}

const char *error_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "ok";

	return name ? name : "unknown";
}
