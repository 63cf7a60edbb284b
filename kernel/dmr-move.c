// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving a unit of main to a spare, and healing LOST sectors: the only places
 * that change the table. What they change is a draft until a commit made it
 * durable (dmr-worker.c); until then no reader sees it.
 */
#include "dmr-core.h"

/* Extents of one spare that may fail in a row before another spare is tried. */
#define DMR_EXTENT_TRIES 16

/* -- the draft -------------------------------------------------------------- */

void dmr_begin_change(struct dmr_device *d)
{
	struct dmr_table *live = dmr_live_table(d);

	if (d->change)
		return;
	/* Readers may still walk the buffer that was live before the last swap. */
	cond_synchronize_rcu(d->table_cookie);
	memset(&d->draft, 0, sizeof(d->draft));
	d->change = live == d->buffer[0] ? d->buffer[1] : d->buffer[0];
	dmr_table_copy(d->change, live);
}

void dmr_drop_change(struct dmr_device *d)
{
	d->change = NULL;
	/* What was written for it nobody will ask for. */
	d->unflushed_data = 0;
}

void dmr_publish_change(struct dmr_device *d)
{
	d->stats.remapped += d->draft.stats.remapped;
	d->stats.lost += d->draft.stats.lost;
	d->stats.healed += d->draft.stats.healed;
	d->stats.retired += d->draft.stats.retired;
	rcu_assign_pointer(d->table, d->change);
	d->table_cookie = get_state_synchronize_rcu();
	d->change = NULL;
}

/* -- holds ------------------------------------------------------------------ */

static bool dmr_is_held(const struct dmr_device *d, u64 start, u64 end)
{
	unsigned int i;

	for (i = 0; i < d->holds; i++)
		if (d->hold[i].start <= start && d->hold[i].end >= end)
			return true;
	return false;
}

bool dmr_touches_hold(const struct dmr_device *d, u64 start, u64 end)
{
	unsigned int i;

	for (i = 0; i < d->holds; i++)
		if (d->hold[i].start < end && d->hold[i].end > start)
			return true;
	return false;
}

/*
 * From now on no write to [start, end) of main is in flight, and none starts
 * before dmr_release_holds(). Holding more than was asked for is harmless but
 * slow, so neighbours share a hold, and only when a single request takes all of
 * them the last one is stretched.
 */
static void dmr_hold(struct dmr_device *d, u64 start, u64 end)
{
	struct dmr_hold *h;
	unsigned int i;

	if (dmr_is_held(d, start, end))
		return;
	dmr_filter_add(d, start, end);
	write_seqlock_irq(&d->hold_lock);
	for (i = 0; i < d->holds; i++)
		if (d->hold[i].start <= end && d->hold[i].end >= start)
			break;
	if (i == DMR_MAX_HOLDS)
		i--;
	h = &d->hold[i];
	if (i == d->holds) {
		h->start = start;
		h->end = end;
		WRITE_ONCE(d->holds, d->holds + 1);
	} else {
		u64 from = min(h->start, start), to = max(h->end, end);

		WRITE_ONCE(h->start, from);
		WRITE_ONCE(h->end, to);
		start = from;
		end = to;
	}
	write_sequnlock_irq(&d->hold_lock);
	/* A stretched hold may cover regions that no bit led to before. */
	dmr_filter_add(d, start, end);
	synchronize_srcu_expedited(&d->writes);
}

void dmr_release_holds(struct dmr_device *d)
{
	if (!d->holds)
		return;
	write_seqlock_irq(&d->hold_lock);
	WRITE_ONCE(d->holds, 0);
	write_sequnlock_irq(&d->hold_lock);
}

/*
 * A commit that failed half-way may still be what the next load finds, and it
 * says that the held sectors lie elsewhere. Were a write to them acknowledged
 * where they are, that load would lose it. So first a later commit without
 * those entries. Nothing is drafted before that either: the holds of one draft
 * after another would pile up, until no request could be taken any more.
 */
bool dmr_settle_doubt(struct dmr_device *d)
{
	if (!d->doubt)
		return true;
	if (dmr_commit(d, dmr_live_table(d), DMR_STATE_ACTIVE))
		return false;
	dmr_release_holds(d);
	return true;
}

/* -- is it the sector or the device? ---------------------------------------- */

