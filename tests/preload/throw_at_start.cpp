/* Stands for a library whose constructor finds no memory: it throws before `main`. */
#include <new>

namespace {
struct constructor {
  constructor() {
    throw std::bad_alloc();
  }
} at_start;
}  // namespace
