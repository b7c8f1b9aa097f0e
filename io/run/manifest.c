#include "io/run/manifest.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "io/file_writer.h"
#include "io/json_parse.h"
#include "io/look.h"
#include "io/run/fields.h"
#include "io/run/record.h"

#define MANIFEST_BYTES_MAX (1ll << 31) /* fifty million parts; a stray file cannot fill the memory */

/* Keys that the writer and the reader share. identity.c has the identity's keys, totals.c the totals'. */
#define KEY_FORMAT "format"
#define KEY_VERSION "nina"
#define KEY_STATE "state"
#define KEY_SHARDS "shards"
#define KEY_PATH "path"
#define KEY_SIZE "size"
#define KEY_FINGERPRINT "fingerprint"
#define KEY_TOTALS "totals"
#define KEY_PARTS "parts"

static const char *const states[] = {
    [MANIFEST_RUNNING] = "running", [MANIFEST_COMPLETE] = "complete", [MANIFEST_INCOMPLETE] = "incomplete"};
#define STATES (sizeof states / sizeof *states)

const char *manifest_state_name(enum manifest_state state) {
  return states[state];
}

static void shards_write(const struct shard_list *list, struct json_text *json) {
  json_text_open(json, KEY_SHARDS, '[', JSON_HANGING);
  for (int32_t i = 0; i < list->count; i++) {
    json_text_open(json, NULL, '{', JSON_ON_ONE_LINE);
    json_text_string(json, KEY_PATH, list->shard[i].path);
    json_text_integer(json, KEY_SIZE, list->shard[i].size);
    json_text_string(json, KEY_FINGERPRINT, list->shard[i].fingerprint);
    json_text_close(json, '}');
  }
  json_text_close(json, ']');
}

static void parts_write(const struct manifest *manifest, struct json_text *json) {
  json_text_open(json, KEY_PARTS, '[', JSON_HANGING);
  for (int64_t i = 0; i < manifest->part_count; i++) {
    const struct manifest_part *part = &manifest->parts[i];
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%05ld-%05ld", (long)part->shard, (long)part->block);
    json_text_open(json, NULL, '[', JSON_ON_ONE_LINE);
    json_text_string(json, NULL, numbers);
    json_text_integer(json, NULL, part->rows);
    json_text_close(json, ']');
  }
  json_text_close(json, ']');
}

bool manifest_print(const struct manifest *manifest, char **text, size_t *size, struct error *error) {
  struct json_text json = {0};
  json_text_open(&json, NULL, '{', JSON_BLOCK);
  json_text_integer(&json, KEY_FORMAT, RUN_FORMAT);
  json_text_string(&json, KEY_VERSION, manifest->version);
  json_text_string(&json, KEY_STATE, states[manifest->state]);
  run_identity_write(&manifest->identity, &json);
  shards_write(&manifest->shards, &json);
  if (manifest->finished) {
    json_text_open(&json, KEY_TOTALS, '{', JSON_HANGING);
    fields_write(&totals_fields, &manifest->totals, &json);
    json_text_close(&json, '}');
    parts_write(manifest, &json);
  }
  json_text_close(&json, '}');
  text_append(&json.text, "\n", 2); /* and a NUL */
  const bool ok = json_text_check(&json, "the manifest", error);
  if (ok) {
    *text = json.text.bytes;
    *size = json.text.size - 1;
  } else {
    json_text_free(&json);
  }
  return ok;
}

/* ERROR_USAGE with the path if a path cannot stand in JSON. */
static bool paths_check(const struct shard_list *list, struct error *error) {
  for (int32_t i = 0; i < list->count; i++)
    if (!json_text_can_hold(list->shard[i].path))
      return error_set(error, ERROR_USAGE, "shard %d (%s): its path is not valid UTF-8: rename it", i,
                       list->shard[i].path);
  return true;
}

bool manifest_write(const char *job, const char *out, const struct manifest *manifest, struct error *error) {
  bool ok = false;
  size_t size = 0;
  char *text = NULL, *path = NULL;
  struct file_writer file = {.descriptor = -1};
  if (!paths_check(&manifest->shards, error) || !manifest_print(manifest, &text, &size, error)) goto out;
  path = file_join(out, MANIFEST_NAME);
  if (!path) {
    error_set_memory(error, PATH_MAX, "a path");
    goto out;
  }
  if (!file_writer_open_in(&file, job, path, error)) goto out;
  if (!file_writer_write(&file, text, size, error)) goto out;
  ok = file_writer_commit(&file, NULL, error) && file_sync_folder(out, error);
out:
  file_writer_abandon(&file);
  free(text);
  free(path);
  return ok;
}