/*
 * Can anything be read from main? If not, it is not its sectors that went bad:
 * remapping them would eat the spares and save nothing.
 */
bool dmr_main_answers(struct dmr_device *d)
{
	u64 blocks = (d->main_end - d->main_start) >> ilog2(d->block_sectors);
	unsigned int i;

	for (i = 0; i <= 8; i++) {
		/* The one that was fine last time, then ends, quarters and eighths. */
		u64 block = i == 8 ? blocks - 1 : (blocks * i) >> 3;
		u64 sector = i ? d->main_start + block * d->block_sectors : d->probe_sector;

		if (!dmr_rw_page(d->main_bdev, sector, REQ_OP_READ, d->probe_page, 0,
				 d->block_sectors)) {
			d->probe_sector = sector;
			return true;
		}
	}
	return !dmr_rw_page(d->main_bdev, d->main_start, REQ_OP_READ, d->probe_page, 0,
			    d->block_sectors);
}

/* Can any header block be read from this spare? */
bool dmr_spare_answers(struct dmr_device *d, unsigned int i)
{
	unsigned int copy;

	if (!dmr_spare_bdev(&d->spare[i]))
		return false;
	for (copy = 0; copy < DMR_COPIES; copy++)
		if (!dmr_rw_page(dmr_spare_bdev(&d->spare[i]), dmr_slot_sector[copy], REQ_OP_READ,
				 d->probe_page, 0, DMR_BLOCK_SECTORS))
			return true;
	return false;
}

/* -- room ------------------------------------------------------------------- */

static u16 dmr_spare_flags(const struct dmr_device *d, unsigned int i)
{
	return le16_to_cpu(d->gen->devices[1 + i].flags);
}

/* Should @a give its space before @b? By CONFIG's spare_policy; ties go to the lower index. */
static bool dmr_is_preferred(const struct dmr_device *d, unsigned int a, unsigned int b)
{
	const struct dmr_spare *x = &d->spare[a], *y = &d->spare[b];
	u64 p, q;

	switch (d->gen->config.spare_policy) {
	case DMR_POLICY_PRIMARY:
		return (dmr_spare_flags(d, a) & DMR_DEVICE_PRIMARY) >
		       (dmr_spare_flags(d, b) & DMR_DEVICE_PRIMARY);
	case DMR_POLICY_ROUND_ROBIN:
		return (a + d->spares - d->last_spare - 1) % d->spares <
		       (b + d->spares - d->last_spare - 1) % d->spares;
	case DMR_POLICY_LEAST_USED:
		/* Per mille: sizes times sizes would overflow. Small use of large spares is a tie. */
		p = div64_u64(x->used * 1000, x->data_sectors ?: 1);
		q = div64_u64(y->used * 1000, y->data_sectors ?: 1);
		return p != q ? p < q : x->used < y->used;
	default:
		return le32_to_cpu(d->gen->devices[1 + a].health_score) >
		       le32_to_cpu(d->gen->devices[1 + b].health_score);
	}
}

/* The spare whose turn it is, but for those in @spent (one bit each); -1: none is left. */
static int dmr_pick_spare(const struct dmr_device *d, unsigned int spent)
{
	int best = -1;
	unsigned int i;

	for (i = 0; i < d->spares; i++) {
		if (!d->spare[i].alive || (spent & BIT(i)) ||
		    (dmr_spare_flags(d, i) & (DMR_DEVICE_FAILED | DMR_DEVICE_RETIRED)))
			continue;
		if (best < 0 || dmr_is_preferred(d, i, best))
			best = i;
	}
	return best;
}

static void dmr_retire(struct dmr_device *d, unsigned int i, u64 sector, u32 len)
{
	if (dmr_table_retire(d->change, d->room, i, sector, len, DMR_REASON_WRITE,
			     ktime_get_real_ns()))
		d->draft.stats.retired++;
}

/* Extents of one spare that failed while a unit was looking for a place. */
struct dmr_failures {
	unsigned int n;
	u64 sector[DMR_EXTENT_TRIES];
};

/*
 * Writes the unit page to a fresh extent of some spare. Extents that fail are
 * retired in the draft, and others tried; a spare that does not answer is given
 * up instead. Returns the spare and its sector, or -ENOSPC.
 */
