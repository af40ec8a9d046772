#ifndef PRBAL_RPC_GEN_READ_ALL_H
#define PRBAL_RPC_GEN_READ_ALL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Everything up to the end of `in`, for the caller to free; NULL when reading
 * fails. */
uint8_t *read_all(FILE *in, size_t *size);

#endif
