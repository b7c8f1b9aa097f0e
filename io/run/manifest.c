#include "io/run/manifest.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/json_diff.h"
#include "io/run/layout.h"
#include "io/run/record.h"

#define MANIFEST_BYTES_MAX (1ll << 31) /* fifty million parts; keeps a stray file from filling the memory */

/* The printing functions return false where jansson fails; that a stream has failed shows at its end. */
static bool json_print(FILE *stream, const json_t *value) {
  return json_dumpf(value, stream, JSON_ENCODE_ANY) == 0;
}

static bool string_print(FILE *stream, const char *string) {
  json_t *json = json_string(string);
  const bool ok = json_print(stream, json);
  json_decref(json);
  return ok;
}

/* `,\n "key": ` */
static bool key_print(FILE *stream, const char *key) {
  fputs(",\n ", stream);
  const bool ok = string_print(stream, key);
  fputs(": ", stream);
  return ok;
}

/* A member that is an object, its own members one a line. */
static bool object_print(FILE *stream, const char *key, const json_t *object) {
  const char *name, *separator = "\n  ";
  json_t *value;
  bool ok = key_print(stream, key) && object;
  fputc('{', stream);
  json_object_foreach((json_t *)object, name, value) {
    fputs(separator, stream);
    separator = ",\n  ";
    ok = ok && string_print(stream, name);
    fputs(": ", stream);
    ok = ok && json_print(stream, value);
  }
  fputs("}", stream);
  return ok;
}

static bool shards_print(FILE *stream, const struct shard_list *list) {
  bool ok = key_print(stream, "shards");
  fputc('[', stream);
  for (int32_t i = 0; ok && i < list->count; i++) {
    const struct shard *shard = &list->shard[i];
    json_t *json = json_pack("{s:s, s:I, s:s}", "path", shard->path, "size", (json_int_t)shard->size,
                             "fingerprint", shard->fingerprint);
    fputs(i ? ",\n  " : "\n  ", stream);
    ok = json && json_print(stream, json);
    json_decref(json);
  }
  fputc(']', stream);
  return ok;
}

/* By hand: a million of them as JSON values would take some 300 MB. */
static bool parts_print(FILE *stream, const struct part_table *table) {
  const char *separator = "\n  ";
  const bool ok = key_print(stream, "parts");
  fputc('[', stream);
  for (int32_t shard = 0; shard < table->shard_count; shard++)
    for (int32_t block = 0; block < table->shard[shard].end; block++) {
      const struct part *part = part_table_find(table, shard, block);
      if (!part) continue;
      fprintf(stream, "%s[\"%05ld-%05ld\", %lld]", separator, (long)shard, (long)block,
              (long long)part->sums.rows);
      separator = ",\n  ";
    }
  fputc(']', stream);
  return ok;
}

static bool manifest_print(FILE *stream, const struct manifest *manifest) {
  fprintf(stream, "{\n \"format\": %d", RUN_FORMAT);
  bool ok = key_print(stream, "nina") && string_print(stream, manifest->version) &&
            key_print(stream, "state") && string_print(stream, manifest->state) &&
            object_print(stream, "model", manifest->model) &&
            object_print(stream, "settings", manifest->settings) &&
            object_print(stream, "compute_class", manifest->compute_class) &&
            shards_print(stream, &manifest->shards);
  if (manifest->parts) {
    json_t *totals = totals_to_json(&manifest->parts->totals);
    ok = ok && object_print(stream, "totals", totals) && parts_print(stream, manifest->parts);
    json_decref(totals);
  }
  fputs("\n}\n", stream);
  return ok && !ferror(stream);
}

/* ERROR_USAGE, naming it, where a path cannot stand in JSON. */
static bool paths_check(const struct shard_list *list, struct error *error) {
  for (int32_t i = 0; i < list->count; i++) {
    json_t *json = json_string(list->shard[i].path);
    if (!json)
      return error_set(error, ERROR_USAGE, "shard %d (%s): its path is not valid UTF-8: rename it", i,
                       list->shard[i].path);
    json_decref(json);
  }
  return true;
}

/* The manifest's text, to be freed; NULL when memory is short. */
static char *manifest_text(const struct manifest *manifest, size_t *size) {
  char *text = NULL;
  FILE *stream = open_memstream(&text, size);
  if (!stream) return NULL;
  bool ok = manifest_print(stream, manifest);
  ok = fclose(stream) == 0 && ok;
  if (ok) return text;
  free(text);
  return NULL;
}

