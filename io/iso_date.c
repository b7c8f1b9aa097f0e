#include "io/iso_date.h"

struct date_cursor {
  const char *at, *end;
};

static bool byte_take(struct date_cursor *cursor, char byte) {
  const bool there = cursor->at < cursor->end && *cursor->at == byte;
  cursor->at += there;
  return there;
}

/* Takes exactly `digits` digits, of a number from `least` to `most`. */
static bool number_take(struct date_cursor *cursor, int digits, int least, int most, int *number) {
  *number = 0;
  if (cursor->end - cursor->at < digits) return false;
  for (int i = 0; i < digits; i++) {
    const char digit = *cursor->at++;
    if (digit < '0' || digit > '9') return false;
    *number = 10 * *number + (digit - '0');
  }
  return *number >= least && *number <= most;
}

static int month_days(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01 to a day of the Gregorian calendar. */
static int64_t days_since_1970(int year, int month, int day) {
  const int64_t before = (int64_t)year - 1; /* whole years before; -1 in year 0 */
  int64_t days = 365 * (int64_t)year + (year > 0 ? before / 4 - before / 100 + before / 400 + 1 : 0);
  for (int m = 1; m < month; m++) days += month_days(year, m);
  return days + day - 1 - 719528; /* from 0000-01-01 */
}

/* Digits past the ninth do not count. */
static bool fraction_take(struct date_cursor *cursor, int32_t *nanoseconds) {
  int32_t unit = 100000000;
  const char *const start = cursor->at;
  for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++, unit /= 10)
    *nanoseconds += (*cursor->at - '0') * unit;
  return cursor->at > start;
}

static bool time_take(struct date_cursor *cursor, struct iso_date *date) {
  int hour, minute, second = 0;
  if (!number_take(cursor, 2, 0, 24, &hour) || !byte_take(cursor, ':') ||
      !number_take(cursor, 2, 0, 59, &minute))
    return false;
  if (byte_take(cursor, ':')) {
    if (!number_take(cursor, 2, 0, 60, &second)) return false;
    if (byte_take(cursor, '.') && !fraction_take(cursor, &date->nanoseconds)) return false;
  }
  date->seconds += 3600 * hour + 60 * minute + second;
  return true;
}

/* "Z", or "+01:00", "+0100" or "+01". */
static bool zone_take(struct date_cursor *cursor, struct iso_date *date) {
  int hours, minutes = 0;
  if (cursor->at == cursor->end || byte_take(cursor, 'Z')) return true;
  const bool east = byte_take(cursor, '+');
  if ((!east && !byte_take(cursor, '-')) || !number_take(cursor, 2, 0, 23, &hours)) return false;
  const bool colon = byte_take(cursor, ':');
  if ((colon || cursor->at < cursor->end) && !number_take(cursor, 2, 0, 59, &minutes)) return false;
  date->seconds -= (east ? 1 : -1) * (3600 * hours + 60 * minutes);
  return true;
}

bool iso_date_read(const char *text, int64_t length, struct iso_date *date) {
  struct date_cursor cursor = {text, text + length};
  int year, month, day;
  if (!number_take(&cursor, 4, 0, 9999, &year) || !byte_take(&cursor, '-') ||
      !number_take(&cursor, 2, 1, 12, &month) || !byte_take(&cursor, '-') ||
      !number_take(&cursor, 2, 1, month_days(year, month), &day))
    return false;
  *date = (struct iso_date){.seconds = 86400 * days_since_1970(year, month, day)};
  if (cursor.at == cursor.end) return true;
  if (!byte_take(&cursor, 'T') && !byte_take(&cursor, ' ')) return false;
  return time_take(&cursor, date) && zone_take(&cursor, date) && cursor.at == cursor.end;
}

int iso_date_compare(const struct iso_date *a, const struct iso_date *b) {
  if (a->seconds != b->seconds) return a->seconds < b->seconds ? -1 : 1;
  return (a->nanoseconds > b->nanoseconds) - (a->nanoseconds < b->nanoseconds);
}
