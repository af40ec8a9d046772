#ifndef PRBAL_RPC_ARENA_H
#define PRBAL_RPC_ARENA_H

#include <stdarg.h>
#include <stddef.h>

/* An arena hands out memory that is freed all at once.
 *
 * Every call owns one.  Whatever a handler allocates while it answers lives in
 * the call's arena and goes with it, so handlers never free.  Allocation never
 * returns NULL: running out of memory ends the process.  An arena belongs to
 * one thread at a time. */
struct arena;

struct arena *arena_create(void);
void arena_destroy(struct arena *arena); /* accepts NULL */

/* Frees everything that was allocated; the arena can be used again. */
void arena_reset(struct arena *arena);

/* Zeroed, and aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);

/* As arena_alloc() for `count` elements; a product that overflows ends the
 * process, so callers bound `count` first. */
void *arena_array(struct arena *arena, size_t count, size_t element_size);

/* The first `count` elements of an array, `old`, in a larger one.  The arena
 * gives nothing back, so who grows doubles. */
void *arena_grown(struct arena *arena, const void *old, size_t count,
                  size_t capacity, size_t element_size);

/* All of these return text that the arena owns; NULL stays NULL. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
void *arena_memdup(struct arena *arena, const void *bytes, size_t size);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Bytes taken from the system so far, for budgets. */
size_t arena_bytes(const struct arena *arena);

/* Frees the blocks that this thread keeps for reuse; called by a loop's thread
 * before it ends. */
void arena_thread_finish(void);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

#endif