static bool shard_read(const json_t *entry, size_t i, struct shard_list *list, struct error *error) {
  const char *path = json_string_value(json_object_get(entry, KEY_PATH));
  const char *fingerprint = json_string_value(json_object_get(entry, KEY_FINGERPRINT));
  const json_t *size = json_object_get(entry, KEY_SIZE);
  struct shard shard = {.path = (char *)path, .size = json_integer_value(size)};
  if (!path || !json_is_integer(size) || !fingerprint || strlen(fingerprint) >= sizeof shard.fingerprint)
    return error_set(error, ERROR_INPUT, "shard %zu has no path, size or fingerprint", i);
  strcpy(shard.fingerprint, fingerprint);
  return shard_list_add(list, &shard, error);
}

/* Reads one ["SSSSS-BBBBB", rows]. */
static bool part_read(const json_t *entry, struct manifest_part *part) {
  const char *numbers = json_string_value(json_array_get(entry, 0));
  const json_t *rows = json_array_get(entry, 1);
  long shard, block;
  int length = 0;
  if (!numbers || numbers[strspn(numbers, "0123456789-")] != '\0') return false;
  if (sscanf(numbers, "%10ld-%10ld%n", &shard, &block, &length) != 2 || numbers[length] != '\0') return false;
  if (shard < 0 || shard > INT32_MAX || block < 0 || block > INT32_MAX) return false;
  *part = (struct manifest_part){(int32_t)shard, (int32_t)block, json_integer_value(rows)};
  return json_is_integer(rows) && part->rows >= 0 && part->rows <= FIELD_COUNT_MAX;
}

static bool parts_read(const json_t *list, struct manifest *manifest, struct error *error) {
  const size_t count = json_array_size(list);
  size_t i;
  json_t *entry;
  manifest->parts = calloc(count + 1, sizeof *manifest->parts);
  if (!manifest->parts) return error_set_memory(error, count * sizeof *manifest->parts, "the list of parts");
  json_array_foreach(list, i, entry) {
    if (!part_read(entry, &manifest->parts[i]))
      return error_set(error, ERROR_INPUT, "entry %zu of parts is not [\"SSSSS-BBBBB\", rows]", i);
    manifest->part_count++;
  }
  return true;
}

static bool head_read(const json_t *json, struct manifest *manifest, struct error *error) {
  const json_t *format = json_object_get(json, KEY_FORMAT);
  const char *version = json_string_value(json_object_get(json, KEY_VERSION));
  const char *state = json_string_value(json_object_get(json, KEY_STATE));
  if (!json_is_integer(format)) return error_set(error, ERROR_INPUT, "it has no format");
  if (json_integer_value(format) > RUN_FORMAT)
    return error_set(error, ERROR_INPUT, "a newer version of this program wrote it: use that one");
  if (json_integer_value(format) < RUN_FORMAT) return error_set(error, ERROR_INPUT, "its format is unknown");
  if (!version || !state) return error_set(error, ERROR_INPUT, "nina or state is missing");
  while (manifest->state < STATES && strcmp(states[manifest->state], state) != 0) manifest->state++;
  if (manifest->state == STATES)
    return error_set(error, ERROR_INPUT, "its state \"%.40s\" is unknown", state);
  manifest->version = strdup(version);
  return manifest->version || error_set_memory(error, strlen(version), "a version");
}

static bool json_read(const json_t *json, struct manifest *manifest, struct error *error) {
  const json_t *shards = json_object_get(json, KEY_SHARDS), *totals = json_object_get(json, KEY_TOTALS);
  const json_t *parts = json_object_get(json, KEY_PARTS);
  size_t i;
  json_t *entry;
  if (!head_read(json, manifest, error) || !run_identity_read(json, &manifest->identity, error)) return false;
  if (!json_is_array(shards)) return error_set(error, ERROR_INPUT, "shards is missing");
  json_array_foreach(shards, i, entry) if (!shard_read(entry, i, &manifest->shards, error)) return false;
  if (!totals && !parts) return true;
  if (!json_is_object(totals) || !json_is_array(parts))
    return error_set(error, ERROR_INPUT, "totals or parts is missing, or is none");
  manifest->finished = true;
  return fields_read(&totals_fields, KEY_TOTALS ".", false, totals, &manifest->totals, error) &&
         parts_read(parts, manifest, error);
}

void manifest_free(struct manifest *manifest) {
  if (!manifest) return;
  run_identity_free(&manifest->identity);
  shard_list_free(&manifest->shards);
  free(manifest->parts);
  free(manifest->version);
  free(manifest);
}

bool manifest_lists(const struct manifest *manifest, const struct part_table *table, struct error *error) {
  int64_t i = 0;
  for (int32_t shard = 0; shard < table->shard_count; shard++)
    for (int32_t p = 0; p < table->shard[shard].count; p++, i++) {
      const struct part *part = table->shard[shard].part[p];
      const struct manifest_part *listed = i < manifest->part_count ? &manifest->parts[i] : NULL;
      if (!listed || listed->shard != shard || listed->block != part->border.index ||
          listed->rows != part->sums.rows)
        return error_set(error, ERROR_INPUT,
                         KEY_PARTS ": entry %lld is not that of shard %d, block %d, with %lld rows",
                         (long long)i, shard, part->border.index, (long long)part->sums.rows);
    }
  return i == manifest->part_count ||
         error_set(error, ERROR_INPUT, KEY_PARTS ": it lists %lld, but there are %lld records",
                   (long long)manifest->part_count, (long long)i);
}

