#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/cli/ini_file.h"

#define TEXT_MAX 200000

/* What the reader reported: "section/name=value" lines. */
struct heard {
  char text[TEXT_MAX + 100];
  size_t length;
};

static bool take_section(void *context, const char *section, struct error *error) {
  (void)context;
  if (strcmp(section, "refused") != 0) return true;
  return error_set(error, ERROR_USAGE, "no such section");
}

static bool take_value(void *context, const char *section, const char *name, const char *value,
                       struct error *error) {
  struct heard *heard = context;
  if (strcmp(name, "refused") == 0) return error_set(error, ERROR_USAGE, "no such name");
  heard->length += (size_t)snprintf(heard->text + heard->length, sizeof heard->text - heard->length,
                                    "%s/%s=%s|", section, name, value);
  return true;
}

/* Reads a file that holds these bytes. */
static bool read_bytes(const char *bytes, size_t size, struct heard *heard, struct error *error) {
  char path[] = "/tmp/nina-ini-XXXXXX";
  const int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  assert_int_equal(write(descriptor, bytes, size), size);
  close(descriptor);
  heard->length = 0;
  heard->text[0] = '\0';
  *error = (struct error){0};
  const bool ok = ini_read(path, take_section, take_value, heard, error);
  if (!ok) assert_int_equal(strncmp(error->message, path, strlen(path)), 0);
  unlink(path);
  return ok;
}

static struct heard heard;
static struct error error;

#define READ(text) read_bytes(text, strlen(text), &heard, &error)

static void plain_value_is_the_rest_of_its_line(void **state) {
  (void)state;
  assert_true(READ("prompt = Tasca: cerca ; consulta: X # y = \"z\"  \r\n"));
  assert_string_equal(heard.text, "/prompt=Tasca: cerca ; consulta: X # y = \"z\"|");
  assert_true(READ("a=1\n  b =\t2\nc\t= \nd = it's\ne = \\n\n"));
  assert_string_equal(heard.text, "/a=1|/b=2|/c=|/d=it's|/e=\\n|");
}

static void quoted_value_keeps_all_between_its_quotes(void **state) {
  (void)state;
  assert_true(READ("p = \"passage: \"\nq = \" ; # = [x] \"  \nr = \"\"\ns=\"a\\\"b\\\\c\\nd\\te\\r\"\n"));
  assert_string_equal(heard.text, "/p=passage: |/q= ; # = [x] |/r=|/s=a\"b\\c\nd\te\r|");
}

static void comments_sections_and_a_byte_order_mark_are_no_values(void **state) {
  (void)state;
  assert_true(READ("\xef\xbb\xbf; c = 1\n  # d = 2\n\n \na = 1\n[ embed ]\nb = 2\n[eval]\n;[x]\nb = 3"));
  assert_string_equal(heard.text, "/a=1|embed/b=2|eval/b=3|");
}

static void line_may_be_as_long_as_a_prompt(void **state) {
  (void)state;
  static char line[TEXT_MAX];
  memset(line, 'x', sizeof line - 1);
  line[1] = '=';
  assert_true(READ(line));
  assert_int_equal(heard.length, sizeof line - 1 + 2);
  memset(line, '[', 1);
  line[sizeof line - 2] = ']';
  assert_true(READ(line));
}

/* Writes `value` in the quoted form in which, the header says, every string can be written. */
static size_t quote(const char *value, char *to) {
  size_t length = 0;
  to[length++] = '"';
  for (; *value; value++) {
    const char *special = strchr("\"\\\n\t\r", *value);
    if (special) to[length++] = '\\';
    to[length++] = special ? "\"\\ntr"[special - "\"\\\n\t\r"] : *value;
  }
  to[length++] = '"';
  return length;
}

static void every_string_can_be_said(void **state) {
  (void)state;
  uint32_t random = 1;
  for (int round = 0; round < 500; round++) {
    char value[64], written[160] = "v = ", expected[80];
    const int length = round % 63;
    for (int i = 0; i < length; i++) {
      random = random * 1664525 + 1013904223;
      /* Half the bytes have a meaning for a reader of .ini files. */
      value[i] = random >> 31 ? "\"\\;#=[] \n\t\r"[(random >> 8) % 11] : (char)(1 + (random >> 8) % 255);
    }
    value[length] = '\0';
    assert_true(read_bytes(written, 4 + quote(value, written + 4), &heard, &error));
    snprintf(expected, sizeof expected, "/v=%s|", value);
    assert_string_equal(heard.text, expected);
  }
}

static void slip_is_told_with_its_line(void **state) {
  (void)state;
  static const struct {
    const char *text, *sentence;
  } wrong[] = {
      {"\n\nno value\n", "line 3: neither `key = value`, a [section] nor a comment"},
      {"[embed\n", "line 1: neither `key = value`, a [section] nor a comment"},
      {"[embed] x = 1\n", "line 1: neither `key = value`, a [section] nor a comment"},
      {"a = \"open\n", "line 1: the value begins with a double quote and does not end with one"},
      {"a = \"\n", "line 1: the value begins with a double quote and does not end with one"},
      {"a = \"b\\\n", "line 1: the value begins with a double quote and does not end with one"},
      {"a = 1\nb = \"c\" ; d\n", "line 2: \"; d\" after the closing quote: a quoted value ends its line"},
      {"a = \"\\x\"\n",
       "line 1: a backslash in a quoted value stands before \", \\, n, t or r, not before \"x\""},
      {"a = 1\nrefused = 2\n", "line 2: no such name"},
      {"[refused]\n", "line 1: no such section"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_false(READ(wrong[i].text));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_non_null(strstr(error.message, wrong[i].sentence));
  }
  assert_false(read_bytes("a = 1\nb = \0\n", 12, &heard, &error));
  assert_non_null(strstr(error.message, "line 2: a NUL byte"));
  assert_false(ini_read("/tmp/nina-no-such.ini", take_section, take_value, &heard, &error));
  assert_string_equal(error.message, "there is no file /tmp/nina-no-such.ini");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_value_is_the_rest_of_its_line),
      cmocka_unit_test(quoted_value_keeps_all_between_its_quotes),
      cmocka_unit_test(comments_sections_and_a_byte_order_mark_are_no_values),
      cmocka_unit_test(line_may_be_as_long_as_a_prompt),
      cmocka_unit_test(every_string_can_be_said),
      cmocka_unit_test(slip_is_told_with_its_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
