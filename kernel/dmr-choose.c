// SPDX-License-Identifier: GPL-2.0-only
/*
 * All slots of a setup beside each other: whose copies they are, which
 * generation wins, which spare went on without the others, and what every place
 * holds (FORMAT.md section 5). Works on judgements alone: no image is looked at
 * here.
 *
 * The toolkit's dmremap-fsck decides the same in src/core (identity.ts,
 * choose.ts, seats.ts, setup.ts), and a test holds the two together; but where
 * it goes on to salvage, this refuses.
 */
#include "dmr-format.h"

static bool same_uuid(const u8 *a, const u8 *b)
{
	return !memcmp(a, b, 16);
}

/* Evidence of a generation of this setup, wherever it lies. */
static bool of_setup(const struct dmr_judgement *j, const u8 *setup_uuid)
{
	return dmr_is_evidence(j) && same_uuid(j->h.setup_uuid, setup_uuid);
}

/* The first refusal is the one that is told. */
static void refuse(struct dmr_choice *c, enum dmr_refusal refusal, int spare, int copy,
		   const char *why)
{
	if (c->refusal != DMR_OK)
		return;
	c->refusal = refusal;
	c->why = why;
	c->at_spare = spare;
	c->at_copy = copy;
}

/* -- which setup ------------------------------------------------------------------ */

enum belonging { BELONGS_TO_NONE, BELONGS_TO_ONE, BELONGS_TO_SEVERAL };

/*
 * The setup of one spare's copies: the one asked for, else the one with more
 * valid copies, else with more intact headers.
 */
static enum belonging belongs_to(const struct dmr_judgement *j, const u8 *asked,
				 const u8 **setup)
{
	u32 best_valid = 0, best_good = 0, leaders = 0;
	u32 i, k;

	*setup = NULL;
	for (i = 0; i < DMR_COPIES; i++) {
		u32 valid = 0, good = 0;
		bool seen = false;

		if (!dmr_is_evidence(&j[i]))
			continue;
		if (asked && same_uuid(j[i].h.setup_uuid, asked)) {
			*setup = asked;
			return BELONGS_TO_ONE;
		}
		for (k = 0; k < DMR_COPIES; k++) {
			if (!of_setup(&j[k], j[i].h.setup_uuid))
				continue;
			if (k < i)
				seen = true;
			good++;
			if (j[k].valid)
				valid++;
		}
		if (seen)
			continue;
		/* Intact headers count where no copy is valid, and only there. */
		if (valid)
			good = 0;
		if (!leaders || valid > best_valid ||
		    (valid == best_valid && good > best_good)) {
			best_valid = valid;
			best_good = good;
			leaders = 0;
			*setup = j[i].h.setup_uuid;
		}
		if (valid == best_valid && good == best_good)
			leaders++;
	}
	if (!*setup)
		return BELONGS_TO_NONE;
	return leaders == 1 ? BELONGS_TO_ONE : BELONGS_TO_SEVERAL;
}

/* Finds the setup that all spares belong to. False: there is none. */
static bool find_setup(const struct dmr_places *p, struct dmr_choice *c)
{
	const u8 *asked = p->has_setup ? p->setup_uuid : NULL;
	const u8 *setup = NULL;
	unsigned int i;

	for (i = 0; i < p->spares; i++) {
		const u8 *own;
		enum belonging belonging;

		if (!p->present[i])
			continue;
		belonging = belongs_to(p->j[i], asked, &own);
		if (belonging == BELONGS_TO_NONE)
			continue;
		if (asked && own != asked) {
			refuse(c, DMR_OTHER_SETUP, i, -1, "it belongs to another setup");
		} else if (belonging == BELONGS_TO_SEVERAL) {
			refuse(c, DMR_TWO_SETUPS, i, -1,
			       "it carries copies of two setups, and could be of either");
		} else if (setup && !same_uuid(setup, own)) {
			refuse(c, DMR_TWO_SETUPS, i, -1,
			       "it belongs to another setup than the spares before it");
		} else {
			setup = own;
		}
	}
	if (!setup) {
		refuse(c, DMR_NOTHING, -1, -1, "no spare has an intact header");
		return false;
	}
	memcpy(c->setup_uuid, setup, sizeof(c->setup_uuid));
	return true;
}

