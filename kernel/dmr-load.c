// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading all copies and choosing what is true (FORMAT.md section 5). Nothing is
 * written here: what is wrong with a copy is mended by the activation commit,
 * after the choice is made.
 */
#include <linux/random.h>

#include "dmr-core.h"

#define DMR_SAY(d, text, ...) \
	DMERR("%s: " text, dm_table_device_name((d)->ti->table), ##__VA_ARGS__)

/*
 * As many bytes of a slot as can be read, from its start, in whole blocks. What
 * no section covers is not looked at: where that can't be read it may be anything.
 */
static u32 dmr_read_prefix(struct dmr_device *d, unsigned int i, unsigned int c,
			   const struct dmr_header *h, void *to)
{
	u32 at;

	if (!dmr_read_slot(d, i, c, 0, to, h->slot_bytes))
		return h->slot_bytes;
	for (at = 0; at < h->slot_bytes; at += DMR_BLOCK) {
		if (!dmr_read_slot(d, i, c, at, to + at, DMR_BLOCK))
			continue;
		if (!dmr_is_gap(h, at))
			break;
		memset(to + at, 0, DMR_BLOCK);
	}
	return at;
}

/*
 * The header tells how long a copy is, but most are short: a first read that takes
 * their body along spares a second one. Nothing is concluded from its failure, for
 * it may reach over what is not part of the copy. A disk may take minutes to say
 * no, so where the slot before could not be read it is not asked twice.
 */
#define DMR_FIRST_READ		(8 * DMR_BLOCK)

static u32 dmr_read_first(struct dmr_device *d, unsigned int i, unsigned int c, void *to,
			  bool answers)
{
	if (answers && !dmr_read_slot(d, i, c, 0, to, DMR_FIRST_READ))
		return DMR_FIRST_READ;
	return dmr_read_slot(d, i, c, 0, to, DMR_BLOCK) ? 0 : DMR_BLOCK;
}

static void dmr_judge_place(struct dmr_device *d, struct dmr_places *p, unsigned int i,
			    unsigned int c)
{
	bool answers = !c || p->j[i][c - 1].state != DMR_HEADER_UNREAD;
	struct dmr_header *h = &d->gen->h;	/* j->h is made anew by what it is for */
	u32 bytes = dmr_read_first(d, i, c, d->scratch, answers);
	struct dmr_judgement *j = &p->j[i][c];

	if (!bytes) {
		dmr_judge_header(NULL, 0, j);
		return;
	}
	dmr_judge_header(d->scratch, DMR_BLOCK, j);
	if (j->state != DMR_HEADER_GOOD)
		return;
	*h = j->h;
	if (h->slot_bytes <= bytes)
		bytes = h->slot_bytes;
	else
		bytes = dmr_read_prefix(d, i, c, h, d->scratch);
	dmr_judge(d->scratch, bytes, j);
}

/*
 * A spare that is given but can't be read is as good as missing: to a table that
 * goes without missing ones, and to a device that went on without it before it was
 * suspended. Else resuming would fail, and all requests wait, for the sake of a
 * spare that nobody needed.
 */
static bool dmr_goes_without(const struct dmr_device *d, unsigned int i)
{
	return d->features.degraded || d->spare[i].given_up;
}

/* Can not one header of this spare be read? */
static bool dmr_is_unreadable(const struct dmr_places *p, unsigned int i)
{
	unsigned int c;

	for (c = 0; c < DMR_COPIES; c++)
		if (p->j[i][c].state != DMR_HEADER_UNREAD)
			return false;
	return p->present[i];
}

static void dmr_judge_all(struct dmr_device *d, struct dmr_places *p)
{
	unsigned int i, c;

	p->spares = d->spares;
	p->has_setup = d->features.has_setup;
	memcpy(p->setup_uuid, d->features.setup_uuid, sizeof(p->setup_uuid));
	for (i = 0; i < d->spares; i++) {
		struct dmr_spare *s = &d->spare[i];

		p->present[i] = s->dev;
		s->absent = false;
		for (c = 0; p->present[i] && c < DMR_COPIES; c++)
			dmr_judge_place(d, p, i, c);
		if (!dmr_is_unreadable(p, i) || !dmr_goes_without(d, i))
			continue;
		DMWARN("%s: spare %u (%s) can't be read; going without it",
		       dm_table_device_name(d->ti->table), i, s->dev->name);
		p->present[i] = false;
		s->absent = true;
	}
}

/* What to type, for a refusal that the kernel can't and must not resolve. */
static void dmr_refuse(struct dmr_device *d, const struct dmr_places *p,
		       const struct dmr_choice *choice)
{
	int i = choice->at_spare;
	const char *next = choice->refusal == DMR_SPLIT ? "dmremap-fsck --choose SPARE:COPY" :
							  "dmremap-fsck";

	if (choice->refusal == DMR_BLANK_SPARE && i >= 0 && dmr_is_unreadable(p, i))
		DMR_SAY(d, "spare %d (%s) can't be read; the feature \"degraded\" goes without it",
			i, d->spare[i].dev->name);
	else
		DMR_SAY(d, "%s: %s; run %s on all spares", dmr_refusal_name(choice->refusal), choice->why,
			next);
}

/* Reads the winner again, into the image, and takes it to pieces. */
static int dmr_take_winner(struct dmr_device *d, const struct dmr_places *p,
			   const struct dmr_choice *choice, struct dmr_judgement *again)
{
	const struct dmr_judgement *j = &p->j[choice->spare][choice->copy];

	memset(d->image, 0, DMR_SLOT_BYTES);
	if (dmr_read_prefix(d, choice->spare, choice->copy, &j->h, d->image) < j->h.slot_bytes) {
		DMR_SAY(d, "copy %d of spare %d can no longer be read; try again", choice->copy,
			choice->spare);
		return -EIO;
	}
	dmr_judge(d->image, j->h.slot_bytes, again);
	if (!again->valid || memcmp(again->h.raw, j->h.raw, DMR_HEADER_BYTES) ||
	    again->print != j->print) {
		DMR_SAY(d, "copy %d of spare %d changed while it was read; is it in use elsewhere?",
			choice->copy, choice->spare);
		return -EBUSY;
	}
	d->slot_bytes = j->h.slot_bytes;
	d->gen->entries = d->buffer[0]->e;
	dmr_decode(d->image, d->gen);
	return 0;
}

/* -- does the table fit the setup? ------------------------------------------ */

static int dmr_check_main(struct dmr_device *d)
{
	const struct dmr_disk_device *record = &d->gen->devices[0];
	u64 start = le64_to_cpu(record->data_start), sectors = le64_to_cpu(record->data_sectors);

	if (start != d->main_start || sectors != d->main_end - d->main_start) {
		DMR_SAY(d, "the table maps %llu sectors from %llu of main, the setup %llu from %llu",
			d->main_end - d->main_start, d->main_start, sectors, start);
		return -EINVAL;
	}
	return 0;
}

static int dmr_check_spare(struct dmr_device *d, unsigned int i)
{
	const struct dmr_disk_device *record = &d->gen->devices[1 + i];
	struct dmr_spare *s = &d->spare[i];

	s->data_start = le64_to_cpu(record->data_start);
	s->data_sectors = le64_to_cpu(record->data_sectors);
	s->retired = le16_to_cpu(record->flags) & DMR_DEVICE_RETIRED;
	if (!s->dev) {
		if (s->retired || d->features.degraded)
			return 0;
		DMR_SAY(d, "spare %u is missing; the feature \"degraded\" goes without it", i);
		return -ENODEV;
	}
	s->sectors = bdev_nr_sectors(s->dev->bdev);
	if (s->absent)
		return 0;
	if (s->data_start > s->sectors || s->data_sectors > s->sectors - s->data_start) {
		DMR_SAY(d, "spare %u (%s) has %llu sectors, too few for its data", i, s->dev->name,
			s->sectors);
		return -EINVAL;
	}
	return 0;
}

/*
 * FORMAT.md section 7: B, and that today's devices agree. Where the only device
 * with blocks of 4096 bytes is missing, requests would come that are smaller
 * than B, and no entry may be cut like that: then for reading only.
 */
static int dmr_check_blocks(struct dmr_device *d)
{
	u32 now = bdev_logical_block_size(d->main_bdev), recorded = SECTOR_SIZE, i;

	for (i = 0; i < d->spares; i++)
		if (d->spare[i].dev)
			now = max(now, bdev_logical_block_size(d->spare[i].dev->bdev));
	for (i = 0; i <= d->spares; i++)
		recorded = max(recorded, le32_to_cpu(d->gen->devices[i].logical_block_size));
	d->unit = le32_to_cpu(d->gen->config.remap_unit);
	d->block_sectors = recorded >> SECTOR_SHIFT;
	if ((recorded != SECTOR_SIZE && recorded != DMR_BLOCK) || now > recorded ||
	    (now < recorded && !d->features.read_only) ||
	    (d->unit != 1 && d->unit != DMR_BLOCK_SECTORS) || d->unit < d->block_sectors) {
		DMR_SAY(d, "blocks of %u bytes, but the setup was made for %u in units of %u sectors",
			now, recorded, d->unit);
		return -EINVAL;
	}
	return 0;
}

static int dmr_check_table(struct dmr_device *d)
{
	unsigned int i;
	int r;

	r = dmr_check_main(d);
	for (i = 0; !r && i < d->spares; i++)
		r = dmr_check_spare(d, i);
	return r ?: dmr_check_blocks(d);
}

/* -- taking it on ----------------------------------------------------------- */

static void dmr_take_copies(struct dmr_device *d, const struct dmr_places *p,
			    const struct dmr_choice *choice)
{
	unsigned int i, c;

	for (i = 0; i < d->spares; i++) {
		struct dmr_spare *s = &d->spare[i];

		s->shown = choice->shown[i];
		s->used = 0;
		s->alive = s->dev && !s->absent && !s->retired &&
			   (choice->standing[i] == DMR_SPARE_CURRENT ||
			    choice->standing[i] == DMR_SPARE_BEHIND);
		s->given_up = s->absent;
		for (c = 0; c < DMR_COPIES; c++) {
			const struct dmr_judgement *j = &p->j[i][c];
			enum dmr_copy_state state = choice->copy_state[i][c];
			struct dmr_copy *copy = &s->copy[c];

			memset(copy, 0, sizeof(*copy));
			if (!s->dev || s->absent)
				continue;
			copy->good = state == DMR_COPY_WHOLE;
			copy->whole = state == DMR_COPY_WHOLE || state == DMR_COPY_STALE;
			copy->unread = state == DMR_COPY_UNREAD;
			copy->keep_off = state == DMR_COPY_FOREIGN || state == DMR_COPY_UNKNOWN;
			copy->sequence = copy->whole ? j->h.sequence : 0;
			memcpy(copy->header, j->h.raw, DMR_HEADER_BYTES);
		}
	}
}

static void dmr_tame_entries(struct dmr_device *d)
{
	struct dmr_range space[DMR_MAX_SPARES] = { };
	unsigned int i;

	for (i = 0; i < d->spares; i++) {
		space[i].start = max_t(u64, d->spare[i].data_start, DMR_METADATA_END);
		space[i].end = d->spare[i].data_start + d->spare[i].data_sectors;
	}
	dmr_table_tame(d->buffer[0], d->gen->entry_count, d->main_start, d->main_end, space,
		       d->block_sectors);
}

static void dmr_take_entries(struct dmr_device *d, bool unsound)
{
	struct dmr_table *t = d->buffer[0];
	u32 i;

	if (unsound)
		dmr_tame_entries(d);
	else
		dmr_table_settle(t, d->gen->entry_count);
	dmr_allocator_fill(d->allocator, t, d->unit);
	for (i = 0; i < d->spares; i++)
		if (d->spare[i].dev)
			dmr_allocator_open(d->allocator, i, d->spare[i].data_start,
					   d->spare[i].data_sectors);
	bitmap_zero(d->filter, d->filter_bits);
	for (i = 0; i < t->count; i++) {
		d->spare[t->e[i].spare_index].used += t->e[i].len;
		if (i < t->live)
			dmr_filter_add(d, t->e[i].main, t->e[i].main + t->e[i].len);
	}
	RCU_INIT_POINTER(d->table, t);
	d->table_cookie = get_state_synchronize_rcu();
	d->room = dmr_entry_room(d->image);
}

static int dmr_choose(struct dmr_device *d, struct dmr_places *p, struct dmr_choice *choice,
		      struct dmr_judgement *winner)
{
	int r;

	dmr_judge_all(d, p);
	dmr_choose_winner(p, choice);
	if (choice->spare < 0 || choice->refusal != DMR_OK) {
		dmr_refuse(d, p, choice);
		return -EINVAL;
	}
	r = dmr_take_winner(d, p, choice, winner);
	if (r)
		return r;
	if (d->gen->h.spare_count != d->spares) {
		DMR_SAY(d, "the table has %u spares, the setup %u", d->spares,
			d->gen->h.spare_count);
		return -EINVAL;
	}
	/* A spare that can't be read has it: going on would take back what was promised. */
	if (choice->sequence < d->sequence &&
	    !memcmp(d->sequence_of, d->gen->h.setup_uuid, sizeof(d->sequence_of))) {
		DMR_SAY(d, "generation %llu is on no spare that can be read, only %llu; bring back the spare that has it",
			d->sequence, choice->sequence);
		return -EINVAL;
	}
	dmr_choose_finish(p, d->gen->devices, choice);
	if (choice->refusal != DMR_OK) {
		dmr_refuse(d, p, choice);
		return -EINVAL;
	}
	return dmr_check_table(d);
}

/* May it be written? If not, why; NULL: yes. */
static const char *dmr_why_read_only(const struct dmr_device *d, const struct dmr_choice *choice)
{
	if (d->features.read_only)
		return "as the table asks";
	if (choice->ro_compat)
		return "it uses features that this version can only read";
	if (!dmr_next_sequence(choice))
		return "no sequence is left for another commit";
	return NULL;
}

/*
 * Loads the setup into d. Returns 0, or a negative errno after a message that
 * says what is wrong and what to type; nothing is written either way.
 */
int dmr_load(struct dmr_device *d)
{
	struct dmr_places *p = &d->load_room->places;
	struct dmr_choice *choice = &d->load_room->choice;
	struct dmr_judgement *winner = &d->load_room->winner;
	const char *why;
	int r;

	memset(d->load_room, 0, sizeof(*d->load_room));
	r = dmr_choose(d, p, choice, winner);
	if (r)
		return r;
	dmr_judge_rules(d->image, &d->load_room->sort, winner);
	if (winner->unsound && !d->features.read_only) {
		DMR_SAY(d, "unsound (%s): %s; run dmremap-fsck, or use the feature \"read_only\"",
			winner->rule, winner->why);
		return -EINVAL;
	}
	why = dmr_why_read_only(d, choice);
	d->mode = why ? DMR_MODE_RO : DMR_MODE_RW;
	if (why)
		DMINFO("%s: read-only, %s", dm_table_device_name(d->ti->table), why);
	/* Not below what was tried before a suspend, by a commit that failed and left nothing here. */
	d->highest = max(d->highest, choice->highest);
	d->sequence = choice->sequence;
	memcpy(d->sequence_of, d->gen->h.setup_uuid, sizeof(d->sequence_of));
	d->doubtful_load = choice->doubtful;
	d->doubt = false;
	d->parent_crc = d->gen->h.overall_crc;
	do {
		d->run_id = get_random_u64();
	} while (!d->run_id);
	dmr_take_copies(d, p, choice);
	dmr_take_entries(d, winner->unsound);
	return 0;
}
