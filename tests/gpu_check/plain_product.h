/* A plain product y [tokens, outputs] = x [tokens, inputs] · weightᵀ in fp16, with cuBLASLt's best algorithm
 * for exactly this size. It shows what the card's own library can do, for comparison with the encoder. */
#pragma once

#include "tests/gpu_check/gpu_check.h"

struct plain_product;

/* Makes the operands, times up to eight of the heuristic's algorithms for some milliseconds each, and keeps
 * the fastest. */
struct plain_product *plain_product_open(struct check *check, int32_t outputs, int32_t inputs, int32_t tokens,
                                         struct error *error);
void plain_product_close(struct plain_product *product);

/* Queues the product: a timed_work. */
bool plain_product_run(void *product, struct error *error);

double plain_product_operations(const struct plain_product *product);

/* Which algorithm was kept, by its place in the heuristic's list (0: the first choice); *of: how many there
 * are. */
int plain_product_chosen(const struct plain_product *product, int *of);