/* -- which spare ------------------------------------------------------------------ */

struct vote {
	const struct dmr_header *h;
	u32 valid;
	u32 good;
};

/*
 * What the copies in their own slots say which spare this is; those with the
 * most votes come back.
 */
static u32 leading_votes(const struct dmr_judgement *j, const u8 *setup_uuid,
			 struct vote leaders[DMR_COPIES])
{
	struct vote votes[DMR_COPIES];
	u32 count = 0, led = 0;
	u32 best = 0;
	u32 i, k;

	for (i = 0; i < DMR_COPIES; i++) {
		/* A copy in the wrong slot is no witness of what the device is. */
		if (!of_setup(&j[i], setup_uuid) || j[i].h.copy_index != i ||
		    j[i].h.spare_index >= DMR_MAX_SPARES)
			continue;
		for (k = 0; k < count; k++)
			if (votes[k].h->spare_index == j[i].h.spare_index &&
			    same_uuid(votes[k].h->spare_uuid, j[i].h.spare_uuid))
				break;
		if (k == count)
			votes[count++] = (struct vote){ .h = &j[i].h };
		votes[k].good++;
		if (j[i].valid)
			votes[k].valid++;
	}
	for (k = 1; k < count; k++)
		if (votes[k].valid > votes[best].valid ||
		    (votes[k].valid == votes[best].valid && votes[k].good > votes[best].good))
			best = k;
	for (k = 0; k < count; k++)
		if (votes[k].valid == votes[best].valid && votes[k].good == votes[best].good)
			leaders[led++] = votes[k];
	return led;
}

/* True if the copies of some spare say without doubt that it has this uuid. */
static bool is_taken(const struct dmr_places *p, const u8 *setup_uuid, const u8 *uuid)
{
	struct vote leaders[DMR_COPIES];
	unsigned int i;

	for (i = 0; i < p->spares; i++)
		if (p->present[i] && leading_votes(p->j[i], setup_uuid, leaders) == 1 &&
		    same_uuid(leaders[0].h->spare_uuid, uuid))
			return true;
	return false;
}

/*
 * Which spare is it? A tie is broken by the others: what another is without
 * doubt, this one is not. What remains tied stays undecided: nothing is
 * guessed.
 */
static void identify(const struct dmr_places *p, const u8 *setup_uuid, unsigned int spare,
		     struct dmr_identity *identity)
{
	struct vote leaders[DMR_COPIES];
	u32 count = leading_votes(p->j[spare], setup_uuid, leaders);
	const struct dmr_header *only = NULL;
	u32 open = 0;
	u32 k;

	for (k = 0; k < count; k++) {
		if (count > 1 && is_taken(p, setup_uuid, leaders[k].h->spare_uuid))
			continue;
		only = leaders[k].h;
		open++;
	}
	identity->known = open == 1;
	identity->tied = !identity->known && count > 1;
	if (!identity->known)
		return;
	identity->index = only->spare_index;
	memcpy(identity->uuid, only->spare_uuid, sizeof(identity->uuid));
}

/*
 * What damaged headers still show (magic there, checksum not), if all that show
 * something agree: enough for the seat of the spare whose uuid it is, never to
 * win or to count.
 */
static const struct dmr_header *damaged_identity(const struct dmr_judgement *j)
{
	const struct dmr_header *found = NULL;
	u32 i;

	for (i = 0; i < DMR_COPIES; i++) {
		const struct dmr_header *h = &j[i].h;

		if (j[i].state != DMR_HEADER_BAD || h->spare_index >= DMR_MAX_SPARES)
			continue;
		if (found && (found->spare_index != h->spare_index ||
			      !same_uuid(found->spare_uuid, h->spare_uuid) ||
			      !same_uuid(found->setup_uuid, h->setup_uuid)))
			return NULL;
		found = h;
	}
	return found;
}

