#include "host/model/sentencepiece.h"

bool piece_library_is_there(void) {
  return false;
}

bool piece_library_runs_here(void) {
  return false;
}

struct piece_library *piece_library_open(const void *bytes, size_t size, struct error *error) {
  (void)bytes, (void)size;
  error_set(error, ERROR_USAGE,
            "--tokenizer sentencepiece: this nina was built without the sentencepiece library; install it "
            "(Debian: libsentencepiece-dev) and build again with -DNINA_SENTENCEPIECE=ON");
  return NULL;
}

void piece_library_close(struct piece_library *library) {
  (void)library;
}

void library_pieces_free(struct library_pieces *pieces) {
  (void)pieces;
}

bool piece_library_encode(const struct piece_library *library, const char *text, size_t length, size_t before,
                          struct library_pieces *pieces, struct error *error) {
  (void)library, (void)text, (void)length, (void)before, (void)pieces;
  return error_set(error, ERROR_USAGE, "built without the sentencepiece library");
}
