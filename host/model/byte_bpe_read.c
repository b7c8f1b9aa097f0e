#include "host/model/byte_bpe_read.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/tokenizer_kind.h"
#include "io/text.h"

/* The digest so far and these bytes become the new digest. */
static void digest_add(struct tokenizer_source *source, const void *bytes, size_t size) {
  const XXH128_hash_t now = XXH3_128bits(bytes, size);
  const uint64_t both[] = {source->digest.low64, source->digest.high64, now.low64, now.high64};
  source->digest = XXH3_128bits(both, sizeof both);
}

/* Fills names[id] with each piece, of `count` pieces, at most TOKENIZER_PIECES_MAX. False if two pieces have
 * one id, or if an id has no piece. */
static bool pieces_by_id(const json_t *pieces, const char **names, size_t count) {
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)pieces, name, value) {
    int32_t id;
    if (!token_id_read(value, &id) || (size_t)id >= count || names[id]) return false;
    names[id] = name;
  }
  return true;
}

static bool pieces_add(const struct config_file *file, const char *key, const char *const *names,
                       int32_t count, struct tokenizer_source *source, struct error *error) {
  for (int32_t id = 0; id < count; id++) {
    const size_t length = strlen(names[id]);
    digest_add(source, names[id], length);
    if (!byte_bpe_add(source->byte_bpe, names[id], length, id, error))
      return error_prefix(error, "%s: %s", file->path, key);
  }
  source->count = count;
  return true;
}

static bool unknown_find(const struct config_file *file, const json_t *pieces, const char *unknown,
                         int32_t *id, struct error *error) {
  const json_t *value = unknown ? json_object_get(pieces, unknown) : NULL;
  *id = value ? (int32_t)json_number_value(value) : -1;
  return !unknown || value ||
         error_set(error, ERROR_INPUT, "%s: the unknown token \"%s\" is not in the vocabulary", file->path,
                   unknown);
}

bool byte_pieces_put(const struct config_file *file, const char *key, const json_t *pieces,
                     const char *unknown, struct tokenizer_source *source, struct error *error) {
  const size_t count = json_object_size(pieces);
  int32_t unknown_id = -1;
  source->kind = &tokenizer_byte_bpe;
  if (!count || count > TOKENIZER_PIECES_MAX)
    return config_refuse(file, ERROR_INPUT, key, NULL, "an object of pieces with their ids", error);
  const char **names = calloc(count, sizeof *names);
  if (!names) return error_set_memory(error, count * sizeof *names, "the pieces");
  bool done = pieces_by_id(pieces, names, count) ||
              error_set(error, ERROR_UNSUPPORTED,
                        "%s: \"%s\" has %zu pieces; expected the ids 0 to %zu, each for one piece",
                        file->path, key, count, count - 1);
  done = done && unknown_find(file, pieces, unknown, &unknown_id, error);
  if (done) source->byte_bpe = byte_bpe_open(unknown_id, error);
  done = done && source->byte_bpe && pieces_add(file, key, names, (int32_t)count, source, error);
  digest_add(source, &unknown_id, sizeof unknown_id);
  free(names);
  return done;
}

bool byte_merge_put(struct tokenizer_source *source, const char *left, size_t left_length, const char *right,
                    size_t right_length, struct error *error) {
  digest_add(source, left, left_length);
  digest_add(source, right, right_length);
  return byte_bpe_merge(source->byte_bpe, left, left_length, right, right_length, error);
}

bool byte_merge_put_line(struct tokenizer_source *source, const char *line, size_t length,
                         struct error *error) {
  const char *space = memchr(line, ' ', length);
  const size_t left = space ? (size_t)(space - line) : 0;
  if (!space || memchr(space + 1, ' ', length - left - 1))
    return error_set(error, ERROR_INPUT, "\"%.*s\" is no merge; expected two pieces with a space between",
                     (int)text_cut(line, length, 60), line);
  return byte_merge_put(source, line, left, space + 1, length - left - 1, error);
}

bool byte_class_settings(const struct added_files *files, struct tokenizer_source *source,
                         struct error *error) {
  source->prefix_space = source->whole_words = false;
  return special_around(files, source, error) &&
         config_flag(&files->config, "add_prefix_space", &source->prefix_space, error);
}

void byte_source_finish(struct tokenizer_source *source) {
  const int32_t settings[] = {source->first, source->last, source->prefix_space, source->whole_words};
  digest_add(source, settings, sizeof settings);
}
