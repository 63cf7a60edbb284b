// SPDX-License-Identifier: GPL-2.0-only
/*
 * What counts, before a commit writes anything: which spares and copies are in, in
 * what order, which one must not be touched, and whether they are ours at all.
 * FORMAT.md section 6; writing them is in dmr-commit.c.
 */
#include <linux/delay.h>

#include "dmr-core.h"

/* -- spares and copies ------------------------------------------------------ */

static bool dmr_is_writable(const struct dmr_device *d, unsigned int i, unsigned int c)
{
	const struct dmr_copy *copy = &d->spare[i].copy[c];

	return d->spare[i].alive && !copy->dead && !copy->keep_off;
}

unsigned int dmr_good_copies(const struct dmr_device *d)
{
	unsigned int i, c, n = 0;

	for (i = 0; i < d->spares; i++)
		for (c = 0; c < DMR_COPIES; c++)
			n += d->spare[i].dev && d->spare[i].copy[c].good &&
			     d->spare[i].copy[c].sequence == d->sequence;
	return n;
}

bool dmr_has_dead_copies(const struct dmr_device *d)
{
	unsigned int i, c;

	for (i = 0; i < d->spares; i++)
		for (c = 0; c < DMR_COPIES; c++)
			if (d->spare[i].alive && d->spare[i].copy[c].dead)
				return true;
	return false;
}

bool dmr_has_writable_copy(const struct dmr_device *d, unsigned int i)
{
	unsigned int c;

	for (c = 0; c < DMR_COPIES; c++)
		if (dmr_is_writable(d, i, c))
			return true;
	return false;
}

/* Is a spare that belongs to the setup missing or given up? */
bool dmr_is_degraded(const struct dmr_device *d)
{
	unsigned int i;

	for (i = 0; i < d->spares; i++)
		if (!d->spare[i].alive && !d->spare[i].retired)
			return true;
	return false;
}

u32 dmr_health(const struct dmr_device *d, const struct dmr_table *t)
{
	u32 all = DMR_COPIES * d->spares, score = 100, i, lost = 0;
	u64 used = 0, room = 0;

	for (i = 0; i < d->spares; i++) {
		used += d->spare[i].used;
		room += d->spare[i].data_sectors;
	}
	for (i = 0; i < t->live; i++)
		lost |= t->e[i].flags & DMR_ENTRY_LOST;
	score -= 30 * (all - min(all, dmr_good_copies(d))) / all;
	score -= max_t(u32, 30 * min(t->count, d->room) / max(d->room, 1u),
		       div64_u64(30 * min(used, room), room ?: 1));
	score -= lost ? 20 : 0;
	score -= dmr_is_degraded(d) ? 20 : 0;
	return score;
}

/* A spare that does not answer takes part in nothing more before the next activation. */
void dmr_lose_spare(struct dmr_device *d, unsigned int i)
{
	unsigned int c;

	if (!d->spare[i].alive)
		return;
	WRITE_ONCE(d->spare[i].alive, false);
	d->spare[i].given_up = true;
	for (c = 0; c < DMR_COPIES; c++)
		d->spare[i].copy[c].good = false;
	dmr_event(d, DMR_EVENT_SPARE_FAILED, 1 + i, 0, 0, EIO);
	DMERR("%s: spare %u (%s) no longer answers; it is given up until the next activation",
	      dm_table_device_name(d->ti->table), i, d->spare[i].dev->name);
}

/* -- order ------------------------------------------------------------------ */

/* Among equals 1, 2, 3, 4 and last 0. */
static unsigned int dmr_turn(unsigned int copy)
{
	return copy ? copy : DMR_COPIES;
}

/* Must @a be written before @b? What is not whole first, then the older, then by turn. */
static bool dmr_goes_first(const struct dmr_device *d, struct dmr_step a, struct dmr_step b)
{
	const struct dmr_copy *x = &d->spare[a.spare].copy[a.copy];
	const struct dmr_copy *y = &d->spare[b.spare].copy[b.copy];

	if (x->whole != y->whole)
		return y->whole;
	if (x->whole && x->sequence != y->sequence)
		return x->sequence < y->sequence;
	if (a.copy != b.copy)
		return dmr_turn(a.copy) < dmr_turn(b.copy);
	return a.spare < b.spare;
}

/*
 * FORMAT.md says "not known to be good first, then 1, 2, 3, 4, 0". Among copies
 * of several generations that order may overwrite the newest first, and after
 * two cuts a header is left of which nothing whole is: hence by sequence.
 */
