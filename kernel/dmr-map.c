// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of entries (lookup, replacing a range, retiring an extent) and
 * the allocator of spare space. Freestanding; see dmr-map.h.
 */
#include "dmr-map.h"

static u64 dmr_entry_end(const struct dmr_entry *e)
{
	return e->main + e->len;
}

/* Index of the first live entry that ends above @sector; t->live if none. */
u32 dmr_table_above(const struct dmr_table *t, u64 sector)
{
	u32 low = 0, high = t->live;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (dmr_entry_end(&t->e[mid]) <= sector)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The longest stretch from @sector, before @end, that lies in one place. */
struct dmr_run dmr_table_run(const struct dmr_table *t, u64 sector, u64 end)
{
	struct dmr_run run = { .kind = DMR_RUN_MAIN, .end = end };
	const struct dmr_entry *e;

	run.index = dmr_table_above(t, sector);
	if (run.index == t->live)
		return run;
	e = &t->e[run.index];
	if (e->main > sector) {
		if (e->main < end)
			run.end = e->main;
		return run;
	}
	run.kind = e->flags & DMR_ENTRY_LOST ? DMR_RUN_LOST : DMR_RUN_SPARE;
	run.spare_index = e->spare_index;
	run.spare_sector = e->spare + (sector - e->main);
	if (dmr_entry_end(e) < end)
		run.end = dmr_entry_end(e);
	return run;
}

/* Puts @n entries where [from, to) was. False, and nothing done: no room. */
static bool dmr_table_splice(struct dmr_table *t, u32 room, u32 from, u32 to,
			     const struct dmr_entry *e, u32 n)
{
	u32 count = t->count - (to - from) + n;

	if (count > room || count > DMR_MAX_ENTRIES)
		return false;
	memmove(&t->e[from + n], &t->e[to], (t->count - to) * sizeof(*e));
	memcpy(&t->e[from], e, n * sizeof(*e));
	t->live = t->live - (to - from) + n;
	t->count = count;
	return true;
}

/* FORMAT.md section 3: entries that adjoin on both devices may be merged. */
static bool dmr_entry_adjoins(const struct dmr_entry *a, const struct dmr_entry *b)
{
	return dmr_entry_end(a) == b->main && a->spare + a->len == b->spare &&
	       a->spare_index == b->spare_index && a->flags == b->flags &&
	       a->reason == b->reason && (u64)a->len + b->len <= U32_MAX;
}

static void dmr_table_merge(struct dmr_table *t, u32 at)
{
	struct dmr_entry *a = &t->e[at], *b = a + 1;

	if (at + 1 >= t->live || !dmr_entry_adjoins(a, b))
		return;
	a->len += b->len;
	if (b->created_ns < a->created_ns)
		a->created_ns = b->created_ns;
	memmove(b, b + 1, (t->count - at - 2) * sizeof(*b));
	t->live--;
	t->count--;
}

/*
 * Makes the @n entries at @e, which follow one another on main without a gap,
 * the truth for their sectors: what others said about these is cut away, what
 * they say about their other sectors stays. False, and nothing changed, if that
 * takes more than @room entries.
 */
bool dmr_table_put(struct dmr_table *t, u32 room, const struct dmr_entry *e, u32 n)
{
	u64 start = e->main, end = dmr_entry_end(&e[n - 1]);
	u32 from = dmr_table_above(t, start), to = from, pieces = 0, at;
	struct dmr_entry piece[DMR_PUT_MAX + 2];

	if (n > DMR_PUT_MAX)
		return false;
	while (to < t->live && t->e[to].main < end)
		to++;
	if (to > from && t->e[from].main < start) {
		piece[pieces] = t->e[from];
		piece[pieces].len = start - piece[pieces].main;
		pieces++;
	}
	memcpy(&piece[pieces], e, n * sizeof(*e));
	pieces += n;
	if (to > from && dmr_entry_end(&t->e[to - 1]) > end) {
		u64 cut = end - t->e[to - 1].main;

		piece[pieces] = t->e[to - 1];
		piece[pieces].main += cut;
		piece[pieces].spare += cut;
		piece[pieces].len -= cut;
		pieces++;
	}
	if (!dmr_table_splice(t, room, from, to, piece, pieces))
		return false;
	/* From above to below, so that an index stays true while it is needed. */
	for (at = from + pieces; at > from; at--)
		dmr_table_merge(t, at - 1);
	if (from)
		dmr_table_merge(t, from - 1);
	return true;
}

/* Records that an extent of a spare went bad itself. */
bool dmr_table_retire(struct dmr_table *t, u32 room, u8 spare_index, u64 sector,
		      u32 len, u8 reason, u64 now_ns)
{
	struct dmr_entry e = {
		.main = DMR_RETIRED, .spare = sector, .len = len,
		.spare_index = spare_index, .reason = reason, .created_ns = now_ns,
	};
	u32 at = t->live, live = t->live;

	while (at < t->count && (t->e[at].spare_index < spare_index ||
				 (t->e[at].spare_index == spare_index &&
				  t->e[at].spare < sector)))
		at++;
	/* Neighbours share an entry, so that a bad stretch does not fill the table. */
	if (at > live && t->e[at - 1].spare_index == spare_index &&
	    t->e[at - 1].spare + t->e[at - 1].len == sector &&
	    t->e[at - 1].reason == reason && t->e[at - 1].len <= U32_MAX - len) {
		t->e[at - 1].len += len;
		return true;
	}
	if (!dmr_table_splice(t, room, at, at, &e, 1))
		return false;
	t->live = live;
	return true;
}

/* Does any entry, live, lost or retired, name a sector of this extent? */
bool dmr_table_uses(const struct dmr_table *t, u8 spare_index, u64 sector, u32 len)
{
	u32 i;

	for (i = 0; i < t->count; i++) {
		const struct dmr_entry *e = &t->e[i];

		if (e->spare_index == spare_index && e->spare < sector + len &&
		    sector < e->spare + e->len)
			return true;
	}
	return false;
}

/* t->e holds @count entries in the order of the disk: finds where the retired ones begin. */
void dmr_table_settle(struct dmr_table *t, u32 count)
{
	t->count = count;
	t->live = count;
	while (t->live && t->e[t->live - 1].main == DMR_RETIRED)
		t->live--;
}

void dmr_table_copy(struct dmr_table *to, const struct dmr_table *from)
{
	to->live = from->live;
	to->count = from->count;
	memcpy(to->e, from->e, from->count * sizeof(*from->e));
}

static int dmr_entry_by_spare(const void *a, const void *b)
{
	const struct dmr_entry *x = a, *y = b;

	if (x->spare_index != y->spare_index)
		return x->spare_index < y->spare_index ? -1 : 1;
	if (x->spare != y->spare)
		return x->spare < y->spare ? -1 : 1;
	return 0;
}

static int dmr_entry_by_main(const void *a, const void *b)
{
	const struct dmr_entry *x = a, *y = b;

	if (x->main != y->main)
		return x->main < y->main ? -1 : 1;
	return dmr_entry_by_spare(a, b);
}

/* The end of an extent on its spare, whatever is in the entry. */
static u64 dmr_spare_end(const struct dmr_entry *e)
{
	return e->len <= U64_MAX - e->spare ? e->spare + e->len : U64_MAX;
}

/*
 * Two entries, retired ones too, that name one sector of a spare: whose data lies there
 * can't be known. As they were written, before anything is cut.
 */
static void dmr_table_doubt_shared(struct dmr_table *t)
{
	u32 i, holder = 0;

	dmr_sort(t->e, t->count, sizeof(*t->e), dmr_entry_by_spare);
	for (i = 1; i < t->count; i++) {
		struct dmr_entry *e = &t->e[i], *h = &t->e[holder];

		if (e->spare_index == h->spare_index && e->spare < dmr_spare_end(h)) {
			e->flags |= DMR_ENTRY_LOST;
			h->flags |= DMR_ENTRY_LOST;
			if (dmr_spare_end(e) <= dmr_spare_end(h))
				continue;
		}
		holder = i;
	}
}

/* Is all of it in a spare's data? Anything may be in the entry. */
static bool dmr_entry_is_placed(const struct dmr_entry *e,
				const struct dmr_range space[DMR_MAX_SPARES])
{
	const struct dmr_range *in;

	if (e->spare_index >= DMR_MAX_SPARES)
		return false;
	in = &space[e->spare_index];
	return e->spare >= in->start && e->spare < in->end && e->len <= in->end - e->spare;
}

/*
 * Cuts an entry to the mapped area, in whole blocks; false: nothing of it lies there. Of
 * what lies nowhere, or not in whole blocks, no reader may be sent to a spare.
 */
static bool dmr_tame_entry(struct dmr_entry *e, u64 main_start, u64 main_end,
			   const struct dmr_range space[DMR_MAX_SPARES], u32 block)
{
	u64 start = e->main, len = e->len, end;

	if (start >= main_end || (start < main_start && main_start - start >= len))
		return false;
	/* Not beyond main_end, so nothing overflows. */
	end = main_end - start < len ? main_end : start + len;
	if (!dmr_entry_is_placed(e, space)) {
		e->spare_index = e->spare_index < DMR_MAX_SPARES ? e->spare_index : 0;
		e->spare = DMR_NO_SECTOR;
		e->flags |= DMR_ENTRY_LOST;
	}
	if ((start | len | e->spare) & (block - 1)) {
		start &= ~(u64)(block - 1);
		end = min((end + block - 1) & ~(u64)(block - 1), main_end);
		e->spare = DMR_NO_SECTOR;
		e->flags |= DMR_ENTRY_LOST;
	}
	if (start < main_start) {
		if (e->spare != DMR_NO_SECTOR)
			e->spare += main_start - start;
		start = main_start;
	}
	e->main = start;
	e->len = min(end - start, (u64)U32_MAX & ~(u64)(block - 1));
	return true;
}

/* Sorted by main, but overlapping: where two speak of one sector, both are wrong. */
static void dmr_table_doubt_overlaps(struct dmr_table *t)
{
	u32 i, n = t->count ? 1 : 0;

	for (i = 1; i < t->count; i++) {
		struct dmr_entry *e = &t->e[i], *last = &t->e[n - 1];
		u64 last_end = dmr_entry_end(last), end = max(dmr_entry_end(e), last_end);

		if (e->main < last_end) {
			/* A second entry only where the length would overflow. */
			last->flags |= DMR_ENTRY_LOST;
			last->len = min(end - last->main, (u64)U32_MAX);
			last_end = dmr_entry_end(last);
			if (end == last_end)
				continue;
			e->len = end - last_end;
			e->main = last_end;
			e->flags |= DMR_ENTRY_LOST;
		}
		t->e[n++] = *e;
	}
	t->count = n;
}

/*
 * Makes something that can be read by out of the entries of an unsound
 * generation, in any order and with anything in them. Where they contradict one
 * another, point out of @space (a spare's data, half-open), or are not in whole
 * blocks of @block sectors, the sectors of main are called LOST here in memory: no
 * one is told what may be wrong. The result is not for writing.
 */
void dmr_table_tame(struct dmr_table *t, u32 count, u64 main_start, u64 main_end,
		    const struct dmr_range space[DMR_MAX_SPARES], u32 block)
{
	u32 i, n = 0;

	for (i = 0; i < count; i++)
		if (t->e[i].len)
			t->e[n++] = t->e[i];
	t->count = n;
	dmr_table_doubt_shared(t);
	for (i = 0, n = 0; i < t->count; i++) {
		struct dmr_entry e = t->e[i];

		if (e.main != DMR_RETIRED &&
		    dmr_tame_entry(&e, main_start, main_end, space, block))
			t->e[n++] = e;
	}
	t->count = n;
	dmr_sort(t->e, t->count, sizeof(*t->e), dmr_entry_by_main);
	dmr_table_doubt_overlaps(t);
	t->live = t->count;
}

static int dmr_extent_order(const void *a, const void *b)
{
	const struct dmr_extent *x = a, *y = b;

	if (x->spare_index != y->spare_index)
		return x->spare_index < y->spare_index ? -1 : 1;
	if (x->sector != y->sector)
		return x->sector < y->sector ? -1 : 1;
	return 0;
}

/* Takes down what is used. No spare has room before dmr_allocator_open(). */
void dmr_allocator_fill(struct dmr_allocator *a, const struct dmr_table *t, u32 unit)
{
	u32 i, spare = 0;

	a->unit = unit;
	memset(a->space, 0, sizeof(a->space));
	for (i = 0; i < t->count; i++) {
		a->used[i].sector = t->e[i].spare;
		a->used[i].len = t->e[i].len;
		a->used[i].spare_index = t->e[i].spare_index;
	}
	dmr_sort(a->used, t->count, sizeof(*a->used), dmr_extent_order);
	for (i = 0; i < t->count; i++) {
		for (; spare < a->used[i].spare_index && spare < DMR_MAX_SPARES; spare++) {
			a->space[spare].stop = i;
			if (spare + 1 < DMR_MAX_SPARES)
				a->space[spare + 1].next = i;
		}
	}
	for (; spare < DMR_MAX_SPARES; spare++) {
		a->space[spare].stop = t->count;
		if (spare + 1 < DMR_MAX_SPARES)
			a->space[spare + 1].next = t->count;
	}
}

static u64 dmr_unit_up(const struct dmr_allocator *a, u64 sector)
{
	return (sector + a->unit - 1) & ~(u64)(a->unit - 1);
}

/* From now on units of [start, start + sectors) of this spare are handed out. */
void dmr_allocator_open(struct dmr_allocator *a, u8 spare_index, u64 start, u64 sectors)
{
	a->space[spare_index].cursor = dmr_unit_up(a, start);
	a->space[spare_index].end = start + sectors;
}

/* The first sector of a free unit of this spare, or DMR_NO_SECTOR. */
u64 dmr_allocate(struct dmr_allocator *a, u8 spare_index)
{
	struct dmr_space *s = &a->space[spare_index];
	u64 sector;

	if (s->end < a->unit)
		return DMR_NO_SECTOR;
	while (s->next < s->stop && a->used[s->next].sector < s->cursor + a->unit) {
		u64 end = a->used[s->next].sector + a->used[s->next].len;

		if (end > s->cursor)
			s->cursor = dmr_unit_up(a, end);
		s->next++;
	}
	if (s->cursor > s->end - a->unit)
		return DMR_NO_SECTOR;
	sector = s->cursor;
	s->cursor += a->unit;
	return sector;
}
