/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One mapped device, and who may touch what of it. The format is in
 * dmr-format.h, the table of entries in dmr-map.h.
 *
 * Who runs
 *   map and end_io   any context, any number at once, no lock, no allocation.
 *   the worker       one ordered work item: everything that waits, every
 *                    change of the table, every commit while I/O flows.
 *   the hooks        preresume and postsuspend, when no I/O flows and the
 *                    worker is idle; they commit by themselves.
 *   messages, status dm's ioctl. They only read, or hand a job to the worker.
 *
 * What is protected by what
 *   table            RCU. Two buffers: readers see *table; the worker changes
 *                    the other one (see dmr_change) and swaps when the commit
 *                    is durable. It may touch the old buffer again only after
 *                    a grace period (table_cookie).
 *   holds            seqlock. A held range takes no new writes: they go to the
 *                    worker. Written by the worker alone.
 *   writes (SRCU)    every request that changes data holds it from map to its
 *                    first end_io. The order that makes moving data safe:
 *                    worker: hold the range, set its filter bits, then
 *                    synchronize_srcu(); map: srcu_read_lock(), then filter,
 *                    then holds. So after the synchronize no write to the
 *                    range is in flight, and no new one can start.
 *   filter           bits are set (by the worker, before the table is swapped)
 *                    and never cleared while the device is active.
 *   lock             spinlock, irq-safe: the queues bios and jobs, active, and
 *                    the decision to queue work: none is queued once active
 *                    is false, so postsuspend can wait for the last of it.
 *   the rest         the worker's; read by status without a lock, where a
 *                    number that is a moment old does no harm.
 *
 * Lock order: dmr_registry_lock alone; d->lock alone; nothing nests.
 */
#ifndef DMR_CORE_H
#define DMR_CORE_H

#include <linux/bio.h>
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/device-mapper.h>
#include <linux/dm-io.h>
#include <linux/ioprio.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "dmr-format.h"
#include "dmr-map.h"

#ifdef CONFIG_TINY_SRCU
#error "end_io leaves SRCU in interrupts; only the tree flavour counts safely there"
#endif

#define DM_MSG_PREFIX "remap"
#define DMR_WRITER "dm-remap kernel 4.0.0"
#define DMR_SLOT_BLOCKS (DMR_SLOT_BYTES / DMR_BLOCK)
#define DMR_BLOCK_SECTORS (DMR_BLOCK >> SECTOR_SHIFT)
/* Ranges under change at once. Batches end early to stay below it; see dmr_hold(). */
#define DMR_MAX_HOLDS 64
#define DMR_MANY_HOLDS 48
/* How long dead copies are left alone (FORMAT.md section 6). */
#define DMR_DEAD_COPY_PAUSE (60 * HZ)

/* 6.1 calls it a file's mode, 6.12 a block device's. */
#ifdef BLK_OPEN_WRITE
#define DMR_OPEN_WRITE BLK_OPEN_WRITE
#else
#define DMR_OPEN_WRITE FMODE_WRITE
#endif

enum dmr_mode {
	DMR_MODE_RW,	/* commits are possible */
	DMR_MODE_RO,	/* nothing is ever written */
	DMR_MODE_FAIL,	/* the last commit failed: what needs one gets EIO */
	DMR_MODE_TAKEN,	/* someone else wrote our metadata: no more writes; shown as fail */
};

/* One of the five copies of one spare, as this run knows it. */
struct dmr_copy {
	bool good;	/* known to be good: FORMAT.md section 6, Order */
	bool whole;	/* a whole generation, `sequence`, lies there */
	bool unread;	/* its header could not be read at load */
	bool dead;	/* its sectors could not be written */
	bool keep_off;	/* foreign, or of an unknown version: not ours to write */
	unsigned long tried;	/* jiffies of the write that failed */
	u64 sequence;
	u8 header[DMR_HEADER_BYTES];	/* what must be there, if whole */
	/* Blocks that may differ from the image; meaningful if good. */
	DECLARE_BITMAP(pending, DMR_SLOT_BLOCKS);
};

/*
 * A device tells once that a flush failed, to whoever flushed; and what it had not
 * made durable may then be gone. So if the worker is told, all must be who flushed
 * at that time, or else the next one who does. Each flush remembers `failures` from
 * when it began; one that ends while the worker's is `running` waits for it.
 */
