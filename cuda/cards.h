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
  int64_t memory;  /* bytes in total */
  bool usable;     /* the kernels run on this compute capability */
  char fault[300]; /* why the driver tells nothing about this card, whose other fields are then empty */
};

/* Fills cards [*count]; *count is at least 1. If there is no card, returns false with ERROR_DEVICE, and the
 * sentence says why: built without CUDA, no driver, a driver that is too old or does not work, no card. */
bool cuda_cards_list(struct cuda_card cards[CUDA_CARDS_MAX], int32_t *count, struct error *error);

/* True if this machine should have a card: false if nina was built without CUDA, if there is no driver, or if
 * the driver works and sees no card. */
bool cuda_cards_expected(void);

/* Says in *error why this card of the list is not usable, and returns false; true if it is usable. */
bool cuda_card_check(const struct cuda_card *card, struct error *error);

/* Finds the card with this number. The card must be usable. */
bool cuda_card_find(int32_t device, struct cuda_card *card, struct error *error);

/* The version of the CUDA runtime that nina was built with, as "12.4". False in a build without CUDA. */
bool cuda_runtime_version(char version[16]);

/* The version of cuBLASLt that the cards' products would use, as 13.1.0. False if cuBLASLt was not found;
 * the sentence names all places that were searched (cuda/library.h). */
bool cuda_products_library(char version[32], struct error *error);