static int dmr_place_unit(struct dmr_device *d, u64 *sector)
{
	struct dmr_failures failed[DMR_MAX_SPARES] = { };
	unsigned int spent = 0, k;
	int i, place = -ENOSPC;

	while (place < 0 && (i = dmr_pick_spare(d, spent)) >= 0) {
		struct dmr_spare *s = &d->spare[i];
		struct dmr_failures *f = &failed[i];

		*sector = dmr_allocate(d->allocator, i);
		if (*sector == DMR_NO_SECTOR) {
			spent |= BIT(i);
			continue;
		}
		s->used += d->unit;
		if (!dmr_rw_page(s->dev->bdev, *sector, REQ_OP_WRITE, d->unit_page, 0, d->unit)) {
			d->unflushed_data |= BIT(i);
			d->last_spare = i;
			place = i;
			break;
		}
		dmr_event(d, DMR_EVENT_WRITE_ERROR, 1 + i, *sector, d->unit, EIO);
		f->sector[f->n++] = *sector;
		if (!dmr_spare_answers(d, i))
			dmr_lose_spare(d, i);
		else if (f->n == DMR_EXTENT_TRIES)
			spent |= BIT(i);
	}
	for (i = 0; i < d->spares; i++)
		for (k = 0; d->spare[i].alive && k < failed[i].n; k++)
			dmr_retire(d, i, failed[i].sector[k], d->unit);
	return place;
}

/* -- moving a unit ---------------------------------------------------------- */

/* What becomes of each sector of the unit (at most eight, so a byte of bits each). */
struct dmr_unit {
	u64 base;		/* first sector of the whole unit, on main */
	u64 start, end;		/* what of it lies in the mapped area */
	u8 lost;
	u8 keep;		/* stays where it is: its spare is away, its data may come back */
	u8 bad_spare;		/* a bad sector of its spare */
};

static u8 dmr_unit_bits(const struct dmr_unit *u, u64 start, u64 end)
{
	return (u8)(((1u << (end - start)) - 1) << (start - u->base));
}

/* A bus reset or a full queue is no reason to call good data lost. */
#define DMR_READ_TRIES 3

static int dmr_read_patiently(struct dmr_device *d, struct block_device *bdev, u64 sector,
			      unsigned int offset, unsigned int sectors)
{
	unsigned int i;
	int r = -EIO;

	for (i = 0; r && i < DMR_READ_TRIES; i++)
		r = dmr_rw_page(bdev, sector, REQ_OP_READ, d->unit_page, offset, sectors);
	return r;
}

/* Not that a path failed, memory was short, or a device is gone: nothing is lost by that. */
static bool dmr_is_lost_by(int r)
{
	return r == -EIO || r == -ENODATA || r == -EILSEQ;
}

/* Gets the block at @sector into the unit page, or learns why that can't be. */
static int dmr_fetch_block(struct dmr_device *d, struct dmr_unit *u, u64 sector)
{
	u64 end = min(sector + d->block_sectors, u->end);
	struct dmr_run run = dmr_table_run(d->change, sector, end);
	u8 bits = dmr_unit_bits(u, sector, end);
	unsigned int offset = (sector - u->base) << SECTOR_SHIFT;
	struct block_device *bdev;
	int r;

	switch (run.kind) {
	case DMR_RUN_LOST:
		u->lost |= bits;
		return 0;
	case DMR_RUN_MAIN:
		r = dmr_read_patiently(d, d->main_bdev, sector, offset, end - sector);
		if (!r)
			return 0;
		if (!dmr_is_lost_by(r) || !dmr_main_answers(d))
			return -EIO;
		/* Once more, for main may have come back just before it answered. */
		r = dmr_read_patiently(d, d->main_bdev, sector, offset, end - sector);
		if (r && !dmr_is_lost_by(r))
			return -EIO;
		u->lost |= r ? bits : 0;
		return 0;
	default:
		bdev = dmr_spare_bdev(&d->spare[run.spare_index]);
		r = bdev ? dmr_read_patiently(d, bdev, run.spare_sector, offset, end - sector) :
			   -ENODEV;
		if (!r)
			return 0;
		if (!dmr_spare_answers(d, run.spare_index)) {
			dmr_lose_spare(d, run.spare_index);
			u->keep |= bits;
			return 0;
		}
		if (dmr_is_lost_by(r))
			r = dmr_read_patiently(d, bdev, run.spare_sector, offset, end - sector);
		if (dmr_is_lost_by(r)) {
			u->lost |= bits;
			u->bad_spare |= bits;
		} else if (r) {
			u->keep |= bits;
		}
		return 0;
	}
}

