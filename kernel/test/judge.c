// SPDX-License-Identifier: GPL-2.0-only
/*
 * Says what the module's code makes of spares: a line of JSON for each line
 * that it reads from standard input.
 *
 *	judge <setup uuid or -> <spare>...
 *
 * Which generation wins, and what lies where. Spares in the order of the table;
 * a spare is "-" (missing), the path of its image, or "=a,b,c,d,e": five slots
 * of so many bytes that follow the line, spare by spare. "." for a number: the
 * slot is the same as in the question before.
 *
 *	encode <copy> <devices> <entries> <sequence> <written_ns> <state> <run_id>
 *	       <kind> <sector> <length> <value>
 *
 * The next generation: the bytes of a valid copy, of its new DEVICES and of its
 * new entries follow the line; the first three words are their lengths. DEVICES
 * of no bytes: as they were. An event of a kind that is not 0 is added to the
 * ring, with the time written_ns. All numbers are decimal. Answers with the new
 * copy for the same place. With the sequence of the old copy it is no new
 * generation: parent and writer stay.
 */
#include <stdio.h>
#include <stdlib.h>

#include "judging.h"

static struct setup setup;

static void read_exactly(void *to, size_t bytes)
{
	if (fread(to, 1, bytes, stdin) != bytes)
		die("standard input ends inside of a slot");
}

/* -- JSON ------------------------------------------------------------------------- */

