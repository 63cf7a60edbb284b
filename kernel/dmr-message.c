// SPDX-License-Identifier: GPL-2.0-only
/*
 * What people and scripts see and say: status, table and messages. Sectors here
 * are those of the mapped device. Changes are the worker's; this only asks.
 */
#include <linux/jiffies.h>
#include <linux/uuid.h>

#include "dmr-core.h"

/* -- status ----------------------------------------------------------------- */

static const char *dmr_mode_name(enum dmr_mode mode)
{
	switch (mode) {
	case DMR_MODE_RW:
		return "rw";
	case DMR_MODE_RO:
		return "ro";
	default:
		return "fail";
	}
}

static char dmr_spare_letter(const struct dmr_spare *s)
{
	if (!s->dev)
		return '-';
	return READ_ONCE(s->alive) || s->retired ? 'A' : 'D';
}

static u64 dmr_lost_sectors(const struct dmr_table *t)
{
	u64 lost = 0;
	u32 i;

	for (i = 0; i < t->live; i++)
		if (t->e[i].flags & DMR_ENTRY_LOST)
			lost += t->e[i].len;
	return lost;
}

static void dmr_status_info(struct dmr_device *d, char *result, unsigned int maxlen)
{
	char letters[DMR_MAX_SPARES + 1] = { };
	u64 used = 0, all = 0, lost;
	struct dmr_table *t;
	unsigned int i, sz = 0;
	u32 extents, health;

	if (!READ_ONCE(d->active)) {
		/* Nothing is read before the first resume, and after a suspend it may be old. */
		DMEMIT("- - -/- -/- - -/- - -:- - - -");
		return;
	}
	rcu_read_lock();
	t = rcu_dereference(d->table);
	extents = t->count;
	lost = dmr_lost_sectors(t);
	health = dmr_health(d, t);
	rcu_read_unlock();
	for (i = 0; i < d->spares; i++) {
		letters[i] = dmr_spare_letter(&d->spare[i]);
		used += d->spare[i].used;
		all += d->spare[i].data_sectors;
	}
	DMEMIT("%s %llu %u/%u %u/%u %llu %llu/%llu %u off:0 %llu %llu %s",
	       dmr_mode_name(READ_ONCE(d->mode)), READ_ONCE(d->sequence), dmr_good_copies(d),
	       DMR_COPIES * d->spares, extents, d->room, lost, used, all, health,
	       le64_to_cpu(d->gen->health.read_errors), le64_to_cpu(d->gen->health.write_errors),
	       letters);
}

static void dmr_status_table(struct dmr_device *d, char *result, unsigned int maxlen)
{
	const struct dmr_features *f = &d->features;
	bool read_only = f->read_only && (dm_table_get_mode(d->ti->table) & DMR_OPEN_WRITE);
	unsigned int i, sz = 0, n = read_only + f->degraded + f->no_auto_remap + 2 * f->has_setup;

	DMEMIT("%s %llu %u", d->main->name, d->main_start, d->spares);
	for (i = 0; i < d->spares; i++)
		DMEMIT(" %s", d->spare[i].dev ? d->spare[i].dev->name : "-");
	if (!n)
		return;
	DMEMIT(" %u", n);
	if (read_only)
		DMEMIT(" read_only");
	if (f->degraded)
		DMEMIT(" degraded");
	if (f->no_auto_remap)
		DMEMIT(" no_auto_remap");
	if (f->has_setup)
		DMEMIT(" setup %pUb", f->setup_uuid);
}

void dmr_status(struct dm_target *ti, status_type_t type, unsigned int flags, char *result,
		unsigned int maxlen)
{
	struct dmr_device *d = ti->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		dmr_status_info(d, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		dmr_status_table(d, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",main=%s,spares=%u;", d->main->name, d->spares);
		break;
	}
}

/* -- jobs ------------------------------------------------------------------- */

/*
 * Units that a message moves in one commit, or as many as take this long: they take
 * no writes until it is done, and other requests wait for the worker.
 */
#define DMR_UNITS_AT_ONCE 256
#define DMR_UNITS_TIME HZ

