extern "C" {
#include "host/model/sentencepiece.h"
}

#include <sentencepiece_processor.h>

#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

struct piece_library {
  sentencepiece::SentencePieceProcessor processor;
};

static thread_local int calls; /* of the library, that this thread is in */

bool piece_library_runs_here(void) {
  return calls > 0;
}

/* A call, from its beginning to its end, by exception or not. */
struct library_mark {
  library_mark() {
    calls++;
  }
  ~library_mark() {
    calls--;
  }
};

/* Runs what may throw, and turns what it throws into an error. */
template <typename Work>
static bool guard(struct error *error, Work work) {
  const library_mark mark;
  try {
    return work();
  } catch (const std::bad_alloc &) {
    return error_set(error, ERROR_MEMORY, "out of memory in the sentencepiece library");
  } catch (const std::exception &exception) {
    return error_set(error, ERROR_INPUT, "sentencepiece: %s", exception.what());
  }
}

static bool status_check(const sentencepiece::util::Status &status, struct error *error) {
  return status.ok() || error_set(error, ERROR_INPUT, "sentencepiece: %s", status.error_message());
}

bool piece_library_is_there(void) {
  return true;
}

struct piece_library *piece_library_open(const void *bytes, size_t size, struct error *error) {
  struct piece_library *library = nullptr;
  const bool done = guard(error, [&] {
    library = new struct piece_library;
    const std::string_view serialised(static_cast<const char *>(bytes), size);
    return status_check(library->processor.LoadFromSerializedProto(serialised), error);
  });
  if (done) return library;
  delete library;
  return nullptr;
}

void piece_library_close(struct piece_library *library) {
  delete library;
}

void library_pieces_free(struct library_pieces *pieces) {
  std::free(pieces->piece);
  *pieces = {};
}

static bool pieces_reserve(struct library_pieces *pieces, size_t count, struct error *error) {
  if (count <= pieces->capacity) return true;
  const size_t capacity = count + count / 2 + 256;
  void *grown = std::realloc(pieces->piece, capacity * sizeof *pieces->piece);
  if (!grown) return error_set_memory(error, capacity * sizeof *pieces->piece, "the pieces of a text");
  pieces->piece = static_cast<struct library_piece *>(grown);
  pieces->capacity = capacity;
  return true;
}

bool piece_library_encode(const struct piece_library *library, const char *text, size_t length, size_t before,
                          struct library_pieces *pieces, struct error *error) {
  static constexpr std::string_view mark = "\xe2\x96\x81";
  return guard(error, [&] {
    sentencepiece::ImmutableSentencePieceText result;
    if (!status_check(library->processor.Encode(std::string_view(text, length), result.mutable_proto()),
                      error) ||
        !pieces_reserve(pieces, pieces->count + result.pieces_size(), error))
      return false;
    for (size_t i = 0; i < result.pieces_size(); i++) {
      const auto piece = result.pieces(static_cast<int>(i));
      const bool begins_word = std::string_view(piece.piece()).substr(0, mark.size()) == mark;
      const int32_t index = static_cast<int32_t>(piece.id());
      pieces->piece[pieces->count++] = {library->processor.IsUnknown(index) ? -1 : index,
                                        static_cast<uint32_t>(before) + piece.begin(), begins_word};
    }
    return true;
  });
}