static bool dmr_covers(u64 start, u64 end, u64 sector)
{
	return sector >= start && sector < end;
}

static int dmr_fill_unit(struct dmr_device *d, struct dmr_unit *u, const struct dmr_overlay *over)
{
	u64 sector;

	clear_page(page_address(d->unit_page));
	for (sector = u->start; sector < u->end; sector += d->block_sectors) {
		unsigned int offset = (sector - u->base) << SECTOR_SHIFT;
		int r;

		if (over && dmr_covers(over->start, over->end, sector)) {
			if (!over->zeroes)
				dmr_copy_from_bio(over->bio, over->iter,
						  (sector - over->start) << SECTOR_SHIFT,
						  page_address(d->unit_page) + offset,
						  d->block_sectors << SECTOR_SHIFT);
			continue;
		}
		if (over && dmr_covers(over->lost_start, over->lost_end, sector)) {
			u->lost |= dmr_unit_bits(u, sector, sector + d->block_sectors);
			continue;
		}
		r = dmr_fetch_block(d, u, sector);
		if (r)
			return r;
	}
	return 0;
}

/* Is anything LOST that was not LOST already? */
static bool dmr_newly_lost(struct dmr_device *d, const struct dmr_unit *u)
{
	u64 sector;

	for (sector = u->start; sector < u->end; sector++)
		if ((u->lost & dmr_unit_bits(u, sector, sector + 1)) &&
		    dmr_table_run(d->change, sector, sector + 1).kind != DMR_RUN_LOST)
			return true;
	return false;
}

/* The new entries of a unit: runs of sectors that share a fate. */
static unsigned int dmr_unit_entries(struct dmr_device *d, const struct dmr_unit *u, u8 reason,
				     int spare, u64 extent, struct dmr_entry *e)
{
	u64 now = ktime_get_real_ns(), sector = u->start;
	unsigned int n = 0;

	while (sector < u->end) {
		u8 bit = dmr_unit_bits(u, sector, sector + 1);
		u64 end = sector + 1;

		while (end < u->end &&
		       !(u->lost & bit) == !(u->lost & dmr_unit_bits(u, end, end + 1)) &&
		       !(u->keep & bit) == !(u->keep & dmr_unit_bits(u, end, end + 1)))
			end++;
		if (u->keep & bit) {
			struct dmr_run run = dmr_table_run(d->change, sector, end);

			end = run.end;
			e[n] = d->change->e[run.index];
			e[n].spare = run.spare_sector;
		} else {
			e[n] = (struct dmr_entry) {
				.spare = extent + (sector - u->base),
				.spare_index = spare,
				.reason = reason,
				.flags = u->lost & bit ? DMR_ENTRY_LOST : 0,
				.created_ns = now,
			};
		}
		e[n].main = sector;
		e[n].len = end - sector;
		n++;
		sector = end;
	}
	return n;
}

/* Sectors of a spare that went bad under the unit, now that nothing names them any more. */
struct dmr_bad {
	u64 sector;
	u8 spare_index;
};

static unsigned int dmr_list_bad(struct dmr_device *d, const struct dmr_unit *u,
				 struct dmr_bad *bad)
{
	unsigned int n = 0;
	u64 sector;

	for (sector = u->start; sector < u->end; sector += d->block_sectors) {
		struct dmr_run run;

		if (!(u->bad_spare & dmr_unit_bits(u, sector, sector + 1)))
			continue;
		run = dmr_table_run(d->change, sector, sector + 1);
		if (run.kind == DMR_RUN_MAIN)
			continue;
		bad[n].sector = run.spare_sector;
		bad[n++].spare_index = run.spare_index;
	}
	return n;
}

static void dmr_retire_bad(struct dmr_device *d, const struct dmr_bad *bad, unsigned int n)
{
	for (; n--; bad++) {
		u64 unit = bad->sector & ~(u64)(d->unit - 1);

		if (!dmr_table_uses(d->change, bad->spare_index, unit, d->unit))
			dmr_retire(d, bad->spare_index, unit, d->unit);
		else if (!dmr_table_uses(d->change, bad->spare_index, bad->sector,
					 d->block_sectors))
			dmr_retire(d, bad->spare_index, bad->sector, d->block_sectors);
	}
}