/* -- who wins --------------------------------------------------------------------- */

static bool in_place(const struct dmr_header *h, const struct dmr_identity *identity, u32 copy)
{
	return identity->known && h->copy_index == copy && h->spare_index == identity->index &&
	       same_uuid(h->spare_uuid, identity->uuid);
}

/* A valid copy of the setup in its own place. */
static bool contends(const struct dmr_places *p, const struct dmr_choice *c, unsigned int spare,
		     u32 copy)
{
	const struct dmr_judgement *j = &p->j[spare][copy];

	return p->present[spare] && j->valid && of_setup(j, c->setup_uuid) &&
	       in_place(&j->h, &c->identity[spare], copy);
}

/*
 * Highest sequence, then highest written_ns, then lowest spare_index, then
 * lowest copy_index.
 */
static bool beats(const struct dmr_header *a, const struct dmr_header *b)
{
	if (a->sequence != b->sequence)
		return a->sequence > b->sequence;
	if (a->written_ns != b->written_ns)
		return a->written_ns > b->written_ns;
	if (a->spare_index != b->spare_index)
		return a->spare_index < b->spare_index;
	return a->copy_index < b->copy_index;
}

static bool same_generation(const struct dmr_judgement *a, const struct dmr_judgement *b)
{
	return dmr_same_header(&a->h, &b->h) && a->print == b->print;
}

static void look_for_evidence(const struct dmr_places *p, struct dmr_choice *c)
{
	unsigned int i;
	u32 k;

	for (i = 0; i < p->spares; i++) {
		if (!p->present[i])
			continue;
		for (k = 0; k < DMR_COPIES; k++) {
			const struct dmr_judgement *j = &p->j[i][k];

			if (!of_setup(j, c->setup_uuid))
				c->doubtful = true;
			else if (j->h.sequence > c->shown[i])
				c->shown[i] = j->h.sequence;
		}
		if (c->shown[i] > c->highest)
			c->highest = c->shown[i];
	}
	c->exhausted = c->highest == DMR_SEQUENCE_LIMIT - 1;
}

/*
 * The newest headers: do they all belong to the generation that wins? Older
 * ones are of no interest here.
 */
static void hold_newest(const struct dmr_places *p, struct dmr_choice *c)
{
	const char *lost = "it shows a generation of which no whole copy was found";
	int lost_spare = -1, lost_copy = -1;
	unsigned int i;
	u32 k;

	for (i = 0; i < p->spares; i++) {
		if (!p->present[i])
			continue;
		for (k = 0; k < DMR_COPIES; k++) {
			const struct dmr_judgement *j = &p->j[i][k];

			if (!of_setup(j, c->setup_uuid) || j->h.sequence != c->highest)
				continue;
			if (j->state == DMR_HEADER_UNKNOWN)
				refuse(c, DMR_UNKNOWN_VERSION, i, k, j->why);
			if (lost_spare < 0) {
				lost_spare = i;
				lost_copy = k;
			}
		}
	}
	if (c->highest > c->sequence)
		refuse(c, DMR_NEWER_LOST, lost_spare, lost_copy, lost);
	for (i = 0; i < p->spares; i++)
		for (k = 0; k < DMR_COPIES; k++)
			if (contends(p, c, i, k) && p->j[i][k].h.sequence == c->sequence &&
			    !same_generation(&p->j[i][k], &p->j[c->spare][c->copy]))
				refuse(c, DMR_SPLIT, i, k,
				       "it is of the winner's sequence, with other contents");
}

