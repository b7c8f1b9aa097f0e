/* This machine's CUDA cards. This header needs no CUDA, like cuda/encoder_cuda.h: a nina built without CUDA
 * answers that there are no cards, and why. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define CUDA_CARDS_MAX 64

/* The kernels' tensor-core and cp.async instructions begin with compute capability 8.0 (Ampere). */
#define CUDA_MAJOR_LEAST 8

struct cuda_card {
  int32_t device; /* CUDA's number in this process; CUDA_VISIBLE_DEVICES changes the number */
  char uuid[33];  /* the same from every process, and no other card's or instance's, on any machine:
                     hexadecimal digits */
  char bus[16];   /* place on the PCI bus, as in the kernel's log: 0000:65:00.0 */
  char name[256];
  int32_t major, minor; /* compute capability */
  int32_t multiprocessors;
  int64_t memory; /* bytes in total */
  bool usable;    /* the kernels run on this compute capability */
};

/* Fills cards [*count]; *count is at least 1. If there is no card, returns false with ERROR_DEVICE, and the
 * sentence says why: built without CUDA, no driver, a driver that is too old, no card. */
bool cuda_cards_list(struct cuda_card cards[CUDA_CARDS_MAX], int32_t *count, struct error *error);

/* Finds the card with this number. The card must be usable. */
bool cuda_card_find(int32_t device, struct cuda_card *card, struct error *error);

/* The version of the CUDA runtime that nina was built with, as "12.4". False in a build without CUDA. */
bool cuda_runtime_version(char version[16]);

/* The version of cuBLASLt that the cards' products would use, as 13.1.0. False if cuBLASLt was not found;
 * the sentence names all places that were searched (cuda/library.h). */
bool cuda_products_library(char version[32], struct error *error);
