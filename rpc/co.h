#ifndef PRBAL_RPC_CO_H
#define PRBAL_RPC_CO_H

#include <stdbool.h>

/* Stackful coroutines: straight-line code that waits without blocking its
 * loop.  One lives and dies on one loop, on a guarded stack from that loop's
 * pool.  Set up with makecontext() once per stack, switched with _setjmp() and
 * _longjmp(), which is some 25 times cheaper than swapcontext() (no signal
 * mask system calls).
 *
 *   co_spawn -> ready -> running <-> parked
 *                          |
 *                          v
 *                        ended (the stack returns to the pool)
 */
struct co;
struct loop;

/* Queues `fn(argument)` to run on a fresh coroutine in this pass of the loop.
 * Returns NULL, and runs nothing, when no stack can be had: the process is at
 * its limit of guarded stacks (vm.max_map_count), and the caller must refuse
 * the work. */
struct co *co_spawn(struct loop *loop, void (*fn)(void *argument),
                    void *argument);

/* The coroutine that is running on this thread; NULL on the loop itself. */
struct co *co_current(void);

/* Suspends the running coroutine until co_wake().  A wake that came first is
 * not lost: co_park() then returns at once.  Wakes may be spurious: re-check
 * what was waited for. */
void co_park(void);

/* Makes a parked coroutine ready; harmless when it is ready or running.  Only
 * from the coroutine's own loop thread. */
void co_wake(struct co *co);

/* Bytes that may still be used on the running coroutine's stack, for code that
 * recurses with a stated depth.  A large number outside coroutines. */
unsigned long co_stack_left(void);

#endif