void dmr_choose_winner(const struct dmr_places *p, struct dmr_choice *c)
{
	const struct dmr_header *best = NULL;
	unsigned int i;
	u32 k;

	memset(c, 0, sizeof(*c));
	c->at_spare = -1;
	c->at_copy = -1;
	c->spare = -1;
	c->copy = -1;
	c->doubtful = true;
	if (!find_setup(p, c))
		return;
	c->doubtful = false;
	look_for_evidence(p, c);
	for (i = 0; i < p->spares; i++) {
		if (!p->present[i])
			continue;
		identify(p, c->setup_uuid, i, &c->identity[i]);
		if (c->identity[i].tied)
			refuse(c, DMR_WRONG_SPARE, i, -1,
			       "its copies do not agree which spare it is");
		else if (c->identity[i].known && c->identity[i].index != i)
			refuse(c, DMR_WRONG_SPARE, i, -1, "it is another spare of the setup");
	}
	for (i = 0; i < p->spares; i++) {
		for (k = 0; k < DMR_COPIES; k++) {
			const struct dmr_header *h = &p->j[i][k].h;

			if (!contends(p, c, i, k) || (best && !beats(h, best)))
				continue;
			best = h;
			c->spare = i;
			c->copy = k;
		}
	}
	if (best) {
		c->sequence = best->sequence;
		c->ro_compat = best->ro_compat != 0;
	}
	hold_newest(p, c);
}

/* -- how the others stand to the winner ------------------------------------------- */

/*
 * Consistent is a spare of which every intact header is one that the winner
 * knows of: from before last_run included it, or by last_run and not above
 * last_sequence.
 */
static bool has_diverged(const struct dmr_judgement *j, const struct dmr_disk_device *d,
			 const u8 *setup_uuid)
{
	u32 k;

	for (k = 0; k < DMR_COPIES; k++) {
		const struct dmr_header *h = &j[k].h;

		if (!of_setup(&j[k], setup_uuid) || h->sequence <= le64_to_cpu(d->base_sequence))
			continue;
		if (h->run_id != le64_to_cpu(d->last_run) ||
		    h->sequence > le64_to_cpu(d->last_sequence))
			return true;
	}
	return false;
}

/* Takes a seat for a spare that does not know (any more) which one it is. */
static void seat_damaged(const struct dmr_places *p, const struct dmr_disk_device *d,
			 struct dmr_choice *c, unsigned int spare)
{
	const struct dmr_header *shown = damaged_identity(p->j[spare]);
	struct dmr_identity *identity = &c->identity[spare];

	if (!shown || shown->spare_index != spare ||
	    !same_uuid(shown->spare_uuid, d->device_uuid) ||
	    !same_uuid(shown->setup_uuid, c->setup_uuid)) {
		refuse(c, DMR_BLANK_SPARE, spare, -1, "it shows no sign that it is of the setup");
		return;
	}
	identity->known = true;
	identity->index = spare;
	memcpy(identity->uuid, shown->spare_uuid, sizeof(identity->uuid));
}

static void judge_standing(const struct dmr_places *p, const struct dmr_disk_device *d,
			   struct dmr_choice *c, unsigned int spare)
{
	struct dmr_identity *identity = &c->identity[spare];
	bool retired = le16_to_cpu(d->flags) & DMR_DEVICE_RETIRED;

	c->standing[spare] = retired ? DMR_SPARE_RETIRED : DMR_SPARE_ABSENT;
	if (!p->present[spare]) {
		if (!retired)
			c->doubtful = true;
		return;
	}
	if (!identity->known)
		seat_damaged(p, d, c, spare);
	else if (identity->index != spare || !same_uuid(identity->uuid, d->device_uuid))
		refuse(c, DMR_WRONG_SPARE, spare, -1, "it is no spare of the setup any more");
	if (!identity->known || identity->index != spare ||
	    !same_uuid(identity->uuid, d->device_uuid)) {
		/* Nobody sits here. */
		if (!retired)
			c->doubtful = true;
		return;
	}
	/*
	 * A retired spare too: others may have retired it while it went on and
	 * acknowledged writes.
	 */
	if (has_diverged(p->j[spare], d, c->setup_uuid)) {
		c->standing[spare] = DMR_SPARE_DIVERGED;
		refuse(c, DMR_SPLIT, spare, -1, "it went on without the other spares");
	} else if (!retired) {
		c->standing[spare] = le64_to_cpu(d->last_sequence) < c->sequence ?
					     DMR_SPARE_BEHIND : DMR_SPARE_CURRENT;
	}
}

