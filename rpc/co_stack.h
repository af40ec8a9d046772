#ifndef PRBAL_RPC_CO_STACK_H
#define PRBAL_RPC_CO_STACK_H

#include <stdbool.h>
#include <stddef.h>

/* Guarded stacks of one loop, and the switching between them and the loop's
 * own.  For rpc/co.c alone. */
struct co_stacks;
struct co_stack;

enum {
    CO_STACK_BYTES = 256 * 1024, /* address space: only touched pages count */
    CO_SPARE_MAX = 1024,         /* stacks kept for reuse */
};

struct co_stacks *co_stacks_create(void);
void co_stacks_destroy(struct co_stacks *stacks); /* all were given back */

/* Whether `count` stacks more could be taken now: spare ones, and those that
 * the process may still map. */
bool co_stacks_have(const struct co_stacks *stacks, size_t count);

/* Spare ones. */
size_t co_stacks_spare(const struct co_stacks *stacks);

/* The one that was used last, as it is the warmest; NULL when there is none. */
struct co_stack *co_stack_take(struct co_stacks *stacks);
void co_stack_give(struct co_stack *stack); /* fn has returned */

/* Runs `fn(argument)` on the stack until it calls co_stack_leave() or returns;
 * co_stack_resume() goes on behind the leave. */
void co_stack_run(struct co_stack *stack, void (*fn)(void *argument),
                  void *argument);
void co_stack_resume(struct co_stack *stack);
void co_stack_leave(struct co_stack *stack);

/* Bytes between here and the guard page; only on this stack. */
size_t co_stack_rest(const struct co_stack *stack);

/* The most stacks that the process may have; by default what the kernel's
 * vm.max_map_count allows.  For tests. */
void co_stacks_limit(size_t count);

#endif