struct dmr_flushes {
	bool running;		/* stored with release, after `failures` */
	unsigned int failures;	/* of the worker's flushes; the worker's to change */
	unsigned int told;	/* `failures` when somebody was told last */
	/* Of spares only: writes that ended well, counted before they are acknowledged. */
	atomic_long_t written;
	unsigned long flushed;	/* as many of them a flush has reached */
};

struct dmr_spare {
	struct dm_dev *dev;	/* NULL: missing */
	u64 sectors;		/* of the device */
	u64 data_start, data_sectors;
	bool alive;		/* takes part in commits and allocations */
	bool retired;		/* no longer of the setup: read, never written */
	bool absent;		/* given, but none of its headers can be read: taken for missing */
	bool given_up;		/* of an earlier activation: it did not answer any more */
	u64 shown;		/* highest sequence it showed at load */
	struct dmr_flushes flushes;
	u64 used;		/* sectors handed out or named by entries */
	struct dmr_copy copy[DMR_COPIES];
};

/* NULL: it is missing, or nothing says that what answers there is our spare. */
static inline struct block_device *dmr_spare_bdev(const struct dmr_spare *s)
{
	return s->dev && !s->absent ? s->dev->bdev : NULL;
}

struct dmr_hold {
	u64 start, end;	/* sectors of main, half-open */
};

struct dmr_features {
	bool read_only;
	bool degraded;
	bool no_auto_remap;
	bool has_setup;
	u8 setup_uuid[16];
};

/* Since the table was loaded; errors over the life of a setup are in HEALTH. */
struct dmr_stats {
	u64 read_errors, write_errors, flush_errors;
	u64 retried_reads, retried_writes;
	u64 remapped, lost, healed, retired;	/* sectors, sectors, sectors, extents */
	u64 commits, failed_commits, copies_repaired;
};

/* An event that is not in the ring yet. */
struct dmr_tale {
	u64 time_ns;
	u16 kind, device;
	u64 sector;
	u32 length, value;
};

/* Spares given up and copies mended while a commit is written. */
#define DMR_LATE_EVENTS (DMR_MAX_SPARES * (1 + DMR_COPIES))

struct dmr_draft {
	struct dmr_stats stats;
	unsigned int tales;
	struct dmr_tale tale[DMR_EVENT_RING];	/* the first ones; the ring holds no more */
};

struct dmr_device {
	struct dm_target *ti;
	struct dmr_features features;
	struct dm_dev *main;
	u64 main_start;		/* sectors */
	u64 main_end;
	unsigned int spares;
	struct dmr_spare spare[DMR_MAX_SPARES];

	/* The fast path. */
	struct block_device *main_bdev;
	struct dmr_flushes main_flushes;
	struct dmr_table __rcu *table;
	unsigned long *filter;
	unsigned int filter_shift;	/* sectors per bit, as a power of two */
	u32 filter_bits;
	bool writable;
	struct srcu_struct writes;
	seqlock_t hold_lock;
	unsigned int holds;
	struct dmr_hold hold[DMR_MAX_HOLDS];

	/* To the worker. */
	spinlock_t lock;
	struct bio_list bios;
	struct list_head jobs;
	bool active;		/* between preresume and postsuspend */
	bool stopping;		/* suspend waits for messages: long ones are to end */
	struct workqueue_struct *wq;
	struct work_struct work;
	struct delayed_work revive;	/* dead copies, once a minute */

	/* The worker's. */
	enum dmr_mode mode;
	u32 block_sectors;	/* B of FORMAT.md section 7: 1 or 8 */
	u32 unit;		/* remap_unit, sectors: 1 or 8 */
	struct dmr_table *buffer[2];
	unsigned long table_cookie;
	struct dmr_table *change;	/* the buffer under change, or NULL */
	struct dmr_draft draft;
	bool wants_commit;	/* for another reason than a change of the table */
	bool news;		/* dm_table_event() is due */
	struct dmr_allocator *allocator;
	u8 last_spare;		/* round robin */
	u64 probe_sector;	/* of main: read fine last time */
	struct page *unit_page, *probe_page;
	unsigned int unflushed_data;	/* by spare: new data since its last flush */
	struct bio_set bios_own;
	struct dm_io_client *io;
	struct bio_list waiting;	/* for the commit */
	struct dmr_disk_event events[DMR_EVENT_RING];	/* as they were before it */
	u32 event_count;
	bool committing;	/* the ring is being written: what happens now comes after it */
	unsigned int lates;
	struct dmr_tale late[DMR_LATE_EVENTS];