unsigned int dmr_list_steps(const struct dmr_device *d, struct dmr_step *steps)
{
	unsigned int n = 0, i, c, at;

	for (i = 0; i < d->spares; i++) {
		for (c = 0; c < DMR_COPIES; c++) {
			struct dmr_step step = { .spare = i, .copy = c };

			if (!dmr_is_writable(d, i, c))
				continue;
			for (at = n++; at && dmr_goes_first(d, step, steps[at - 1]); at--)
				steps[at] = steps[at - 1];
			steps[at] = step;
		}
	}
	return n;
}

/*
 * Whole copies of the highest sequence that is whole anywhere but on spares that were
 * given up: those may never come back.
 */
static unsigned int dmr_newest_whole(const struct dmr_device *d, u64 *sequence)
{
	unsigned int i, c, n = 0;

	*sequence = 0;
	for (i = 0; i < d->spares; i++) {
		for (c = 0; c < DMR_COPIES; c++) {
			const struct dmr_copy *copy = &d->spare[i].copy[c];

			if (!d->spare[i].alive || !copy->whole || copy->sequence < *sequence)
				continue;
			if (copy->sequence > *sequence)
				n = 0;
			*sequence = copy->sequence;
			n++;
		}
	}
	return n;
}

bool dmr_is_last_whole(const struct dmr_device *d, struct dmr_step step)
{
	const struct dmr_copy *copy = &d->spare[step.spare].copy[step.copy];
	u64 newest;

	return dmr_newest_whole(d, &newest) == 1 && copy->whole && copy->sequence == newest;
}

static unsigned int dmr_most_on_one_spare(const struct dmr_step *steps, unsigned int n)
{
	unsigned int on[DMR_MAX_SPARES] = { 0 }, most = 0, k;

	for (k = 0; k < n; k++)
		most = max(most, ++on[steps[k].spare]);
	return most;
}

/* Can this commit succeed at all? If not, nothing may be written. */
int dmr_may_commit(const struct dmr_device *d, const struct dmr_step *steps, unsigned int n)
{
	if (!n || dmr_most_on_one_spare(steps, n) < d->gen->config.min_copies)
		return -EIO;
	/* The last whole copy comes last in order; alone, it may not be touched. */
	return n == 1 && dmr_is_last_whole(d, steps[0]) ? -EIO : 0;
}

/* -- another writer --------------------------------------------------------- */

/* A header of this spare that can't be read: nobody would find its body, so it is not whole. */
static void dmr_miss_headers(struct dmr_spare *s, unsigned int unread)
{
	unsigned int c;

	for (c = 0; c < DMR_COPIES; c++) {
		if (!(unread & BIT(c)))
			continue;
		s->copy[c].good = false;
		s->copy[c].whole = false;
		s->copy[c].unread = true;
	}
}

/*
 * Are the headers of this spare what this run put or found there? Of the places that are
 * known those are looked at that a writer changes first and last: one of 1 to 4, and 0.
 * -EBUSY: someone else has written. -EIO: there are some, and none can be read.
 */
static int dmr_check_spare_ours(struct dmr_device *d, unsigned int i)
{
	struct dmr_spare *s = &d->spare[i];
	unsigned int k, checked = 0, unread = 0;

	for (k = 1; k <= DMR_COPIES; k++) {
		unsigned int c = k % DMR_COPIES;

		if (!s->copy[c].whole || (checked && c))
			continue;
		if (dmr_read_slot(d, i, c, 0, d->header_block, DMR_BLOCK)) {
			unread |= BIT(c);
			continue;
		}
		if (memcmp(d->header_block, s->copy[c].header, DMR_HEADER_BYTES))
			return -EBUSY;
		checked++;
	}
	/* If none can be read it may be the moment and not the places: see below. */
	if (checked)
		dmr_miss_headers(s, unread);
	return unread && !checked ? -EIO : 0;
}

/*
 * Shared storage, or a resumed hibernation: has someone else written? A spare of
 * which that can't be said is given up: what is written to it now may be theirs.
 * -EBUSY: someone has.
 */
int dmr_check_ours(struct dmr_device *d)
{
	unsigned int i;

	for (i = 0; i < d->spares; i++) {
		int r = d->spare[i].alive ? dmr_check_spare_ours(d, i) : 0;

		/* A bus that was reset answers again before long; a spare is not given up for that. */
		if (r == -EIO) {
			msleep(100);
			r = dmr_check_spare_ours(d, i);
		}
		if (r == -EBUSY) {
			dmr_set_mode(d, DMR_MODE_TAKEN,
				     "someone else has written the metadata: no more writes; stop the other one and run dmremap-fsck on the spares");
			return r;
		}
		if (r)
			dmr_lose_spare(d, i);
	}
	return 0;
}
