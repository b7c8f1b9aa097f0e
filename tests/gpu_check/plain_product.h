/* A plain product y [tokens, outputs] = x [tokens, inputs] · weightᵀ in fp16 by the best of cuBLASLt's
 * algorithms for exactly that size: what the card's own library can do, and what the encoder is beside. */
#pragma once

#include "tests/gpu_check/gpu_check.h"

struct plain_product;

/* Makes the operands, times up to eight algorithms of the heuristic for some milliseconds each, and keeps the
 * fastest. */
struct plain_product *plain_product_open(struct check *check, int32_t outputs, int32_t inputs, int32_t tokens,
                                         struct error *error);
void plain_product_close(struct plain_product *product);

/* Queues it: a timed_work. */
bool plain_product_run(void *product, struct error *error);

double plain_product_operations(const struct plain_product *product);

/* Which of the heuristic's algorithms it is (0: its first choice), of how many. */
int plain_product_chosen(const struct plain_product *product, int *of);
