#include "host/job/int8_texts.h"

#include <stdlib.h>
#include <string.h>

#include "host/cpu/int8_calibration.h"

/* Prose in many languages and scripts, and what stands between prose: code, markup, numbers, lists. They were
 * written for this purpose. */
static const char *const texts[] = {
    "L'Ajuntament ha aprovat les obres del mercat vell: començaran al setembre i duraran catorze mesos, "
    "si el temps ho permet.",
    "On és la biblioteca més propera, i a quina hora obre els dissabtes?",
    "The committee met twice in March; it found no fault with the bridge, but asked for new railings "
    "before winter.",
    "How long does it take to bake bread at 220 °C in a wood-fired oven?",
    "La cosecha de este año fue buena, aunque las lluvias de abril estropearon casi toda la fruta temprana.",
    "Le musée ferme à dix-huit heures, sauf le jeudi, où les étudiants peuvent rester jusqu'à minuit.",
    "Die Straßenbahn fährt wegen der Bauarbeiten nur bis zum Rathaus; danach verkehren Busse "
    "im Zehnminutentakt.",
    "A chi sa aspettare, il mare porta sempre qualcosa: legni, bottiglie, una volta perfino un orologio.",
    "O rio nasce na serra, atravessa três aldeias e perde-se nas areias antes de chegar ao oceano.",
    "Весной река поднимается на два метра, и старый мост на несколько дней закрывают для движения.",
    "图书馆每天早上九点开门,周末下午五点关门。借书需要带身份证。",
    "この駅から港までは歩いて十五分ほどですが、雨の日はバスのほうが便利です。",
    "يفتح السوق أبوابه قبل شروق الشمس، ويبيع الصيادون ما جاءت به الشباك في الليل.",
    "गाँव के बाहर एक पुराना कुआँ है, जिसका पानी गर्मियों में भी ठंडा रहता है।",
    "for (size_t i = 0; i < count; i++) {\n  if (values[i] > best) best = values[i]; // keep the largest\n}",
    "<p class=\"note\">See <a href=\"https://example.org/a?b=1&amp;c=2\">page 12</a> &mdash; or "
    "write to us.</p>",
    "{\"id\": 4711, \"price\": 19.99, \"tags\": [\"new\", \"sale\"], \"stock\": null}",
    "1. Yes!!! 2. No... 3) Maybe? — (see § 4.2, pp. 17–23) * * * 100 % / 3,141.59 € = ½ + \"x\" #tag @name",
};

enum { TEXTS = sizeof texts / sizeof *texts, TEXT_TOKENS = INT8_CALIBRATION_TOKENS / TEXTS };

static bool texts_encode(const struct tokenizer *tokenizer, int32_t most, int32_t *ids, int32_t *offsets,
                         struct error *error) {
  struct token_encoder *encoder = token_encoder_open(tokenizer, error);
  bool ok = encoder != NULL;
  offsets[0] = 0;
  for (int t = 0; ok && t < TEXTS; t++) {
    int32_t count = 0;
    bool truncated;
    ok = token_encoder_encode(encoder, texts[t], (int64_t)strlen(texts[t]), most, ids + offsets[t], &count,
                              &truncated, error);
    offsets[t + 1] = offsets[t] + count;
  }
  token_encoder_close(encoder);
  return ok;
}

struct int8_plan *int8_texts_plan(const struct model *model, const struct tokenizer *tokenizer,
                                  struct error *error) {
  const int32_t longest = model->config.shape.max_tokens;
  int32_t ids[INT8_CALIBRATION_TOKENS], offsets[TEXTS + 1];
  const struct batch batch = {ids, offsets, TEXTS, 0};
  if (!texts_encode(tokenizer, longest < TEXT_TOKENS ? longest : TEXT_TOKENS, ids, offsets, error))
    return NULL;
  return int8_calibrate(model, &batch, isa_detect(), error);
}
