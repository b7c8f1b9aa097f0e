#include "io/fault.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/look.h"

#define FAULT_RULES_MAX 16 /* more than any test needs; a longer list is refused */

struct fault_rule {
  enum fault_site site;
  long long first, last; /* calls that the rule acts on */
  int number;            /* errno, ACTION_KILL or ACTION_WAIT */
};

#define ACTION_KILL 0
#define ACTION_WAIT (-1)

/* Written under `once`, then only read; `idle` may be read earlier. The counters change at every call. */
static struct {
  pthread_once_t once;
  atomic_bool idle; /* the variable has been read and gave no rule */
  bool malformed;
  int rule_count;
  struct fault_rule rule[FAULT_RULES_MAX];
  const char *until; /* path of the file that ends a wait */
  atomic_llong calls[FAULT_SITES];
} fault = {.once = PTHREAD_ONCE_INIT};

static const char *const site_names[FAULT_SITES] = {"write", "sync", "rename", "read", "remove", "discard"};

static const struct {
  const char *name;
  int number;
} actions[] = {
    {"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EACCES", EACCES}, {"kill", ACTION_KILL}, {"wait", ACTION_WAIT}};

/* Removes `name` and the character `end` after it from the front of *text. */
static bool text_take(const char **text, const char *name, char end) {
  const size_t length = strlen(name);
  if (strncmp(*text, name, length) != 0 || (*text)[length] != end) return false;
  *text += length + 1;
  return true;
}

static bool rule_parse(const char *text, struct fault_rule *rule) {
  int site = 0;
  while (site < FAULT_SITES && !text_take(&text, site_names[site], ':')) site++;
  if (site == FAULT_SITES || !isdigit((unsigned char)*text)) return false;
  char *end;
  errno = 0;
  rule->site = (enum fault_site)site;
  rule->first = rule->last = strtoll(text, &end, 10);
  if (errno != 0 || rule->first < 1) return false;
  if (*end == '+') {
    rule->last = __LONG_LONG_MAX__;
    end++;
  }
  if (*end != ':') return false;
  for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
    if (strcmp(end + 1, actions[i].name) == 0) {
      rule->number = actions[i].number;
      return true;
    }
  return false;
}

static bool rules_parse(const char *list) {
  for (;;) {
    char item[64];
    const size_t length = strcspn(list, ",");
    if (length >= sizeof item || fault.rule_count == FAULT_RULES_MAX) return false;
    memcpy(item, list, length);
    item[length] = '\0';
    if (!rule_parse(item, &fault.rule[fault.rule_count])) return false;
    fault.rule_count++;
    if (list[length] == '\0') return true;
    list += length + 1;
  }
}

static void fault_read_environment(void) {
  const char *list = getenv("NINA_FAULT");
  bool waits = false;
  fault.until = getenv("NINA_FAULT_UNTIL");
  const bool parsed = !list || !*list || rules_parse(list);
  for (int i = 0; i < fault.rule_count; i++) waits |= fault.rule[i].number == ACTION_WAIT;
  if (!parsed || (waits && !fault.until)) {
    fault.malformed = true;
    fault.rule_count = 0;
  }
  atomic_store_explicit(&fault.idle, fault.rule_count == 0, memory_order_release);
}

static void wait_for_file(const char *path) {
  const struct timespec nap = {.tv_nsec = 1000 * 1000};
  struct look look;
  struct error unused;
  while (!look_at(path, &look, &unused) || look.kind == LOOK_NOTHING) nanosleep(&nap, NULL);
}

int fault_point(enum fault_site site) {
  if (atomic_load_explicit(&fault.idle, memory_order_acquire)) return 0;
  pthread_once(&fault.once, fault_read_environment);
  if (fault.rule_count == 0) return 0;
  const long long call = atomic_fetch_add_explicit(&fault.calls[site], 1, memory_order_relaxed) + 1;
  for (int i = 0; i < fault.rule_count; i++) {
    const struct fault_rule *rule = &fault.rule[i];
    if (rule->site != site || call < rule->first || call > rule->last) continue;
    if (rule->number == ACTION_KILL) raise(SIGKILL);
    if (rule->number > 0) return rule->number;
    wait_for_file(fault.until);
    return 0;
  }
  return 0;
}

bool fault_check(struct error *error) {
  pthread_once(&fault.once, fault_read_environment);
  if (!fault.malformed) return true;
  return error_set(
      error, ERROR_USAGE,
      "NINA_FAULT is \"%.200s\": expected a comma-separated list of SITE:N:ACTION or SITE:N+:ACTION, "
      "SITE write, sync, rename, read or remove, N from 1, ACTION ENOSPC, EIO, EACCES, kill or wait (until "
      "the file is there that NINA_FAULT_UNTIL names); at most %d",
      getenv("NINA_FAULT") ? getenv("NINA_FAULT") : "", FAULT_RULES_MAX);
}
