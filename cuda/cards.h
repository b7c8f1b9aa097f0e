/* The CUDA cards of this machine. This header, like cuda/encoder_cuda.h, needs no CUDA: a nina that was built
 * without it answers that there are none, and why. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define CUDA_CARDS_MAX 64

/* The kernels' tensor-core and cp.async instructions begin with compute capability 8.0 (Ampere). */
#define CUDA_MAJOR_LEAST 8

struct cuda_card {
  int32_t device; /* the number that CUDA knows it by in this process: CUDA_VISIBLE_DEVICES changes it */
  char uuid[33];  /* the same from every process, and no other card's or instance's, on any machine:
                     hexadecimal digits */
  char bus[16];   /* its place on the PCI bus, as the kernel's log names it: 0000:65:00.0 */
  char name[256];
  int32_t major, minor; /* compute capability */
  int32_t multiprocessors;
  int64_t memory; /* bytes, all of it */
  bool usable;    /* of a capability that the kernels run on */
};

/* cards [*count], at least one. False with ERROR_DEVICE where there is none; the sentence says why: built
 * without CUDA, no driver, a driver that is too old, no card. */
bool cuda_cards_list(struct cuda_card cards[CUDA_CARDS_MAX], int32_t *count, struct error *error);

/* The card of that number, which must be usable. */
bool cuda_card_find(int32_t device, struct cuda_card *card, struct error *error);

/* The version of the CUDA runtime that nina was built with, as "12.4". False in a build without CUDA. */
bool cuda_runtime_version(char version[16]);

/* The version of cuBLASLt that the cards' products would take, as 13.1.0. False where it was not found; the
 * sentence names where it was looked for (cuda/library.h). */
bool cuda_products_library(char version[32], struct error *error);