bool manifest_write(const char *job, const char *out, const struct manifest *manifest, struct error *error) {
  bool ok = false;
  size_t size = 0;
  struct file_writer file = {.descriptor = -1};
  if (!paths_check(&manifest->shards, error)) return false;
  char *text = manifest_text(manifest, &size), *path = file_join(out, MANIFEST_NAME);
  if (!text || !path) {
    error_set_memory(error, size, "the manifest");
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

/* Returns NULL, or what is wrong. */
static const char *manifest_wrong(const json_t *manifest) {
  static const char *const objects[] = {"model", "settings", "compute_class"};
  static const char *const strings[] = {"nina", "state"};
  const json_t *format = json_object_get(manifest, "format");
  if (!json_is_integer(format)) return "it has no format";
  if (json_integer_value(format) > RUN_FORMAT)
    return "a newer version of this program wrote it: use that one";
  if (json_integer_value(format) < RUN_FORMAT) return "its format is unknown";
  for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
    if (!json_is_object(json_object_get(manifest, objects[i])))
      return "model, settings or compute_class is missing";
  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
    if (!json_is_string(json_object_get(manifest, strings[i]))) return "nina or state is missing";
  if (!json_is_array(json_object_get(manifest, "shards"))) return "shards is missing";
  return NULL;
}

bool run_log_manifest(const char *out, json_t **manifest, struct error *error) {
  bool ok = false;
  char *text = NULL;
  size_t size;
  json_t *json = NULL;
  *manifest = NULL;
  char *path = file_join(out, MANIFEST_NAME);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  if (access(path, F_OK) != 0) {
    ok = true;
    goto out;
  }
  if (!file_read(path, MANIFEST_BYTES_MAX, &text, &size, error)) goto out;
  json_error_t problem;
  json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
  const char *wrong = json ? manifest_wrong(json) : problem.text;
  if (wrong) {
    error_set(error, ERROR_INPUT, "%s is not a manifest that this program reads: %s", path, wrong);
    goto out;
  }
  *manifest = json;
  json = NULL;
  ok = true;
out:
  json_decref(json);
  free(text);
  free(path);
  return ok;
}

bool manifest_shards(const json_t *manifest, struct shard_list *list, struct error *error) {
  size_t i;
  json_t *entry;
  json_array_foreach(json_object_get(manifest, "shards"), i, entry) {
    const char *path = json_string_value(json_object_get(entry, "path"));
    const char *fingerprint = json_string_value(json_object_get(entry, "fingerprint"));
    const json_t *size = json_object_get(entry, "size");
    struct shard shard = {.path = (char *)path, .size = json_integer_value(size)};
    if (!path || !json_is_integer(size) || !fingerprint || strlen(fingerprint) >= sizeof shard.fingerprint)
      return error_set(error, ERROR_INPUT, MANIFEST_NAME ": shard %zu has no path, size or fingerprint", i);
    strcpy(shard.fingerprint, fingerprint);
    if (!shard_list_add(list, &shard, error)) return false;
  }
  return true;
}

/* A setting is called by the option that sets it: the user has to know what to change. */
static void setting_name(FILE *stream, const char *path) {
  static const char *const options[][2] = {{"compute_class.encoder", "--device"},
                                           {"compute_class.precision", "--precision"},
                                           {"compute_class.batch_tokens", "--batch-tokens"}};
  static const char settings[] = "settings.";
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (strcmp(path, options[i][0]) == 0) path = options[i][1];
  if (strncmp(path, settings, sizeof settings - 1) != 0) {
    fputs(path, stream);
    return;
  }
  fputs("--", stream);
  for (const char *key = path + sizeof settings - 1; *key; key++) fputc(*key == '_' ? '-' : *key, stream);
}

bool manifest_check_identity(const char *out, const json_t *manifest, const struct run_identity *identity,
                             struct error *error) {
  bool ok = false;
  char *text = NULL;
  size_t size = 0;
  struct json_diff diff = {
      .stream = open_memstream(&text, &size), .then = "in the manifest", .now = "now", .name = setting_name};
  if (!diff.stream) return error_set_memory(error, PATH_MAX, "a comparison");
  json_diff(&diff, "model", json_object_get(manifest, "model"), identity->model);
  json_diff(&diff, "settings", json_object_get(manifest, "settings"), identity->settings);
  if (!identity->mixed)
    json_diff(&diff, "compute_class", json_object_get(manifest, "compute_class"), identity->compute_class);
  json_diff_end(&diff);
  if (fclose(diff.stream) != 0)
    error_set_memory(error, size, "a comparison");
  else if (diff.count == 0)
    ok = true;
  else
    error_set(error, ERROR_CONFLICT,
              "%.200s holds another run (--overwrite starts anew, another --out leaves it alone): %s", out,
              text);
  free(text);
  return ok;
}