/* From where the last commit came to. What of it a failed one undid is done again. */
static int dmr_move_some(struct dmr_device *d, struct dmr_job *job, const struct dmr_overlay *over)
{
	unsigned long end = jiffies + DMR_UNITS_TIME;
	unsigned int n;

	job->next = job->committed;
	for (n = 0; job->next < job->end; n++) {
		int r;

		if (n && (n == DMR_UNITS_AT_ONCE || time_after(jiffies, end)))
			return DMR_JOB_GOES_ON;
		/* Suspending waits for messages, and requests wait for it. */
		if (READ_ONCE(d->stopping))
			return -ENODEV;
		if (READ_ONCE(job->cancelled))
			return -EINTR;
		r = dmr_move_unit(d, job->next, DMR_REASON_MANUAL, over, 0, 0);
		if (r < 0)
			return r;
		job->next = (job->next | (d->unit - 1)) + 1;
	}
	return 0;
}

/* Moves every unit of [start, end): readable data along with it, the rest as LOST. */
static int dmr_job_remap(struct dmr_device *d, struct dmr_job *job)
{
	return dmr_move_some(d, job, NULL);
}

/* Calls [start, end) LOST; what else lies in its units moves along, readable. */
static int dmr_job_mark_lost(struct dmr_device *d, struct dmr_job *job)
{
	struct dmr_overlay over = { .lost_start = job->start, .lost_end = job->end };

	return dmr_move_some(d, job, &over);
}

static int dmr_job_commit(struct dmr_device *d, struct dmr_job *job)
{
	d->wants_commit = true;		/* the batch's end does it */
	return 0;
}

static int dmr_job_clear_stats(struct dmr_device *d, struct dmr_job *job)
{
	memset(&d->stats, 0, sizeof(d->stats));
	return 0;
}

/* -- tunables --------------------------------------------------------------- */

struct dmr_tunable {
	const char *name;
	unsigned int offset;	/* in struct dmr_disk_config */
	bool is_byte;		/* else a __le32 */
	u32 min, max;
};

#define DMR_TUNABLE(field, byte, low, high) \
	{ #field, offsetof(struct dmr_disk_config, field), byte, low, high }

static const struct dmr_tunable dmr_tunables[] = {
	DMR_TUNABLE(alert_threshold, false, 0, 100),
	DMR_TUNABLE(auto_remap, true, 0, 1),
	DMR_TUNABLE(min_copies, true, 1, DMR_COPIES),
	DMR_TUNABLE(remap_threshold, false, 1, U32_MAX),
	DMR_TUNABLE(scan_chunk_max, false, 8, 2048),
	DMR_TUNABLE(scan_chunk_min, false, 8, 2048),
	DMR_TUNABLE(scan_interval_s, false, 1, U32_MAX),
	DMR_TUNABLE(slow_io_ms, false, 1, U32_MAX),
	DMR_TUNABLE(spare_policy, true, 0, DMR_POLICIES - 1),
};

static const struct dmr_tunable *dmr_find_tunable(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dmr_tunables); i++)
		if (!strcmp(dmr_tunables[i].name, name))
			return &dmr_tunables[i];
	return NULL;
}

static u32 dmr_get_tunable(const struct dmr_device *d, const struct dmr_tunable *t)
{
	const void *at = (const void *)&d->gen->config + t->offset;

	return t->is_byte ? *(const u8 *)at : le32_to_cpup(at);
}

static void dmr_put_tunable(struct dmr_device *d, const struct dmr_tunable *t, u32 value)
{
	void *at = (void *)&d->gen->config + t->offset;

	if (t->is_byte)
		*(u8 *)at = value;
	else
		*(__le32 *)at = cpu_to_le32(value);
}

static int dmr_job_set(struct dmr_device *d, struct dmr_job *job)
{
	const struct dmr_tunable *t = dmr_find_tunable(job->name);

	job->old = dmr_get_tunable(d, t);
	if (!dmr_settle_doubt(d)) {
		/* With the new value: a lower min_copies may be what it takes to commit at all. */
		dmr_put_tunable(d, t, job->value);
		if (!dmr_settle_doubt(d)) {
			dmr_put_tunable(d, t, job->old);
			return -EIO;
		}
		job->old = job->value;
	}
	dmr_put_tunable(d, t, job->value);
	/* A draft that changes no entry: if it fails, nothing is told either. */
	dmr_begin_change(d);
	dmr_draft_tale(d, DMR_EVENT_CONFIG_CHANGED, 0, 0, 0);
	return 0;
}

