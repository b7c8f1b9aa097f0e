extern "C" {
#include "tests/unit/model/sentencepiece.h"
}

#include <sentencepiece_processor.h>

#include <cstring>
#include <exception>
#include <string_view>

struct piece_model {
  sentencepiece::SentencePieceProcessor processor;
};

/* Runs work that may throw; an exception becomes an error. */
template <typename Work>
static bool guard(struct error *error, Work work) {
  try {
    return work();
  } catch (const std::exception &exception) {
    return error_set(error, ERROR_INPUT, "sentencepiece: %s", exception.what());
  }
}

static bool status_check(const sentencepiece::util::Status &status, struct error *error) {
  return status.ok() || error_set(error, ERROR_INPUT, "sentencepiece: %s", status.error_message());
}

struct piece_model *piece_model_open(const void *bytes, size_t size, struct error *error) {
  struct piece_model *model = nullptr;
  const bool done = guard(error, [&] {
    model = new struct piece_model;
    const std::string_view serialised(static_cast<const char *>(bytes), size);
    return status_check(model->processor.LoadFromSerializedProto(serialised), error);
  });
  if (done) return model;
  delete model;
  return nullptr;
}

void piece_model_close(struct piece_model *model) {
  delete model;
}

int32_t piece_model_count(const struct piece_model *model) {
  return model->processor.GetPieceSize();
}

const char *piece_model_piece(const struct piece_model *model, int32_t id, float *score) {
  *score = model->processor.GetScore(id);
  return model->processor.IdToPiece(id).c_str();
}

bool piece_model_encode(const struct piece_model *model, const char *text, size_t length,
                        struct piece_word *word, struct error *error) {
  return guard(error, [&] {
    sentencepiece::ImmutableSentencePieceText result;
    const std::string_view input(text, length);
    if (!status_check(model->processor.Encode(input, result.mutable_proto()), error)) return false;
    word->count = word->length = 0;
    for (const auto &piece : result.pieces()) {
      const std::string &bytes = piece.piece();
      if (word->count == sizeof word->ids / sizeof *word->ids ||
          bytes.size() > sizeof word->text - word->length)
        return error_set(error, ERROR_INPUT, "no room for the result");
      word->ids[word->count++] = static_cast<int32_t>(piece.id());
      std::memcpy(word->text + word->length, bytes.data(), bytes.size());
      word->length += bytes.size();
    }
    return true;
  });
}
