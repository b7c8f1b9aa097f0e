/* Classes of rows by their number of tokens, for histograms: 1 to 2, 3, 4, 5 to 6, 7 to 8, 9 to 12, … tokens;
 * the upper ends are powers of two, and the middles between them. The last class has no upper end. */
#pragma once

#include <stdint.h>

#define LENGTH_CLASSES 32

/* The class's upper end. */
static inline int32_t length_class_most(int32_t class) {
  return class % 2 ? 3 << (class / 2) : 2 << (class / 2);
}

static inline int32_t length_class_of(int32_t tokens) {
  int32_t class = 0;
  while (class < LENGTH_CLASSES - 1 && tokens > length_class_most(class)) class ++;
  return class;
}