static void dmr_undo_set(struct dmr_device *d, struct dmr_job *job)
{
	dmr_put_tunable(d, dmr_find_tunable(job->name), job->old);
}

/* -- messages --------------------------------------------------------------- */

struct dmr_message {
	const char *name;
	unsigned int min_args, max_args;	/* after the name */
	bool changes;	/* needs a device that may commit */
	int (*run)(struct dmr_device *d, unsigned int argc, char **argv, char *result,
		   unsigned int maxlen);
};

/* <sector> [<count>], of the mapped device, into sectors of main. In whole blocks. */
static int dmr_parse_range(struct dmr_device *d, unsigned int argc, char **argv, u64 *start,
			   u64 *end)
{
	u64 sector, count = d->block_sectors, size = d->main_end - d->main_start;

	if (kstrtoull(argv[0], 10, &sector) || (argc > 1 && kstrtoull(argv[1], 10, &count)))
		return -EINVAL;
	if (!count || sector >= size || count > size - sector)
		return -ERANGE;
	*start = d->main_start + sector;
	*end = *start + count;
	*start = round_down(*start, (u64)d->block_sectors);
	*end = min(round_up(*end, (u64)d->block_sectors), d->main_end);
	return 0;
}

static int dmr_change_range(struct dmr_device *d, unsigned int argc, char **argv, char *result,
			    unsigned int maxlen,
			    int (*run)(struct dmr_device *d, struct dmr_job *job))
{
	struct dmr_job job = { .run = run };
	unsigned int sz = 0;
	int r = dmr_parse_range(d, argc, argv, &job.start, &job.end);

	job.committed = job.start;
	if (!r)
		r = dmr_job_run(d, &job);
	if (r)
		return r;
	DMEMIT("%llu %llu", job.start - d->main_start, job.end - job.start);
	return 1;
}

static int dmr_message_remap(struct dmr_device *d, unsigned int argc, char **argv, char *result,
			     unsigned int maxlen)
{
	return dmr_change_range(d, argc, argv, result, maxlen, dmr_job_remap);
}

static int dmr_message_mark_lost(struct dmr_device *d, unsigned int argc, char **argv,
				 char *result, unsigned int maxlen)
{
	return dmr_change_range(d, argc, argv, result, maxlen, dmr_job_mark_lost);
}

static int dmr_message_query(struct dmr_device *d, unsigned int argc, char **argv, char *result,
			     unsigned int maxlen)
{
	unsigned int sz = 0;
	struct dmr_run run;
	u64 start, end;

	if (kstrtoull(argv[0], 10, &start))
		return -EINVAL;
	if (start >= d->main_end - d->main_start)
		return -ERANGE;
	start += d->main_start;
	end = start + 1;
	rcu_read_lock();
	run = dmr_table_run(rcu_dereference(d->table), start, end);
	rcu_read_unlock();
	switch (run.kind) {
	case DMR_RUN_MAIN:
		DMEMIT("main %llu", start);
		break;
	case DMR_RUN_SPARE:
		DMEMIT("spare %u %llu", run.spare_index, run.spare_sector);
		break;
	case DMR_RUN_LOST:
		DMEMIT("lost %u %llu", run.spare_index, run.spare_sector);
		break;
	}
	return 1;
}

/* list [<first> [<count>]]: one line per entry, by number in the order of the disk. */
static int dmr_message_list(struct dmr_device *d, unsigned int argc, char **argv, char *result,
			    unsigned int maxlen)
{
	unsigned int sz = 0, first = 0, count = U32_MAX, i;
	const struct dmr_table *t;

	if ((argc > 0 && kstrtouint(argv[0], 10, &first)) ||
	    (argc > 1 && kstrtouint(argv[1], 10, &count)))
		return -EINVAL;
	rcu_read_lock();
	t = rcu_dereference(d->table);
	for (i = first; i < t->count && i - first < count; i++) {
		const struct dmr_entry *e = &t->e[i];

		if (e->main == DMR_RETIRED)
			DMEMIT("- %u %u %llu retired %u\n", e->len, e->spare_index, e->spare,
			       e->reason);
		else
			DMEMIT("%llu %u %u %llu %s %u\n", e->main - d->main_start, e->len,
			       e->spare_index, e->spare,
			       e->flags & DMR_ENTRY_LOST ? "lost" : "live", e->reason);
	}
	rcu_read_unlock();
	if (!sz)
		DMEMIT("\n");
	return 1;
}