bool manifest_parse(const char *text, size_t size, struct manifest **manifest, struct error *error) {
  json_error_t problem;
  *manifest = NULL;
  json_t *json = json_parse(text, size, JSON_REJECT_DUPLICATES, &problem);
  struct manifest *read = json ? calloc(1, sizeof *read) : NULL;
  bool ok = read != NULL;
  if (!json && json_error_code(&problem) != json_error_out_of_memory)
    error_set(error, ERROR_INPUT, "%s (if it is torn, the same nina embed with --overwrite starts anew)",
              problem.text);
  else if (!ok)
    error_set_memory(error, size, "the manifest");
  ok = ok && json_read(json, read, error);
  json_decref(json);
  if (ok)
    *manifest = read;
  else
    manifest_free(read);
  return ok;
}

bool manifest_read(const char *out, struct manifest **manifest, struct error *error) {
  char *text = NULL, *path = file_join(out, MANIFEST_NAME);
  size_t size;
  *manifest = NULL;
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  struct look look;
  bool ok = look_at(path, &look, error) && look.kind == LOOK_NOTHING;
  if (!ok && look.kind != LOOK_NOTHING && file_read(path, MANIFEST_BYTES_MAX, &text, &size, error)) {
    ok = manifest_parse(text, size, manifest, error);
    if (!ok && error->code == ERROR_INPUT)
      error_prefix(error, "%s is not a manifest that this program reads", path);
  }
  free(text);
  free(path);
  return ok;
}

bool manifest_stamp(const char *out, struct file_stamp *stamp, struct error *error) {
  char *path = file_join(out, MANIFEST_NAME);
  const bool ok = path ? file_stamp_read(path, stamp, error) : error_set_memory(error, PATH_MAX, "a path");
  free(path);
  return ok;
}

bool manifest_read_run(const char *out, struct manifest **manifest, struct error *error) {
  *manifest = NULL;
  if (!file_check_folder(out, error) || !layout_check_links(out, error) ||
      !manifest_read(out, manifest, error))
    return false;
  return *manifest ||
         error_set(error, ERROR_INPUT,
                   "%s has no " MANIFEST_NAME
                   ": it is not the output of a run (if it was, the same nina embed with --overwrite starts "
                   "anew)",
                   out);
}

/* A setting is named by its option, so the user knows what to change. */
static void setting_name(struct text *text, const char *path) {
  static const char *const options[][2] = {{"compute_class.encoder", "--device"},
                                           {"compute_class.precision", "--precision"},
                                           {"compute_class.batch_tokens", "--batch-tokens"},
                                           {"compute_class.gemm_tuning", "--gemm-tuning"}};
  static const char settings[] = "settings.";
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (strcmp(path, options[i][0]) == 0) path = options[i][1];
  if (strncmp(path, settings, sizeof settings - 1) != 0) {
    text_append_string(text, path);
    return;
  }
  text_append_string(text, "--");
  for (const char *key = path + sizeof settings - 1; *key; key++)
    text_append(text, *key == '_' ? "-" : key, 1);
}

/* The paths may be others: a run goes on after its shards were moved. */
static bool shards_go_on(const struct shard_list *then, const struct shard_list *now) {
  if (then->count > now->count) return false;
  for (int32_t s = 0; s < then->count; s++) {
    if (then->shard[s].size < 0 || !shard_same_content(&then->shard[s], &now->shard[s])) return false;
  }
  return true;
}

bool manifest_goes_on(const char *out, const struct manifest *then, bool *same, struct error *error) {
  struct difference difference = {.then = "then", .now = "now", .name = setting_name};
  struct manifest *now = NULL;
  *same = false;
  if (!manifest_read(out, &now, error)) return error->code == ERROR_INPUT; /* it is no run's now */
  if (!now) return true;
  /* --mixed adds classes to a run that goes on. */
  const bool ok = run_identity_compare(&then->identity, &now->identity, true, &difference);
  *same = ok && difference.count == 0 && shards_go_on(&then->shards, &now->shards);
  difference_free(&difference);
  manifest_free(now);
  return ok || error_set_memory(error, PATH_MAX, "a comparison");
}

bool manifest_check_identity(const char *out, const struct manifest *manifest,
                             const struct run_identity *identity, bool mixed, struct error *error) {
  struct difference difference = {.then = "in the manifest", .now = "now", .name = setting_name};
  const char *phrase = run_identity_compare(&manifest->identity, identity, mixed, &difference)
                           ? difference_end(&difference)
                           : NULL;
  bool ok = phrase != NULL;
  if (!ok)
    error_set_memory(error, PATH_MAX, "a comparison");
  else if (difference.count > 0)
    ok = error_set(error, ERROR_CONFLICT,
                   "%s holds another run (--overwrite starts anew, another --out leaves it alone): %s", out,
                   phrase);
  difference_free(&difference);
  return ok;
}
