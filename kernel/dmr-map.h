/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entries in memory: which sectors of main lie on which spare, and where
 * a spare still has room. Freestanding: no allocation, no locks, no I/O; who
 * may change what, and how readers see it, is decided in dmr-core.h.
 */
#ifndef DMR_MAP_H
#define DMR_MAP_H

#include "dmr-format.h"

#define DMR_NO_SECTOR U64_MAX

/*
 * [0, live) is sorted by main and does not overlap; [live, count) are retired
 * extents, sorted by (spare_index, spare): the order of FORMAT.md section 3.
 */
struct dmr_table {
	u32 live;
	u32 count;
	struct dmr_entry e[DMR_MAX_ENTRIES];
};

enum dmr_run_kind { DMR_RUN_MAIN, DMR_RUN_SPARE, DMR_RUN_LOST };

/* Sectors, half-open. */
struct dmr_range {
	u64 start, end;
};

/* What lies at the first sectors of a range; everything in sectors. */
struct dmr_run {
	enum dmr_run_kind kind;
	u32 index;	/* of the entry; of the next one above for DMR_RUN_MAIN */
	u64 end;	/* on main, exclusive, never above the range's end */
	u64 spare_sector;
	u8 spare_index;
};

u32 dmr_table_above(const struct dmr_table *t, u64 sector);
/* As many entries as one dmr_table_put() may bring: a unit's sectors, each on its own. */
#define DMR_PUT_MAX 8u

struct dmr_run dmr_table_run(const struct dmr_table *t, u64 sector, u64 end);
bool dmr_table_put(struct dmr_table *t, u32 room, const struct dmr_entry *e, u32 n);
bool dmr_table_retire(struct dmr_table *t, u32 room, u8 spare_index, u64 sector,
		      u32 len, u8 reason, u64 now_ns);
bool dmr_table_uses(const struct dmr_table *t, u8 spare_index, u64 sector, u32 len);
void dmr_table_settle(struct dmr_table *t, u32 count);
void dmr_table_tame(struct dmr_table *t, u32 count, u64 main_start, u64 main_end,
		    const struct dmr_range space[DMR_MAX_SPARES], u32 block);
void dmr_table_copy(struct dmr_table *to, const struct dmr_table *from);

/* The extents of all entries at load, by spare and sector. */
struct dmr_extent {
	u64 sector;
	u32 len;
	u32 spare_index;
};

/*
 * Free space is handed out upwards, unit by unit, past what was used at load,
 * so that an allocation is O(1) amortised. Nothing comes back before the next
 * load: an extent given up by a failed commit may still be named by a copy
 * somewhere (FORMAT.md section 6).
 */
struct dmr_space {
	u64 end;	/* of the spare's data, in sectors, exclusive */
	u64 cursor;	/* all units below are used or handed out */
	u32 next, stop;	/* used[next, stop): extents of this spare not passed yet */
};

struct dmr_allocator {
	u32 unit;	/* remap_unit in sectors: 1 or 8 */
	struct dmr_space space[DMR_MAX_SPARES];
	struct dmr_extent used[DMR_MAX_ENTRIES];
};

void dmr_allocator_fill(struct dmr_allocator *a, const struct dmr_table *t, u32 unit);
void dmr_allocator_open(struct dmr_allocator *a, u8 spare_index, u64 start, u64 sectors);
u64 dmr_allocate(struct dmr_allocator *a, u8 spare_index);

#endif