static void put_uuid(const u8 *uuid)
{
	putchar('"');
	for (int i = 0; i < 16; i++)
		printf("%02x%s", uuid[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
	putchar('"');
}

/* All texts are constants of the module, without anything to escape. */
static void put_text(const char *name, const char *text)
{
	if (text)
		printf(",\"%s\":\"%s\"", name, text);
	else
		printf(",\"%s\":null", name);
}

static void put_bool(const char *name, bool value)
{
	printf(",\"%s\":%s", name, value ? "true" : "false");
}

/* A string: JSON's numbers do not hold 64 bits everywhere. */
static void put_number(const char *name, u64 value)
{
	printf(",\"%s\":\"%llu\"", name, value);
}

static const char *refusal_word(enum dmr_refusal refusal)
{
	static const char *const words[] = {
		[DMR_OK] = "ok",
		[DMR_NOTHING] = "nothing",
		[DMR_OTHER_SETUP] = "other-setup",
		[DMR_TWO_SETUPS] = "two-setups",
		[DMR_WRONG_SPARE] = "wrong-spare",
		[DMR_UNKNOWN_VERSION] = "unknown-version",
		[DMR_NEWER_LOST] = "newer-lost",
		[DMR_SPARE_COUNT] = "spare-count",
		[DMR_BLANK_SPARE] = "blank-spare",
		[DMR_SPLIT] = "split",
	};

	return words[refusal];
}

static const char *header_word(enum dmr_header_state state)
{
	static const char *const words[] = {
		[DMR_HEADER_UNREAD] = "unread",
		[DMR_HEADER_NONE] = "none",
		[DMR_HEADER_BAD] = "bad",
		[DMR_HEADER_UNKNOWN] = "unknown",
		[DMR_HEADER_ODD] = "odd",
		[DMR_HEADER_GOOD] = "good",
	};

	return words[state];
}

static const char *state_word(enum dmr_copy_state state)
{
	static const char *const words[] = {
		[DMR_COPY_NONE] = "none",
		[DMR_COPY_WHOLE] = "whole",
		[DMR_COPY_STALE] = "stale",
		[DMR_COPY_RIVAL] = "rival",
		[DMR_COPY_BAD] = "bad",
		[DMR_COPY_UNREAD] = "unread",
		[DMR_COPY_MISPLACED] = "misplaced",
		[DMR_COPY_FOREIGN] = "foreign",
		[DMR_COPY_UNKNOWN] = "unknown",
	};

	return words[state];
}

static const char *standing_word(enum dmr_standing standing)
{
	static const char *const words[] = {
		[DMR_SPARE_ABSENT] = "absent",
		[DMR_SPARE_CURRENT] = "current",
		[DMR_SPARE_BEHIND] = "behind",
		[DMR_SPARE_DIVERGED] = "diverged",
		[DMR_SPARE_RETIRED] = "retired",
	};

	return words[standing];
}

static void put_place(const struct dmr_judgement *j, enum dmr_copy_state state)
{
	printf("{\"state\":\"%s\"", state_word(state));
	put_text("header", header_word(j->state));
	put_bool("valid", j->valid);
	put_bool("evidence", dmr_is_evidence(j));
	put_number("sequence", dmr_is_evidence(j) ? j->h.sequence : 0);
	put_text("why", j->why);
	putchar('}');
}

static void put_decision(const struct setup *s)
{
	const struct dmr_choice *c = &s->choice;
	u32 spares = s->places.spares;

	printf("{\"refusal\":\"%s\"", refusal_word(c->refusal));
	put_text("name", dmr_refusal_name(c->refusal));
	put_text("why", c->why);
	printf(",\"at\":[%d,%d],\"setup\":", c->at_spare, c->at_copy);
	put_uuid(c->setup_uuid);
	printf(",\"winner\":[%d,%d]", c->spare, c->copy);
	put_number("sequence", c->sequence);
	put_number("highest", c->highest);
	put_number("next", dmr_next_sequence(c));
	put_bool("doubtful", c->doubtful);
	put_bool("roCompat", c->ro_compat);
	put_bool("exhausted", c->exhausted);
	put_bool("unsound", s->winner.unsound);
	put_text("rule", s->winner.rule);
	put_text("broken", s->winner.unsound ? s->winner.why : NULL);
	printf(",\"entries\":%u,\"spares\":[", s->generation.entry_count);
	for (u32 i = 0; i < spares; i++) {
		printf("%s{\"present\":%s", i ? "," : "", s->places.present[i] ? "true" : "false");
		put_text("standing", standing_word(c->standing[i]));
		put_number("shown", c->shown[i]);
		printf(",\"copies\":[");
		for (u32 k = 0; k < DMR_COPIES; k++) {
			if (k)
				putchar(',');
			put_place(&s->places.j[i][k], c->copy_state[i][k]);
		}
		printf("]}");
	}
	printf("]}\n");
}

/* -- commands --------------------------------------------------------------------- */

static bool read_uuid(const char *word, u8 *uuid)
{
	for (int i = 0; i < 16; i++) {
		unsigned int byte;

		if (*word == '-')
			word++;
		if (sscanf(word, "%2x", &byte) != 1)
			return false;
		uuid[i] = byte;
		word += 2;
	}
	return true;
}

static u64 number(char **rest)
{
	char *word = strtok_r(NULL, " ", rest);

	return word ? strtoull(word, NULL, 10) : 0;
}

/* "a,b,c,d,e": the lengths of slots that follow, or "." for one that stays. */
static void read_lengths(char *word, const struct slot *old, u32 *lengths, bool *follows)
{
	for (u32 k = 0; k < DMR_COPIES; k++) {
		char *end = word + (*word == '.');

		follows[k] = end == word;
		if (follows[k])
			lengths[k] = strtoul(word, &end, 10);
		if (end == word || *end != (k < DMR_COPIES - 1 ? ',' : '\0'))
			die("judge: no five lengths");
		if (follows[k] && lengths[k] > DMR_SLOT_BYTES)
			die("judge: a slot of %u bytes", lengths[k]);
		if (!follows[k] && !old[k].bytes)
			die("judge: there is no slot to keep");
		word = end + 1;
	}
}

static void do_judge(char *rest)
{
	char *word = strtok_r(rest, " ", &rest);
	bool follows[DMR_MAX_SPARES][DMR_COPIES] = { { false } };
	u32 lengths[DMR_MAX_SPARES][DMR_COPIES];
	u32 spares = 0;

	if (!word)
		die("judge: no setup");
	setup_forget(&setup);
	if (strcmp(word, "-")) {
		setup.places.has_setup = true;
		if (!read_uuid(word, setup.places.setup_uuid))
			die("judge: %s is no uuid", word);
	}
	while ((word = strtok_r(NULL, " ", &rest))) {
		if (spares == DMR_MAX_SPARES)
			die("judge: more than 8 spares");
		setup.places.present[spares] = strcmp(word, "-") != 0;
		if (*word == '=')
			read_lengths(word + 1, setup.slot[spares], lengths[spares],
				     follows[spares]);
		else if (setup.places.present[spares])
			spare_read(word, setup.slot[spares]);
		spares++;
	}
	setup.places.spares = spares;
	for (u32 i = 0; i < spares; i++) {
		for (u32 k = 0; k < DMR_COPIES; k++) {
			if (!follows[i][k])
				continue;
			slot_set(&setup.slot[i][k], NULL, lengths[i][k]);
			read_exactly(setup.slot[i][k].bytes, lengths[i][k]);
		}
	}
	setup_decide(&setup);
	put_decision(&setup);
}

/* Entries as they lie on disk. */
static void take_entries(struct dmr_generation *g, u32 bytes)
{
	struct dmr_disk_entry entry;

	g->entry_count = 0;
	for (; bytes >= sizeof(entry); bytes -= sizeof(entry)) {
		if (g->entry_count == DMR_MAX_ENTRIES)
			die("encode: too many entries");
		read_exactly(&entry, sizeof(entry));
		g->entries[g->entry_count++] = (struct dmr_entry){
			.main = le64_to_cpu(entry.main_sector),
			.spare = le64_to_cpu(entry.spare_sector),
			.len = le32_to_cpu(entry.length),
			.spare_index = entry.spare_index,
			.reason = entry.reason,
			.flags = le16_to_cpu(entry.flags),
			.created_ns = le64_to_cpu(entry.created_ns),
		};
	}
}

static void do_encode(char *rest)
{
	static u8 new_image[DMR_SLOT_BYTES], header[DMR_BLOCK];
	static struct dmr_judgement j;
	static struct slot old;
	struct dmr_generation *g = &setup.generation;
	char *word = strtok_r(rest, " ", &rest);
	u32 copy_bytes = word ? strtoul(word, NULL, 10) : 0;
	u32 device_bytes = number(&rest);
	u32 entry_bytes = number(&rest);
	u32 slot_bytes, kind, length;
	u64 sector;

	if (copy_bytes > DMR_SLOT_BYTES || device_bytes > sizeof(g->devices))
		die("encode: lengths");
	setup_clear(&setup);
	slot_set(&old, NULL, copy_bytes);
	read_exactly(old.bytes, copy_bytes);
	dmr_judge(old.bytes, old.length, &j);
	if (!j.valid)
		die("encode: the copy is not valid: %s", j.why);
	g->entries = setup.entries;
	dmr_decode(old.bytes, g);
	read_exactly(g->devices, device_bytes);
	take_entries(g, entry_bytes);
	g->h.sequence = number(&rest);
	g->h.written_ns = number(&rest);
	g->h.state = number(&rest);
	g->h.run_id = number(&rest);
	if (g->h.sequence != j.h.sequence) {
		g->h.parent_crc = g->h.overall_crc;
		memset(g->h.writer, 0, sizeof(g->h.writer));
		strcpy((char *)g->h.writer, "dm-remap kernel 4.0.0");
	}
	kind = number(&rest);
	sector = number(&rest);
	length = number(&rest);
	if (kind)
		dmr_add_event(g, g->h.written_ns, kind, 0, sector, length, number(&rest));
	slot_bytes = dmr_encode(g, old.bytes, new_image);
	printf("{\"room\":%u,\"slotBytes\":%u,\"image\":\"", dmr_entry_room(old.bytes), slot_bytes);
	if (slot_bytes) {
		dmr_seal_header(new_image, j.h.copy_index, j.h.spare_index, j.h.spare_uuid, header);
		memcpy(new_image, header, sizeof(header));
	}
	for (u32 i = 0; i < slot_bytes; i++)
		printf("%02x", new_image[i]);
	printf("\"}\n");
}

int main(void)
{
	static char line[65536];

	while (fgets(line, sizeof(line), stdin)) {
		char *rest = line;
		char *word;

		line[strcspn(line, "\n")] = 0;
		word = strtok_r(rest, " ", &rest);
		if (!word)
			continue;
		if (!strcmp(word, "judge"))
			do_judge(rest);
		else if (!strcmp(word, "encode"))
			do_encode(rest);
		else
			die("what is \"%s\"?", word);
		/* Whoever asks line by line waits for it. */
		if (fflush(stdout))
			die("the answer can't be written");
	}
	setup_clear(&setup);
	return 0;
}