static enum dmr_copy_state state_of(const struct dmr_places *p, const struct dmr_choice *c,
				    unsigned int spare, u32 copy)
{
	const struct dmr_judgement *j = &p->j[spare][copy];

	if (j->state == DMR_HEADER_UNREAD)
		return DMR_COPY_UNREAD;
	if (j->state < DMR_HEADER_UNKNOWN)
		return DMR_COPY_BAD;
	if (j->state == DMR_HEADER_UNKNOWN)
		return DMR_COPY_UNKNOWN;
	if (!same_uuid(j->h.setup_uuid, c->setup_uuid))
		return DMR_COPY_FOREIGN;
	if (!in_place(&j->h, &c->identity[spare], copy))
		return DMR_COPY_MISPLACED;
	if (!j->valid)
		return j->cut ? DMR_COPY_UNREAD : DMR_COPY_BAD;
	if (same_generation(j, &p->j[c->spare][c->copy]))
		return DMR_COPY_WHOLE;
	if (c->standing[spare] == DMR_SPARE_DIVERGED || j->h.sequence == c->sequence)
		return DMR_COPY_RIVAL;
	return DMR_COPY_STALE;
}

void dmr_choose_finish(const struct dmr_places *p, const struct dmr_disk_device *devices,
		       struct dmr_choice *c)
{
	u32 spares, i, k;

	if (c->spare < 0)
		return;
	spares = p->j[c->spare][c->copy].h.spare_count;
	if (spares != p->spares)
		refuse(c, DMR_SPARE_COUNT, -1, -1,
		       spares > p->spares ? "the setup has more spares than the table" :
					    "the setup has fewer spares than the table");
	/*
	 * Both are at most DMR_MAX_SPARES: the one was judged, the other is the
	 * caller's.
	 */
	for (i = 0; i < p->spares; i++) {
		if (i < spares)
			judge_standing(p, &devices[1 + i], c, i);
		for (k = 0; k < DMR_COPIES; k++)
			c->copy_state[i][k] = p->present[i] ? state_of(p, c, i, k) :
							      DMR_COPY_NONE;
	}
	for (; i < spares; i++) {
		bool retired = le16_to_cpu(devices[1 + i].flags) & DMR_DEVICE_RETIRED;

		c->standing[i] = retired ? DMR_SPARE_RETIRED : DMR_SPARE_ABSENT;
		if (!retired)
			c->doubtful = true;
	}
}

u64 dmr_next_sequence(const struct dmr_choice *c)
{
	u64 next = c->highest + (c->doubtful ? 2 : 1);

	return next < DMR_SEQUENCE_LIMIT ? next : 0;
}

const char *dmr_refusal_name(enum dmr_refusal refusal)
{
	switch (refusal) {
	case DMR_OK:
		return "no refusal";
	case DMR_NOTHING:
		return "no metadata";
	case DMR_OTHER_SETUP:
		return "another setup";
	case DMR_TWO_SETUPS:
		return "two setups";
	case DMR_WRONG_SPARE:
		return "a wrong spare";
	case DMR_UNKNOWN_VERSION:
		return "a newer version";
	case DMR_NEWER_LOST:
		return "a newer generation is lost";
	case DMR_SPARE_COUNT:
		return "another number of spares";
	case DMR_BLANK_SPARE:
		return "a blank spare";
	case DMR_SPLIT:
		return "a split";
	}
	return "unknown";
}