static void dmr_tell_moved(struct dmr_device *d, const struct dmr_unit *u,
			   const struct dmr_entry *e, unsigned int n)
{
	for (; n--; e++) {
		if (u->keep & dmr_unit_bits(u, e->main, e->main + 1))
			continue;
		if (e->flags & DMR_ENTRY_LOST) {
			d->draft.stats.lost += e->len;
			dmr_draft_tale(d, DMR_EVENT_DATA_LOST, e->main, e->len, 0);
		} else {
			d->draft.stats.remapped += e->len;
			dmr_draft_tale(d, DMR_EVENT_REMAPPED, e->main, e->len, e->spare >> 3);
		}
	}
}

/*
 * Drafts the move of the unit around @sector to a fresh extent. What @over
 * brings is taken from there; the rest is read from where it lies; what can't be
 * read becomes LOST. [bad_start, bad_end): sectors of main whose place on a spare
 * failed a write just now; may be empty.
 *
 * Returns 0: drafted, and a commit must follow. 1: for REASON_READ, everything
 * could be read after all, nothing done. -ENOSPC: no entry or no space. -EIO:
 * main is gone, all of it is on spares that are, or an earlier commit is in doubt.
 * -EBUSY: there is another writer.
 */
int dmr_move_unit(struct dmr_device *d, u64 sector, u8 reason, const struct dmr_overlay *over,
		  u64 bad_start, u64 bad_end)
{
	struct dmr_unit u = { .base = sector & ~(u64)(d->unit - 1) };
	struct dmr_entry e[DMR_PUT_MAX];
	struct dmr_bad bad[DMR_PUT_MAX];
	unsigned int n, bad_count;
	bool drafted = d->change;
	u64 extent;
	u8 all;
	int spare, r;

	u.start = max(u.base, d->main_start);
	u.end = min(u.base + d->unit, d->main_end);
	all = dmr_unit_bits(&u, u.start, u.end);
	if (!dmr_settle_doubt(d))
		return -EIO;
	dmr_hold(d, u.start, u.end);
	dmr_begin_change(d);

	r = dmr_fill_unit(d, &u, over);
	if (r)
		goto undo;
	if (reason == DMR_REASON_READ && !over && !dmr_newly_lost(d, &u)) {
		r = 1;
		goto undo;
	}
	if (u.keep == all) {
		r = -EIO;
		goto undo;
	}
	if (bad_end > bad_start)
		u.bad_spare |= dmr_unit_bits(&u, max(bad_start, u.start), min(bad_end, u.end));
	bad_count = dmr_list_bad(d, &u, bad);

	/* What is free by our table may be someone else's by now: not only commits would harm them. */
	if (!drafted) {
		r = dmr_check_ours(d);
		if (r)
			goto undo;
	}
	spare = dmr_place_unit(d, &extent);
	if (spare < 0) {
		/* What was retired on the way is worth keeping, but not worth a commit. */
		r = spare;
		goto undo;
	}
	n = dmr_unit_entries(d, &u, reason, spare, extent, e);
	if (!dmr_table_put(d->change, d->room, e, n)) {
		r = -ENOSPC;
		goto undo;
	}
	dmr_retire_bad(d, bad, bad_count);
	dmr_tell_moved(d, &u, e, n);
	return 0;
undo:
	if (!drafted)
		dmr_drop_change(d);
	return r;
}

/* [start, end) is LOST and its new data is on its spare: drafts that it is live. */
int dmr_heal(struct dmr_device *d, const struct dmr_run *run, u64 start)
{
	struct dmr_entry e;

	if (!dmr_settle_doubt(d))
		return -EIO;
	dmr_begin_change(d);
	e = d->change->e[run->index];
	e.main = start;
	e.spare = run->spare_sector;
	e.len = run->end - start;
	e.flags &= ~DMR_ENTRY_LOST;
	if (!dmr_table_put(d->change, d->room, &e, 1))
		return -ENOSPC;
	d->unflushed_data |= BIT(run->spare_index);
	d->draft.stats.healed += e.len;
	dmr_draft_tale(d, DMR_EVENT_DATA_REWRITTEN, start, e.len, 0);
	return 0;
}
