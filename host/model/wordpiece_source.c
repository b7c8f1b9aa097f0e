#include "host/model/wordpiece_source.h"

#include <string.h>

#include "host/model/tokenizer_kind.h"

#define LONGEST 100 /* max_input_chars_per_word, if tokenizer.json does not say otherwise */

bool wordpiece_source_class(const struct added_files *files, struct wordpiece_settings *settings,
                            struct error *error) {
  struct special_names names;
  struct bert_normaliser normal = {.clean_text = true, .spaced_ideographs = true, .lowercase = true};
  const struct config_file *config = &files->config;
  if (!special_names_read(files, &names, error) ||
      !config_flag(config, "do_lower_case", &normal.lowercase, error) ||
      !config_flag(config, "tokenize_chinese_chars", &normal.spaced_ideographs, error))
    return false;
  normal.strip_accents = normal.lowercase;
  if (!config_flag(config, "strip_accents", &normal.strip_accents, error)) return false;
  *settings = (struct wordpiece_settings){
      .normal = normal, .unknown = names.name[SPECIAL_UNKNOWN], .prefix = "##", .longest = LONGEST};
  return true;
}

bool wordpiece_source_seal(struct tokenizer_source *source, const struct wordpiece_piece *pieces,
                           int32_t count, const struct wordpiece_settings *settings, struct error *error) {
  XXH3_state_t *hash = XXH3_createState();
  if (!hash) return error_set(error, ERROR_MEMORY, "out of memory for the hash of the tokenizer");
  const struct bert_normaliser *normal = &settings->normal;
  const int32_t facts[] = {source->wordpiece->unknown, source->first,      source->last,
                           settings->longest,          normal->clean_text, normal->spaced_ideographs,
                           normal->strip_accents,      normal->lowercase,  count};
  XXH3_128bits_reset(hash);
  XXH3_128bits_update(hash, "WordPiece", sizeof "WordPiece");
  XXH3_128bits_update(hash, facts, sizeof facts);
  XXH3_128bits_update(hash, settings->prefix, strlen(settings->prefix) + 1);
  for (int32_t id = 0; id < count; id++) {
    const uint64_t length = pieces[id].length;
    XXH3_128bits_update(hash, &length, sizeof length);
    if (length) XXH3_128bits_update(hash, pieces[id].bytes, length);
  }
  source->digest = XXH3_128bits_digest(hash);
  XXH3_freeState(hash);
  return true;
}

/* The ids that transformers counts on from: an empty line is a piece too, a piece that is there twice is
 * one. */
static bool pieces_put(struct tokenizer_source *source, const struct wordpiece_piece *pieces, int32_t count,
                       struct error *error) {
  bool empty = false;
  source->count = source->next = 0;
  for (int32_t id = 0; id < count; id++) {
    const struct wordpiece_piece *piece = &pieces[id];
    if (!piece->bytes) continue;
    if (piece->length) {
      source->count = id + 1;
      source->next += wordpiece_find(source->wordpiece, piece->bytes, piece->length) < 0;
    }
    empty = empty || !piece->length;
    if (!wordpiece_put(source->wordpiece, piece->bytes, piece->length, id, error)) return false;
  }
  source->next += empty;
  return true;
}

bool wordpiece_source_fill(struct tokenizer_source *source, const struct wordpiece_piece *pieces,
                           int32_t count, const struct wordpiece_settings *settings, struct error *error) {
  struct wordpiece *wordpiece = wordpiece_open(error);
  source->kind = &tokenizer_wordpiece;
  source->wordpiece = wordpiece;
  if (!wordpiece) return false;
  if (!pieces_put(source, pieces, count, error)) return false;
  wordpiece_prefix(wordpiece, settings->prefix, strlen(settings->prefix));
  wordpiece->longest = settings->longest;
  wordpiece->normal = settings->normal;
  wordpiece->unknown = wordpiece_find(wordpiece, settings->unknown, strlen(settings->unknown));
  return wordpiece->unknown >= 0 ||
         error_set(error, ERROR_UNSUPPORTED,
                   "the vocabulary has no \"%s\"; expected the token of unknown words to be a piece",
                   settings->unknown);
}
