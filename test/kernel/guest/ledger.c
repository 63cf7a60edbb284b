// SPDX-License-Identifier: GPL-2.0-or-later
// The bookkeeping of ledger.h. The requests that it is about are in hammer.c.
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "pattern.h"

#define MAX_VIOLATIONS 10

void ledger_open(struct ledger *ledger, uint64_t first, uint64_t count)
{
	memset(ledger, 0, sizeof(*ledger));
	ledger->first = first;
	ledger->count = count;
	ledger->sectors = calloc(count, sizeof(*ledger->sectors));
	if (!ledger->sectors)
		abort();
	text_add(&ledger->found, "", 0);
}

void ledger_close(struct ledger *ledger)
{
	free(ledger->sectors);
	text_free(&ledger->found);
}

static struct ledger_sector *at(const struct ledger *ledger, uint64_t sector)
{
	return &ledger->sectors[sector - ledger->first];
}

bool ledger_busy(const struct ledger *ledger, uint64_t first, uint64_t count)
{
	bool busy = false;

	for (uint64_t i = 0; i < count; i++)
		busy |= at(ledger, first + i)->busy;
	return busy;
}

void ledger_mark(struct ledger *ledger, uint64_t first, uint64_t count, bool busy)
{
	for (uint64_t i = 0; i < count; i++)
		at(ledger, first + i)->busy = busy;
}

static void violation(struct ledger *ledger, uint64_t sector, const char *what, const struct pattern *found)
{
	const struct ledger_sector *known = at(ledger, sector);

	if (ledger->violations++ >= MAX_VIOLATIONS)
		return;
	text_printf(&ledger->found, "; sector %llu: %s, found kind %d s%llu v%u, may hold", (unsigned long long)sector,
		    what, found->kind, (unsigned long long)found->sector, found->version);
	for (int i = 0; i < known->count; i++)
		text_printf(&ledger->found, " v%u", known->version[i]);
}

static void settle(struct ledger_sector *known, uint32_t version)
{
	known->version[0] = version;
	known->count = 1;
	known->overflow = false;
}

void ledger_read(struct ledger *ledger, uint64_t sector, const void *bytes512)
{
	struct ledger_sector *known = at(ledger, sector);
	struct pattern found = pattern_of(bytes512);
	uint32_t version = found.kind == PATTERN_ZERO ? LEDGER_ZEROS : found.version;
	bool expected = !known->count || known->overflow;

	if (found.kind == PATTERN_OTHER || (found.kind == PATTERN_OURS && found.sector != sector)) {
		violation(ledger, sector, "foreign contents", &found);
		return;
	}
	for (int i = 0; i < known->count; i++)
		expected |= known->version[i] == version;
	if (!expected)
		violation(ledger, sector, "wrong version", &found);
	settle(known, version);
}

void ledger_written(struct ledger *ledger, uint64_t sector, uint32_t version, bool failed)
{
	struct ledger_sector *known = at(ledger, sector);

	for (int i = 0; failed && i < known->count; i++)
		if (known->version[i] == version)
			return;
	if (!failed)
		settle(known, version);
	else if (known->count == LEDGER_CANDIDATES)
		known->overflow = true;
	else if (known->count)
		known->version[known->count++] = version;
}

static void describe(const struct ledger_sector *known, struct text *to)
{
	to->length = 0;
	if (!known->count || known->overflow) {
		text_add(to, "?", 1);
		return;
	}
	for (int i = 0; i < known->count; i++)
		text_printf(to, "%sv%u", i ? "|" : "", known->version[i]);
}

void ledger_report(const struct ledger *ledger, struct text *to)
{
	struct text last = { 0 }, next = { 0 };
	uint64_t start = 0;

	for (uint64_t i = 0; i <= ledger->count; i++) {
		bool end = i == ledger->count;

		if (!end)
			describe(&ledger->sectors[i], &next);
		if (i && (end || strcmp(next.bytes, last.bytes))) {
			text_printf(to, " %llu+%llu:%s", (unsigned long long)(ledger->first + start),
				    (unsigned long long)(i - start), last.bytes);
			start = i;
		}
		if (!end) {
			last.length = 0;
			text_add(&last, next.bytes, next.length);
		}
	}
	text_free(&last);
	text_free(&next);
}
