// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: what happened goes into the ring of the next generation, what a draft is
 * about to make true only if it does.
 */
#include "dmr-core.h"

/* To be told once the draft is durable. */
void dmr_draft_tale(struct dmr_device *d, u16 kind, u64 sector, u32 length, u32 value)
{
	if (d->draft.tales < ARRAY_SIZE(d->draft.tale))
		d->draft.tale[d->draft.tales++] = (struct dmr_tale) {
			.time_ns = ktime_get_real_ns(), .kind = kind,
			.sector = sector, .length = length, .value = value,
		};
}

/* While a generation is written its ring is fixed: what happens then comes after it. */
void dmr_event(struct dmr_device *d, u16 kind, u16 device, u64 sector, u32 length, u32 value)
{
	u64 now = ktime_get_real_ns();

	d->news = true;
	if (!d->committing)
		dmr_add_event(d->gen, now, kind, device, sector, length, value);
	else if (d->lates < ARRAY_SIZE(d->late))
		d->late[d->lates++] = (struct dmr_tale) {
			.time_ns = now, .kind = kind, .device = device,
			.sector = sector, .length = length, .value = value,
		};
}

static void dmr_tell(struct dmr_device *d, const struct dmr_tale *tale, unsigned int n)
{
	for (; n--; tale++)
		dmr_add_event(d->gen, tale->time_ns, tale->kind, tale->device, tale->sector,
			      tale->length, tale->value);
}

/* From here to dmr_end_telling() the ring is what the new generation says. */
void dmr_begin_telling(struct dmr_device *d)
{
	memcpy(d->events, d->gen->events, sizeof(d->events));
	d->event_count = d->gen->event_count;
	if (d->change) {
		dmr_tell(d, d->draft.tale, d->draft.tales);
		d->news = true;
	}
	d->lates = 0;
	d->committing = true;
}

/* What the draft told is taken back if it is not true; what happened on the way did happen. */
void dmr_end_telling(struct dmr_device *d, bool failed)
{
	d->committing = false;
	if (failed) {
		memcpy(d->gen->events, d->events, sizeof(d->events));
		d->gen->event_count = d->event_count;
	}
	dmr_tell(d, d->late, d->lates);
}