	/* The generation that the image holds. */
	struct dmr_generation *gen;
	void *image, *next_image, *scratch;	/* DMR_SLOT_BYTES each */
	void *header_block;			/* DMR_BLOCK */
	u32 slot_bytes;
	u32 room;		/* entries that fit into a slot */
	u64 sequence;		/* of the last committed generation, of this activation or the last */
	u8 sequence_of[16];	/* the setup that it is of */
	u64 highest;		/* sequence ever shown or tried */
	u64 run_id;
	u32 parent_crc;		/* overall_crc of the last committed generation */
	bool doubtful_load;
	bool doubt;		/* a commit failed half-way: see dmr_commit() */

	struct dmr_load_room *load_room;	/* for dmr_load(), which can't wait for memory */
	struct dmr_stats stats;
	struct list_head registered;
	bool claimed_setup;	/* gen names the setup that is ours alone */
};

/* Per request; lives in dm's own allocation. */
enum dmr_io_state {
	DMR_IO_PASSING,
	DMR_IO_QUEUED,		/* at the worker */
	DMR_IO_FINISHED,	/* the worker is done: end_io lets it go */
};

struct dmr_io {
	struct bvec_iter iter;	/* as mapped: end_io's own is used up. Relative to the target */
	union {
		u32 all;	/* for setting the next three at once */
		struct {
			u8 state;
			bool tracked;	/* holds d->writes */
			u8 spare;	/* 1 + the spare that this goes to; 0: main */
			bool failed;	/* the device said so; else the worker has it for another reason */
		};
	};
	union {
		int srcu;		/* tracked */
		struct {		/* a flush: when it began */
			unsigned int failures;
			unsigned long written;
		} at;
	};
};

/* What dmr_load() needs besides; made in the constructor. */
struct dmr_load_room {
	struct dmr_places places;
	struct dmr_scratch sort;
	struct dmr_choice choice;
	struct dmr_judgement winner;
};

/* A message's work, done by the worker while the sender waits. */
struct dmr_job {
	struct list_head list;
	/* Does a part of it, on the draft. DMR_JOB_GOES_ON: there is more, once this is durable. */
	int (*run)(struct dmr_device *d, struct dmr_job *job);
	/* The commit failed: takes back what run() did to the configuration. May be NULL. */
	void (*undo)(struct dmr_device *d, struct dmr_job *job);
	u64 start, end;		/* sectors of main */
	u64 next, committed;	/* how far it has come, and how far durably */
	const char *name;
	u64 value, old;
	int result;
	bool cancelled;		/* the sender was killed: no further part */
	struct completion done;
};

/* What a device says that can't read or write a sector, and not that it can't be reached. */
static inline bool dmr_is_of_medium(blk_status_t status)
{
	return status == BLK_STS_IOERR || status == BLK_STS_MEDIUM;
}

static inline struct dmr_table *dmr_live_table(struct dmr_device *d)
{
	/* The worker and the hooks are the only ones that swap it. */
	return rcu_dereference_protected(d->table, true);
}

/* What the worker decides by: its own change, where it has begun one. */
static inline const struct dmr_table *dmr_view(struct dmr_device *d)
{
	return d->change ? d->change : dmr_live_table(d);
}

/* @sector of the mapped device. */
static inline u64 dmr_filter_bit(const struct dmr_device *d, u64 sector)
{
	return sector >> d->filter_shift;
}

#define DMR_JOB_GOES_ON 1

/* One write of a commit. */
struct dmr_step {
	u8 spare, copy;
};

/* What a move brings along; sectors of main, half-open, either may be empty. */
struct dmr_overlay {
	struct bio *bio;	/* with the data for [start, end) */
	struct bvec_iter iter;	/* of the bio, at start */
	u64 start, end;
	bool zeroes;		/* write-zeroes: the bio has no data */
	u64 lost_start, lost_end;	/* to be called LOST, whether readable or not */
};

/* dmr-io.c: the fast path */
int dmr_map(struct dm_target *ti, struct bio *bio);
int dmr_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);
void dmr_filter_add(struct dmr_device *d, u64 start, u64 end);

/* dmr-flush.c: flushes, and who hears of their errors. Devices: 0 main, 1 + i spare i */
int dmr_map_flush(struct dmr_device *d, struct bio *bio, struct dmr_io *io);
int dmr_end_flush(struct dmr_device *d, struct bio *bio, struct dmr_io *io, blk_status_t *error);
blk_status_t dmr_flush_outcome(struct dmr_device *d, struct dmr_io *io);
int dmr_flush_own(struct dmr_device *d, unsigned int device);
void dmr_owe_flush_error(struct dmr_device *d, unsigned int device);
bool dmr_makes_fua_of_flush(struct block_device *bdev);

