#include "host/cli/human.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void human_count(int64_t count, char text[32]) {
  char digits[24];
  const int length = snprintf(digits, sizeof digits, "%" PRId64, count < 0 ? 0 : count);
  int at = 0;
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) text[at++] = ',';
    text[at++] = digits[i];
  }
  text[at] = '\0';
}

void human_counted(int64_t count, const char *one, const char *many, char text[48]) {
  char digits[32];
  human_count(count, digits);
  snprintf(text, 48, "%s %s", digits, count == 1 ? one : many);
}

void human_bytes(int64_t bytes, char text[32]) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = (double)bytes;
  int unit = 0;
  for (; value >= 1024 && unit < 6; unit++) value /= 1024;
  snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void human_seconds(double seconds, char text[32]) {
  const int64_t whole = (int64_t)(seconds + 0.5);
  if (seconds < 10)
    snprintf(text, 32, "%.1f s", seconds);
  else if (whole < 60)
    snprintf(text, 32, "%" PRId64 " s", whole);
  else if (whole < 3600)
    snprintf(text, 32, "%" PRId64 ":%02" PRId64, whole / 60, whole % 60);
  else
    snprintf(text, 32, "%" PRId64 ":%02" PRId64 ":%02" PRId64, whole / 3600, whole / 60 % 60, whole % 60);
}