static int dmr_message_commit(struct dmr_device *d, unsigned int argc, char **argv, char *result,
			      unsigned int maxlen)
{
	struct dmr_job job = { .run = dmr_job_commit };
	unsigned int sz = 0;
	int r = dmr_job_run(d, &job);

	if (r)
		return r;
	DMEMIT("%llu", READ_ONCE(d->sequence));
	return 1;
}

static int dmr_message_stats(struct dmr_device *d, unsigned int argc, char **argv, char *result,
			     unsigned int maxlen)
{
	const struct dmr_stats *s = &d->stats;
	unsigned int sz = 0;

	DMEMIT("read_errors %llu\nwrite_errors %llu\nflush_errors %llu\n", s->read_errors,
	       s->write_errors, s->flush_errors);
	DMEMIT("retried_reads %llu\nretried_writes %llu\n", s->retried_reads, s->retried_writes);
	DMEMIT("remapped_sectors %llu\nlost_sectors %llu\nhealed_sectors %llu\nretired_extents %llu\n",
	       s->remapped, s->lost, s->healed, s->retired);
	DMEMIT("commits %llu\nfailed_commits %llu\ncopies_repaired %llu\n", s->commits,
	       s->failed_commits, s->copies_repaired);
	return 1;
}

static int dmr_message_clear_stats(struct dmr_device *d, unsigned int argc, char **argv,
				   char *result, unsigned int maxlen)
{
	struct dmr_job job = { .run = dmr_job_clear_stats };

	return dmr_job_run(d, &job);
}

static int dmr_message_get(struct dmr_device *d, unsigned int argc, char **argv, char *result,
			   unsigned int maxlen)
{
	const struct dmr_tunable *t = dmr_find_tunable(argv[0]);
	unsigned int sz = 0;

	if (!t)
		return -ENOENT;
	DMEMIT("%u", dmr_get_tunable(d, t));
	return 1;
}

static int dmr_message_set(struct dmr_device *d, unsigned int argc, char **argv, char *result,
			   unsigned int maxlen)
{
	const struct dmr_tunable *t = dmr_find_tunable(argv[0]);
	struct dmr_job job = { .run = dmr_job_set, .undo = dmr_undo_set, .name = argv[0] };

	if (!t)
		return -ENOENT;
	if (kstrtoull(argv[1], 10, &job.value))
		return -EINVAL;
	if (job.value < t->min || job.value > t->max)
		return -ERANGE;
	return dmr_job_run(d, &job);
}

static const struct dmr_message dmr_messages[] = {
	{ "clear_stats", 0, 0, false, dmr_message_clear_stats },
	{ "commit", 0, 0, true, dmr_message_commit },
	{ "get", 1, 1, false, dmr_message_get },
	{ "list", 0, 2, false, dmr_message_list },
	{ "mark_lost", 1, 2, true, dmr_message_mark_lost },
	{ "query", 1, 1, false, dmr_message_query },
	{ "remap", 1, 2, true, dmr_message_remap },
	{ "set", 2, 2, true, dmr_message_set },
	{ "stats", 0, 0, false, dmr_message_stats },
};

int dmr_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
		unsigned int maxlen)
{
	struct dmr_device *d = ti->private;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dmr_messages); i++) {
		const struct dmr_message *m = &dmr_messages[i];

		if (strcasecmp(argv[0], m->name))
			continue;
		if (argc - 1 < m->min_args || argc - 1 > m->max_args) {
			DMERR("message %s takes %u to %u arguments", m->name, m->min_args,
			      m->max_args);
			return -EINVAL;
		}
		if (!READ_ONCE(d->active))
			return -ENODEV;
		if (m->changes && (d->mode == DMR_MODE_RO || d->mode == DMR_MODE_TAKEN))
			return -EROFS;
		return m->run(d, argc - 1, argv + 1, result, maxlen);
	}
	DMERR("unknown message %s", argv[0]);
	return -EINVAL;
}