/* dmr-worker.c: what must wait */
void dmr_work(struct work_struct *work);
void dmr_revive(struct work_struct *work);
int dmr_job_run(struct dmr_device *d, struct dmr_job *job);
void dmr_queue_bio(struct dmr_device *d, struct bio *bio);
int dmr_end_batch(struct dmr_device *d);
void dmr_arm_revive(struct dmr_device *d);

/* dmr-move.c: moving sectors to a spare */
void dmr_begin_change(struct dmr_device *d);
void dmr_drop_change(struct dmr_device *d);
void dmr_publish_change(struct dmr_device *d);
void dmr_release_holds(struct dmr_device *d);
bool dmr_settle_doubt(struct dmr_device *d);
bool dmr_touches_hold(const struct dmr_device *d, u64 start, u64 end);
int dmr_move_unit(struct dmr_device *d, u64 sector, u8 reason, const struct dmr_overlay *over,
		  u64 bad_start, u64 bad_end);
int dmr_heal(struct dmr_device *d, const struct dmr_run *run, u64 start);
bool dmr_main_answers(struct dmr_device *d);
bool dmr_spare_answers(struct dmr_device *d, unsigned int i);

/* dmr-data.c: single reads and writes of data */
int dmr_rw_page(struct block_device *bdev, u64 sector, blk_opf_t opf, struct page *page,
		unsigned int offset, unsigned int sectors);
int dmr_zero(struct block_device *bdev, u64 sector, u64 sectors, blk_opf_t flags);
blk_status_t dmr_rw_bio(struct dmr_device *d, struct bio *bio, struct bvec_iter iter,
			struct block_device *bdev, u64 sector, blk_opf_t fua);
void dmr_copy_from_bio(struct bio *bio, struct bvec_iter iter, u32 skip, void *to, u32 bytes);

/* dmr-load.c, dmr-commit.c: the metadata */
int dmr_load(struct dmr_device *d);
int dmr_commit(struct dmr_device *d, const struct dmr_table *t, u32 state);
void dmr_revive_copies(struct dmr_device *d);
void dmr_set_mode(struct dmr_device *d, enum dmr_mode mode, const char *why);

/* dmr-order.c: what counts before it is written */
unsigned int dmr_good_copies(const struct dmr_device *d);
bool dmr_has_dead_copies(const struct dmr_device *d);
bool dmr_has_writable_copy(const struct dmr_device *d, unsigned int i);
bool dmr_is_degraded(const struct dmr_device *d);
u32 dmr_health(const struct dmr_device *d, const struct dmr_table *t);
void dmr_lose_spare(struct dmr_device *d, unsigned int i);
unsigned int dmr_list_steps(const struct dmr_device *d, struct dmr_step *steps);
bool dmr_is_last_whole(const struct dmr_device *d, struct dmr_step step);
int dmr_may_commit(const struct dmr_device *d, const struct dmr_step *steps, unsigned int n);
int dmr_check_ours(struct dmr_device *d);

/* dmr-slot.c: one copy of it */
int dmr_read_slot(struct dmr_device *d, unsigned int i, unsigned int c, u32 offset, void *to,
		  u32 bytes);
int dmr_write_copy(struct dmr_device *d, unsigned int i, unsigned int c);

/* dmr-event.c: what there is to tell */
void dmr_event(struct dmr_device *d, u16 kind, u16 device, u64 sector, u32 length, u32 value);
void dmr_draft_tale(struct dmr_device *d, u16 kind, u64 sector, u32 length, u32 value);
void dmr_begin_telling(struct dmr_device *d);
void dmr_end_telling(struct dmr_device *d, bool failed);

/* dmr-registry.c: what is in use anywhere on this machine */
bool dmr_bdevs_overlap(struct block_device *a, struct block_device *b);
int dmr_registry_claim(struct dmr_device *d);
int dmr_registry_claim_setup(struct dmr_device *d);
void dmr_registry_release(struct dmr_device *d);

/* dmr-message.c */
int dmr_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
		unsigned int maxlen);
void dmr_status(struct dm_target *ti, status_type_t type, unsigned int flags,
		char *result, unsigned int maxlen);

#endif
