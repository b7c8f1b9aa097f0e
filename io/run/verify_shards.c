/* Checks that the parts of a shard join. */
#include "io/run/record.h"
#include "io/run/verification.h"

/* Notes that an unfinished run's shard lacks blocks from this one on. That is no damage, and is reported once
 * for all shards. */
static void shard_is_open(struct verification *verification, int32_t shard, int32_t block) {
  if (verification->open_shards > 0 && verification->last_open == shard) return;
  if (verification->open_shards++ == 0) {
    verification->first_open = shard;
    verification->first_open_block = block;
  }
  verification->last_open = shard;
}

/* Reports that parts first … last of a shard have no record. */
static void gap_report(struct verification *verification, int32_t shard, int32_t first, int32_t last) {
  if (verification->unfinished) {
    shard_is_open(verification, shard, first);
    return;
  }
  record_report(verification, FINDING_MISSING, REPAIR_RESUME, shard, first,
                "blocks %d to %d of shard %d (%s) are not committed", first, last, shard,
                verification->shards.shard[shard].path);
}

/* Reports that parts `first` to `last` are not in the table. Parts that cannot be read have been reported
 * already. */
static void absent_report(struct verification *verification, int32_t shard, int32_t first, int32_t last) {
  const struct key_list *unread = &verification->unread;
  int32_t gap = first;
  for (int64_t i = 0; i < unread->count; i++) {
    const int32_t block = part_key_block(unread->key[i]);
    if (part_key_shard(unread->key[i]) != shard || block < gap || block > last) continue;
    if (block > gap) gap_report(verification, shard, gap, block - 1);
    gap = block + 1;
  }
  if (gap <= last) gap_report(verification, shard, gap, last);
}

/* A part must begin at the end of the part before it, or at the shard's start. Of an incomplete part neither
 * border is judged: if the shard changed, they may be of another text, and the part is done again anyway. */
static void border_check(struct verification *verification, const struct part *before,
                         const struct part *part) {
  const struct block_border *border = &part->border;
  int64_t line, offset;
  if (!border->incomplete && !(before && before->border.incomplete) &&
      !part_joins(before, part, &line, &offset))
    record_report(verification, FINDING_DAMAGED, REPAIR_RECORD, border->shard, border->index,
                  "it begins at line %lld, byte %lld; expected line %lld, byte %lld",
                  (long long)border->first_line, (long long)border->first_offset, (long long)line,
                  (long long)offset);
  if (border->incomplete)
    record_report(verification, FINDING_INCOMPLETE, REPAIR_RESUME, border->shard, border->index,
                  "shard %d (%s) was damaged here: repair it and start the run again", border->shard,
                  verification->shards.shard[border->shard].path);
}

/* A plain shard's last part must end at the shard's end. */
static void end_check(struct verification *verification, const struct part *last) {
  const struct shard *shard = &verification->shards.shard[last->border.shard];
  struct error error;
  bool plain;
  if (last->border.next_offset == shard->size) return;
  if (!shard_is_plain(shard, &plain, &error)) {
    record_report(verification, FINDING_UNJUDGED, REPAIR_READ, last->border.shard, last->border.index,
                  "whether it ends its shard is not known: %s", error.message);
    return;
  }
  if (plain)
    record_report(verification, FINDING_DAMAGED, REPAIR_RECORD, last->border.shard, last->border.index,
                  "it ends shard %d (%s) at byte %lld, but the shard has %lld bytes", last->border.shard,
                  shard->path, (long long)last->border.next_offset, (long long)shard->size);
}

/* Two parts say that the shard ends with them. Which of them is right, only the shard can tell: both are done
 * again. */
static void ends_report(struct verification *verification, const struct part *first,
                        const struct part *second) {
  const struct part *const both[] = {first, second};
  for (int i = 0; i < 2; i++) {
    const struct block_border *border = &both[i]->border, *other = &both[1 - i]->border;
    record_report(verification, FINDING_DAMAGED, REPAIR_RECORD, border->shard, border->index,
                  "it ends shard %d (%s) at byte %lld, and so does part %d at byte %lld", border->shard,
                  verification->shards.shard[border->shard].path, (long long)border->next_offset,
                  other->index, (long long)other->next_offset);
  }
}

/* Parts after the one that ends the shard: an earlier reading of a longer shard may have left them. */
static void beyond_report(struct verification *verification, const struct shard_parts *list) {
  const int32_t end = part_table_place(list, list->blocks);
  for (int32_t p = end; p < list->count; p++) {
    const struct part *part = list->part[p];
    if (part->border.end_of_shard && end > 0)
      ends_report(verification, list->part[end - 1], part);
    else
      record_report(verification, FINDING_FOREIGN, REPAIR_RESUME, part->border.shard, part->border.index,
                    "the shard's last part is %d", list->blocks - 1);
  }
}

/* Checks the end of a shard's parts. */
static void shard_check_end(struct verification *verification, int32_t shard) {
  const struct shard_parts *list = &verification->parts.shard[shard];
  const struct part *last = part_table_last(&verification->parts, shard);
  const int32_t next = last ? last->border.index + 1 : 0;
  if (list->blocks < 0) {
    if ((last && last->border.incomplete) || part_is_unread(verification, shard, next)) return;
    if (verification->unfinished) {
      shard_is_open(verification, shard, next);
      return;
    }
    record_report(verification, FINDING_MISSING, REPAIR_RESUME, shard, next, "shard %d (%s) has %s", shard,
                  verification->shards.shard[shard].path,
                  last ? "no last part: its blocks from here on are not committed" : "no committed block");
    return;
  }
  beyond_report(verification, list);
}

void shard_check(struct verification *verification, int32_t shard) {
  const struct shard_parts *list = &verification->parts.shard[shard];
  const int32_t count = list->blocks >= 0 ? part_table_place(list, list->blocks) : list->count;
  int32_t next = 0; /* next expected block */
  for (int32_t p = 0; p < count; p++) {
    const struct part *part = list->part[p];
    const int32_t block = part->border.index;
    if (block > next) absent_report(verification, shard, next, block - 1);
    if (block == next) border_check(verification, p == 0 ? NULL : list->part[p - 1], part);
    if (part->border.end_of_shard) end_check(verification, part);
    next = block + 1;
  }
  shard_check_end(verification, shard);
}
